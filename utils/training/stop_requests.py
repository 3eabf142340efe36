"""Ctrl-C and SIGTERM, held back until a loop stands between two steps, or two frames of a video."""

import logging
import signal
import threading
import types
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from utils.model_utils.command import Terminated
from utils.model_utils.signals import HeldException, taken_signals

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """Takes the signals while its `with` block runs, those apart that are ignored; in the main thread alone.

    The first signal is only remembered, a second one raises at once; inside `immediately()` the first one raises too.

    Each run of a compiled graph puts MindSpore's own handler in place of SIGINT's, which sends this process SIGTERM. So
    Ctrl-C mostly arrives here as SIGTERM, and the command ends with that code.

    Args:
        what_follows: what is done before the command ends, for the log.
    """

    def __init__(self, what_follows: str = "finishing this step, then saving a checkpoint") -> None:
        self._what_follows = what_follows
        self._signal_number: int | None = None
        self._is_immediate = False
        self._stack = ExitStack()
        self._held = HeldException("stopping")

    def __enter__(self) -> "StopRequests":
        if threading.current_thread() is threading.main_thread():
            self._stack.enter_context(taken_signals(_SIGNALS, self._take))
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    @property
    def is_pending(self) -> bool:
        """Whether a signal has come."""
        return self._signal_number is not None

    def exception(self) -> BaseException:
        """Returns what the signal stands for: KeyboardInterrupt or Terminated (see utils/model_utils/command.py).

        A worker that stops because another one wants to has had no signal: that is Terminated too.
        """
        return KeyboardInterrupt() if self._signal_number == signal.SIGINT else Terminated()

    @contextmanager
    def immediately(self) -> Iterator[None]:
        """Lets a signal raise at once, for work that may be broken off anywhere, such as an evaluation."""
        if self.is_pending:
            raise self.exception()
        self._is_immediate = True
        try:
            yield
        finally:
            self._is_immediate = False
            self._held.cancel()

    def _take(self, signal_number: int, frame: types.FrameType | None) -> None:
        was_pending = self.is_pending
        self._signal_number = signal_number
        if was_pending:
            raise self.exception()
        if self._is_immediate:
            self._held.raise_outside_mindspore(self.exception, frame)
            return
        logger.info("%s: %s", signal.Signals(signal_number).name, self._what_follows)
