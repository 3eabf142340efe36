"""What the suites share. Importing it prepares the process for MindSpore, so it must come before `import mindspore`."""

from pathlib import Path

from utils.model_utils.guards.python_version import refuse_other_pythons

refuse_other_pythons(str(Path(__file__).resolve().parent.parent))  # before what an old version cannot read

from utils.model_utils.cpu_environment import prepare_cpu_environment  # noqa: E402

prepare_cpu_environment()
