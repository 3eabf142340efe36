"""The one place that sets process variables for MindSpore, before it is imported; child processes inherit them.

MindSpore 2.9 and 2.10 carry oneDNN 3.10, which on AVX-512 machines picks a reference loop for plain NCHW convolution,
50 to 100 times slower than its AVX2 kernels. Capping the instruction set restores the fast ones. oneDNN reads the
variable once, when MindSpore is imported; so does MindSpore's own log with its level.
"""

import logging
import os
import platform
import sys

ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"
ISA_VALUE = "AVX2"
LOG_LEVEL_VARIABLE = "GLOG_v"
LOG_ERRORS_ONLY = "3"

logger = logging.getLogger(__name__)


def prepare_cpu_environment() -> None:
    """Sets the variables that the user has not set; warns where MindSpore was imported too early for oneDNN's to act.

    MindSpore warns of every accelerator that is absent and of every call that will change some day: its log begins at
    errors here.
    """
    os.environ.setdefault(LOG_LEVEL_VARIABLE, LOG_ERRORS_ONLY)
    if platform.machine().lower() not in ("x86_64", "amd64") or ISA_VARIABLE in os.environ:
        return
    os.environ[ISA_VARIABLE] = ISA_VALUE
    if "mindspore" in sys.modules:
        logger.warning(
            "mindspore was imported before utils: %s=%s comes too late, convolution on this CPU may be 50 times "
            "slower; import utils first or export the variable",
            ISA_VARIABLE,
            ISA_VALUE,
        )
