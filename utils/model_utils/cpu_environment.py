"""The one place that sets process variables for MindSpore's CPU kernels.

MindSpore 2.9 and 2.10 carry oneDNN 3.10, which on AVX-512 machines picks a reference loop for plain NCHW convolution, 50 to 100
times slower than its AVX2 kernels. Capping the instruction set restores the fast ones. oneDNN reads the variable once, when
MindSpore is imported; child processes inherit it.
"""

import logging
import os
import platform
import sys

ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"
ISA_VALUE = "AVX2"

logger = logging.getLogger(__name__)


def prepare_cpu_environment() -> None:
    """Sets the oneDNN variable on x86 unless the user has set it; warns where MindSpore was imported too early for it to act."""
    if platform.machine().lower() not in ("x86_64", "amd64") or ISA_VARIABLE in os.environ:
        return
    os.environ[ISA_VARIABLE] = ISA_VALUE
    if "mindspore" in sys.modules:
        logger.warning(
            "mindspore was imported before utils: %s=%s comes too late, convolution on this CPU may be 50 times slower; "
            "import utils first or export the variable",
            ISA_VARIABLE, ISA_VALUE,
        )
