"""The one place that sets process variables for MindSpore, before it is imported; child processes inherit them.

MindSpore 2.9 and 2.10 carry oneDNN 3.10, which on AVX-512 machines picks a reference loop for plain NCHW convolution,
50 to 100 times slower than its AVX2 kernels. Capping the instruction set restores the fast ones. oneDNN reads the
variable once, at its first convolution or matrix product; MindSpore's own log reads its level when it is imported.
"""

import contextlib
import functools
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"
ISA_VALUE = "AVX2"
LIMIT_MARK = "MSZOO_ISA_LIMIT"  # the limit is ours, in child processes too, and not the user's
LOG_LEVEL_VARIABLE = "GLOG_v"
LOG_ERRORS_ONLY = "3"


@dataclass
class _Start:
    is_late: bool = False


@functools.cache
def _start() -> _Start:
    return _Start()


def prepare_cpu_environment() -> None:
    """Sets the variables that the user has not set; MindSpore may have been imported, but not have computed yet.

    MindSpore warns of every accelerator that is absent and of every call that will change some day: its log begins at
    errors here.
    """
    os.environ.setdefault(LOG_LEVEL_VARIABLE, LOG_ERRORS_ONLY)
    if platform.machine().lower() not in ("x86_64", "amd64") or ISA_VARIABLE in os.environ:
        return
    os.environ[ISA_VARIABLE] = ISA_VALUE
    os.environ[LIMIT_MARK] = ISA_VALUE
    _start().is_late = "mindspore" in sys.modules


def may_be_too_late() -> bool:
    """Returns whether MindSpore was imported, so that oneDNN may have read its variable, before it was set here."""
    return _start().is_late


@contextlib.contextmanager
def without_isa_limit() -> Iterator[None]:
    """Takes the limit away that was set here for MindSpore, where another library reads the same variable.

    OpenVINO has a oneDNN of its own: with AVX2, float32 is 18 % slower and bfloat16 does not compile. A user's own
    value stays.
    """
    is_own = os.environ.get(LIMIT_MARK) == os.environ.get(ISA_VARIABLE)
    limit = os.environ.pop(ISA_VARIABLE, None) if is_own else None
    try:
        yield
    finally:
        if limit is not None:
            os.environ[ISA_VARIABLE] = limit
