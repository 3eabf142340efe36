"""MindSpore as a guest in a user's process: it takes a device once, and leaves mode and Ctrl-C as they were."""

import contextlib
import functools
import logging
import os
import threading
import time
from collections.abc import Iterator

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.model_utils.cpu_environment import ISA_VALUE, ISA_VARIABLE, may_be_too_late
from utils.model_utils.device_adapter import choose_device, set_up_device
from utils.model_utils.errors import BadStateError
from utils.model_utils.signals import interrupts_between_graphs, interrupts_kept

# Of the convolution below: 1 to 3 with oneDNN's fast loops, 170 to 360 with the slow ones, measured on two busy cores.
SLOW_MILLISECONDS = 30

_ONE_AT_A_TIME = threading.RLock()  # what is compiled and held for a size is shared by all threads

logger = logging.getLogger(__name__)


def take_device(target: str, device_id: int | None) -> None:
    """Sets MindSpore's device, unless the process uses it already; no generator of random numbers is seeded.

    Args:
        target: "Ascend", "GPU", "CPU" or "auto".
        device_id: number of the device; None for DEVICE_ID in the environment, else 0.

    Raises:
        BadStateError: the device is not there, or the process uses another.
    """
    with as_guest():
        try:
            set_up_device(target, device_id)
        except BadStateError:
            is_other = device_id is not None and ms.get_context("device_id") != device_id
            if choose_device(target) != ms.get_context("device_target") or is_other:
                raise
        if may_be_too_late() and ms.get_context("device_target") == "CPU":
            _warn_of_slow_convolution()


@functools.cache
def _warn_of_slow_convolution() -> None:
    """Says, once, that MindSpore's convolution is slow, as a small one shows.

    Networks of C kernels do without it but for a few layers of SegFormer; without a compiler every layer waits for it.
    """
    convolve = nn.Conv2d(64, 64, 3)
    image = ms.Tensor(np.ones((1, 64, 32, 32), np.float32))
    convolve(image).asnumpy()
    start = time.perf_counter()
    convolve(image).asnumpy()
    milliseconds = (time.perf_counter() - start) * 1000
    if milliseconds > SLOW_MILLISECONDS:
        logger.warning(
            "mindspore has computed in this process before %s=%s was set: a small convolution takes %.0f ms, where 1 "
            "to 3 are usual; C kernels stand in for it where they can: import this package before the first operator, "
            "or export the variable",
            ISA_VARIABLE,
            ISA_VALUE,
            milliseconds,
        )


@contextlib.contextmanager
def as_guest() -> Iterator[None]:
    """Runs a block in graph mode, one thread at a time; afterwards mode and handler of SIGINT are the user's again.

    Where MindSpore was imported first, with its log at warnings, it would say hundreds of times that calls of its own
    are deprecated: in the block its log begins at errors.
    """
    with _ONE_AT_A_TIME, interrupts_kept(), interrupts_between_graphs():
        mode = ms.get_context("mode")
        log = logging.getLogger(f"ME.mindspore.log.{os.getpid()}")
        level = log.level
        ms.set_context(mode=ms.GRAPH_MODE)
        if may_be_too_late():
            log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)
            ms.set_context(mode=mode)
