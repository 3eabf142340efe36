"""How far a download is: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.progress

from utils.progress import PLAIN_INTERVAL_SECONDS


class Progress:
    """Shows bytes of one file; a context."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = time.monotonic()
        self._bar: rich.progress.Progress | None = None

    def __enter__(self) -> "Progress":
        """Begins with nothing shown."""
        if sys.stdout.isatty():
            from rich import progress

            columns = (progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn())
            self._bar = progress.Progress(progress.TextColumn("{task.description}"), progress.BarColumn(), *columns)
            self._task = self._bar.add_task(self._name, total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leaves the last state on the terminal."""
        if self._bar:
            self._bar.stop()

    def show(self, done: int, total: int | None) -> None:
        """Shows that so many bytes are there; `total` is None where nobody knows it."""
        if self._bar:
            self._bar.update(self._task, completed=done, total=total)
        elif time.monotonic() - self._last >= PLAIN_INTERVAL_SECONDS:
            self._last = time.monotonic()
            print(f"{self._name}: {done:,} bytes" + (f" of {total:,}" if total else ""), flush=True)
