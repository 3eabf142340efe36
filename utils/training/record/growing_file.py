"""A file of lines that a run adds to: where the disk takes no more, the lines wait and the run goes on."""

import contextlib
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from utils.model_utils.errors import BadStateError
from utils.model_utils.files import free_space_said, is_full
from utils.words import agreed, counted

MOST_WAITING = 100_000  # lines, about 30 MB; a line is of an interval of steps, so that these are days of a training


class GrowingFile:
    """Adds lines to the end of a file, each whole, so that a reader never sees half of an earlier one.

    Lines that cannot be written wait for the next that can. That is said once, and so is the end of it.

    Args:
        path: the file; made with the first line.
        tell: takes a sentence for the user.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self.path, self._tell = path, tell
        self._waiting: deque[str] = deque()
        self._lost = 0
        self._problem = ""
        self._is_begun = False

    def make(self) -> None:
        """Makes the file where it is missing.

        Raises:
            OSError: it cannot be written.
        """
        with free_space_said(self.path.parent):
            _append(self.path, b"")

    def append(self, line: str) -> None:
        """Adds a line, given with its end, and before it all that wait.

        Raises:
            BadStateError: the file can never be written, e.g. because it is a folder.
        """
        self._waiting.append(line)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self.flush()

    def flush(self) -> None:
        """Tries again to write what waits.

        Raises:
            BadStateError: as for `append`.
        """
        if not self._waiting:
            return
        try:
            with free_space_said(self.path.parent):
                _append(self.path, "".join(self._waiting).encode("utf-8", "backslashreplace"))
        except OSError as error:
            is_news, self._problem = not self._problem, error.strerror or str(error)
            if not (self._is_begun or is_full(error)):
                advice = "make it writable, or move away what is in its place"
                raise BadStateError(f"'{self.path}' cannot be written ({self._problem}): {advice}") from error
            if is_news:
                self._tell(
                    f"'{self.path}' cannot be written ({self._problem}): its lines wait until there is room, and the "
                    "run goes on"
                )
            return
        count = len(self._waiting)
        self._waiting.clear()
        self._is_begun = True
        if self._problem:
            have, are = agreed(count, "has", "have"), agreed(self._lost, "one is", "ones are")
            lost = f"; {self._lost} older {are} lost" if self._lost else ""
            self._tell(f"'{self.path}' is written again, with the {counted(count, 'line')} that {have} waited{lost}")
            self._problem, self._lost = "", 0

    def close(self) -> None:
        """Writes what still waits.

        Raises:
            BadStateError: it cannot be written, so that these lines are lost.
        """
        self.flush()
        if self._waiting:
            count = len(self._waiting) + self._lost
            self._waiting.clear()
            self._lost = 0
            last = agreed(count, "line", counted(count, "line"))
            raise BadStateError(
                f"'{self.path}' lacks its last {last} ({self._problem}): free some space before the next run; "
                "all checkpoints are there"
            )


def _append(path: Path, content: bytes) -> None:
    """Adds bytes to the end of a file, all or none.

    Raises:
        OSError: they cannot be written.
    """
    with path.open("ab", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # a device has no length
                os.ftruncate(file.fileno(), size)
            raise
