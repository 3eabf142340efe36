"""Signals that a part of a command takes while it works.

A signal that is ignored when a process starts stays ignored, as `nohup` and the `&` of a script mean it: a command in
the background is stopped by SIGTERM, never by a Ctrl-C that is meant for something else, nor by a closed terminal.
"""

import atexit
import ctypes
import logging
import os
import signal
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Handler = Callable[[int, types.FrameType | None], None]

SIGACTION_BYTES = 512  # of C's struct sigaction, more than any system's: 152 with glibc
HANDLER_BYTES = 8  # its first field, on x86-64 and aarch64
QUIET_SECONDS = 0.02  # without a new handler, after threads were started: they set theirs within 2 ms on busy cores
LOOK_AGAIN_SECONDS = 0.1  # after a signal that has to wait: too short to be noticed, and a look takes microseconds

logger = logging.getLogger(__name__)


@contextmanager
def taken_signals(numbers: Iterable[signal.Signals], handler: Handler) -> Iterator[None]:
    """Has signals call `handler` while its block runs, those apart that are ignored; in the main thread only."""
    taken = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in taken}
    try:
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, earlier)


def keep_interrupts_ignored() -> None:
    """Blocks SIGINT where it is ignored: each run of a compiled graph puts a handler of MindSpore's in its place.

    Threads inherit it, so it has to come before the libraries that start some.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Puts what handles SIGINT back after a block in which MindSpore computes; in any thread.

    MindSpore puts a handler of its own in its place, which sends the process SIGTERM: a Ctrl-C in a notebook would end
    it. Each run of a graph does so, and each thread of MindSpore's queues when it starts, which may be after the run.
    """
    before, threads = _interrupt_action(), _threads()
    try:
        yield
    finally:
        _set_interrupt_action(before)
        if not _threads() <= threads:
            _wait_for_quiet(before)


def _wait_for_quiet(wanted: bytes) -> None:
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < QUIET_SECONDS:
        time.sleep(QUIET_SECONDS / 10)
        if _interrupt_action()[:HANDLER_BYTES] != wanted[:HANDLER_BYTES]:
            _set_interrupt_action(wanted)
            quiet_since = time.monotonic()


def _interrupt_action() -> bytes:
    """Returns C's struct sigaction of SIGINT, which Python's own functions do not show."""
    action = ctypes.create_string_buffer(SIGACTION_BYTES)
    ctypes.CDLL(None).sigaction(signal.SIGINT, None, action)
    return action.raw


def _set_interrupt_action(action: bytes) -> None:
    """Sets it in any thread; Python's own function serves the main thread only."""
    ctypes.CDLL(None).sigaction(signal.SIGINT, action, None)


def _threads() -> set[str]:
    """Returns the numbers of all threads of this process, MindSpore's included."""
    return set(os.listdir("/proc/self/task"))


def raise_between_graphs(exception: BaseException, frame: types.FrameType | None) -> None:
    """Raises what a signal stands for: at once, or when MindSpore has been imported, or has compiled a graph.

    An exception in the midst of its import ends Python with a fatal error. One in the Python that its compiler calls is
    lost, or fills the screen with the compiler's stack and leaves a folder rank_0 where the user is. One in a
    `__del__`, as MindSpore's Cells have it, is always lost. So these come to their end first. A second signal does not
    wait for it, nor does any where SIGALRM, which looks again, is in use.

    Args:
        exception: to be raised.
        frame: where the signal came, as its handler is told.

    Raises:
        BaseException: `exception`, now or from the handler of SIGALRM.
    """
    alarm = signal.getsignal(signal.SIGALRM)
    if isinstance(alarm, _Waiting):
        alarm.end()
    doing = _work_in_hand(frame)
    if doing is None or alarm is not signal.SIG_DFL:
        raise exception
    if doing == COMPILING:
        logger.info("ending as soon as the network is compiled; the same again ends at once")
    _Waiting(exception).begin()


@contextmanager
def interrupts_between_graphs() -> Iterator[None]:
    """Has Ctrl-C wait as `raise_between_graphs` says while a block runs, where it would raise KeyboardInterrupt."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    with taken_signals([signal.SIGINT], interrupt):
        yield
    alarm = signal.getsignal(signal.SIGALRM)
    if isinstance(alarm, _Waiting):
        alarm.end()
        raise alarm.exception


def interrupt(_number: int, frame: types.FrameType | None) -> None:
    """Handles SIGINT as Python does, but between two graphs."""
    raise_between_graphs(KeyboardInterrupt(), frame)


IMPORTING, COMPILING, DELETING = "<module>", "compile", "__del__"  # names of functions on the stack meanwhile


def _work_in_hand(frame: types.FrameType | None) -> str | None:
    """Returns which of these a stack is in the midst of, the outermost one, or None."""
    work = None
    while frame is not None:
        name, package = frame.f_code.co_name, str(frame.f_globals.get("__name__")).partition(".")[0]
        if name == DELETING or package == "mindspore" and name in (IMPORTING, COMPILING):
            work = name
        frame = frame.f_back
    return work


class _Waiting:
    """The handler of SIGALRM while an exception waits."""

    def __init__(self, exception: BaseException) -> None:
        self.exception = exception

    def begin(self) -> None:
        atexit.register(self.end)  # the clock must not outlive the handler, which Python takes back when it ends
        signal.signal(signal.SIGALRM, self)
        signal.setitimer(signal.ITIMER_REAL, LOOK_AGAIN_SECONDS, LOOK_AGAIN_SECONDS)

    def end(self) -> None:
        if signal.getsignal(signal.SIGALRM) is self:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def __call__(self, _number: int, frame: types.FrameType | None) -> None:
        if _work_in_hand(frame) is None:
            self.end()
            raise self.exception
