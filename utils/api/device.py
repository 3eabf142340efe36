"""MindSpore as a guest in a user's process: it takes a device once, and leaves mode and Ctrl-C as they were."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import mindspore as ms

from utils.model_utils.device_adapter import choose_device, set_up_device
from utils.model_utils.errors import BadStateError


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


@contextlib.contextmanager
def as_guest() -> Iterator[None]:
    """Runs a block in graph mode; afterwards mode and handler of SIGINT are the user's again.

    Each run of a compiled graph puts a handler of MindSpore's in SIGINT's place, which sends the process SIGTERM: a
    Ctrl-C in a notebook would end it.
    """
    mode = ms.get_context("mode")
    ms.set_context(mode=ms.GRAPH_MODE)
    try:
        yield
    finally:
        ms.set_context(mode=mode)
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and handler is not None:
            signal.signal(signal.SIGINT, handler)
