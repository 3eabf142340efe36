"""Signals that a part of a command takes while it works.

A signal that is ignored when a process starts stays ignored, as `nohup` and the `&` of a script mean it: a command in
the background is stopped by SIGTERM, never by a Ctrl-C that is meant for something else, nor by a closed terminal.
"""

import ctypes
import os
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

Handler = Callable[[int, types.FrameType | None], None]

SIGACTION_BYTES = 512  # of C's struct sigaction, more than any system's: 152 with glibc
HANDLER_BYTES = 8  # its first field, on x86-64 and aarch64
RETRY_SECONDS = 0.002  # of our own code there may be few milliseconds between two long calls of MindSpore
SILENT_SECONDS = 1.0  # of waiting, after which a line says so: importing MindSpore takes as long
LONGEST_WAIT_SECONDS = 10.0  # docker and systemd kill after 10 s and more; compiling a small network takes 2 to 10
QUIET_SECONDS = 0.02  # without a new handler, after threads were started: they set theirs within 2 ms on busy cores


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


class HeldException:
    """Raises an exception for a signal, but not in the midst of MindSpore's own code: there it waits until the end.

    An exception that MindSpore's import does not expect ends the interpreter with a core dump. In its compiler it is
    reported in a hundred lines and a file `rank_0/om/analyze_fail.ir`, or lost, so that the command goes on.

    A second signal raises at once, and so does the end of `LONGEST_WAIT_SECONDS`. In a process that was forked from
    this one, as MindSpore's readers are, nothing waits. SIGALRM is the alarm clock; of the main thread only.

    Args:
        name: of the command, for the line that says what is waited for.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._process = os.getpid()
        self._since: float | None = None
        self._has_told = False

    def raise_outside_mindspore(self, make: Callable[[], BaseException], frame: types.FrameType | None) -> None:
        """Raises what `make` gives, now or as soon as no function of MindSpore is at work; to be called by a handler.

        Args:
            make: makes the exception.
            frame: what the signal has interrupted.
        """
        is_first = self._since is None
        if is_first and os.getpid() == self._process and _is_inside_mindspore(frame):
            self._since = time.monotonic()
            signal.signal(signal.SIGALRM, lambda _number, later: self._try_again(make, later))
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
            return
        self._raise(make)

    def cancel(self) -> None:
        """Forgets a signal that has waited until now: the work that it was to break off is done."""
        if self._since is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._since = None

    def _try_again(self, make: Callable[[], BaseException], frame: types.FrameType | None) -> None:
        if self._since is None:  # the alarm came while it was being turned off
            return
        waited = time.monotonic() - self._since
        if waited >= LONGEST_WAIT_SECONDS or not _is_inside_mindspore(frame):
            self._raise(make)
        if waited >= SILENT_SECONDS and not self._has_told:
            self._has_told = True
            self._tell()
        signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)

    def _raise(self, make: Callable[[], BaseException]) -> NoReturn:
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._since = None
        raise make()

    def _tell(self) -> None:
        """Writes past Python's streams: the signal may have come while one of them was being written."""
        line = (
            f"{self._name}: ends as soon as MindSpore is done with what it does now, after {LONGEST_WAIT_SECONDS:g} s "
            "at the latest\n"
        )
        with suppress(OSError):
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, line.encode())


def _is_inside_mindspore(frame: types.FrameType | None) -> bool:
    """Returns whether a function of MindSpore, or one that it has called, is being run."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == "mindspore":
            return True
        frame = frame.f_back
    return False
