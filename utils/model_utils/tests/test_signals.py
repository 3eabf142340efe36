"""What handles SIGINT stays, also where a library's thread replaces it after the work that started it."""

import ctypes
import signal
import threading
import time

from utils.model_utils import signals
from utils.model_utils.signals import interrupts_kept


def ignore_interrupts():
    """As a library in C does it, past Python's own table."""
    ctypes.CDLL(None).signal(signal.SIGINT, ctypes.c_void_p(1))  # SIG_IGN


def handler():
    return signals._interrupt_action()[: signals.HANDLER_BYTES]


def test_a_handler_that_the_block_has_set_goes():
    before = handler()
    with interrupts_kept():
        ignore_interrupts()
        assert handler() != before
    assert handler() == before


def test_a_handler_that_its_thread_sets_later_goes():
    def late():
        for _ in range(3):
            time.sleep(signals.QUIET_SECONDS / 2)
            ignore_interrupts()
        done.wait()

    before, done = handler(), threading.Event()
    thread = threading.Thread(target=late)
    with interrupts_kept():
        thread.start()
    assert handler() == before
    time.sleep(2 * signals.QUIET_SECONDS)
    assert handler() == before
    done.set()
    thread.join()
