"""Signals that a part of a command takes while it works.

A signal that is ignored when a process starts stays ignored, as `nohup` and the `&` of a script mean it: a command in
the background is stopped by SIGTERM, never by a Ctrl-C that is meant for something else, nor by a closed terminal.
"""

import signal
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Handler = Callable[[int, types.FrameType | None], None]


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
