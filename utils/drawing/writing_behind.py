"""Drawing and writing in a thread, while the network works on what comes next."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec

Arguments = ParamSpec("Arguments")

MOST_WAITING = 4  # pictures in memory beside the one that is written


class WritingBehind:
    """Runs calls in a thread of its own, in their order, for the length of a `with` block.

    The caller waits where `MOST_WAITING` calls wait already. What one of them raises is raised by a later call, or at
    the end of the block; the calls behind it are not run any more. Where the block itself raises, that counts.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writing")
        self._waiting: deque[Future[object]] = deque()

    def __enter__(self) -> "WritingBehind":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, function: Callable[Arguments, object], *arguments: Arguments.args, **named: Arguments.kwargs) -> None:
        """Lets the thread call `function` with the arguments, once it has done what it was told before."""
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= MOST_WAITING):
            self._take_first()
        self._waiting.append(self._pool.submit(function, *arguments, **named))

    def finish(self) -> None:
        """Waits until all is done."""
        while self._waiting:
            self._take_first()

    def _take_first(self) -> None:
        first = self._waiting.popleft()
        try:
            first.result()
        except BaseException:
            for each in self._waiting:
                each.cancel()
            self._waiting.clear()
            raise
