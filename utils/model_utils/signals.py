"""Signals that a part of a command takes while it works.

A signal that is ignored when a process starts stays ignored, as `nohup` and the `&` of a script mean it: a command in
the background is stopped by SIGTERM, never by a Ctrl-C that is meant for something else, nor by a closed terminal.
"""

import ctypes
import os
import signal
import time
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Handler = Callable[[int, types.FrameType | None], None]

SIGACTION_BYTES = 512  # of C's struct sigaction, more than any system's: 152 with glibc
HANDLER_BYTES = 8  # its first field, on x86-64 and aarch64
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
