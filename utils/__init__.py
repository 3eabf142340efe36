"""What the suites share. Importing it prepares the process for MindSpore, so it must come before `import mindspore`."""

from utils.model_utils.cpu_environment import prepare_cpu_environment

prepare_cpu_environment()
