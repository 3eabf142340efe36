"""Says which files and folders a process reads for long, so that no other one replaces them under it.

A reader holds the kernel's shared lock (flock) on the file or folder itself; whoever would replace it asks for the
exclusive one and waits for no reader to end. The lock ends with the last process that has it, however that ends;
processes that are forked have it too. It reaches as far as flock does: over NFS to other machines, where the mount has
not `nolock`.
"""

import fcntl
import logging
import os
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from utils.model_utils.errors import UserError

# A process that another thread starts has this one's locks between fork and exec, milliseconds on busy cores.
START_SECONDS = 0.25

logger = logging.getLogger(__name__)


class Hold:
    """A lock that is held until it is closed or forgotten.

    Args:
        descriptor: of the open file or folder.
        is_locked: whether the kernel holds a lock on it; some file systems have none.
    """

    def __init__(self, descriptor: int, is_locked: bool) -> None:
        self._descriptor, self.is_locked = descriptor, is_locked
        self._close = weakref.finalize(self, os.close, descriptor)

    def is_of(self, path: Path) -> bool:
        """Whether this is still the file of that name, and not one that has taken its place."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Gives it up; a process that was forked meanwhile keeps it."""
        self._close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Gives it up."""
        self.close()


def hold(path: Path) -> Hold | None:
    """Takes part in reading a file or folder.

    Where the file system has no locks, the hold is one in name only, and the log says so.

    Returns:
        The hold; None where another process is replacing it at this moment.

    Raises:
        OSError: it cannot be opened.
    """
    found = _lock(os.open(path, os.O_RDONLY), fcntl.LOCK_SH)
    if found is not None and not found.is_locked:
        logger.info("'%s' cannot be locked here: nothing keeps another run from replacing it while it is read", path)
    return found


def claim(path: Path) -> Hold | None:
    """Takes a file or folder for its own, to replace it.

    Returns:
        The hold, one in name only where the file system has no locks; None where somebody reads it, or where that
        cannot be found out because the file is somebody else's.

    Raises:
        OSError: it cannot be opened.
    """
    is_own = True
    try:
        descriptor = os.open(path, os.O_RDWR)  # NFS wants it for an exclusive lock
    except IsADirectoryError:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        is_own, descriptor = False, os.open(path, os.O_RDONLY)
    found = _lock(descriptor, fcntl.LOCK_EX, START_SECONDS)
    return found if found is not None and (found.is_locked or is_own) else None


def claim_all(paths: Iterable[Path], refusal: Callable[[Path], UserError]) -> ExitStack:
    """Takes several files or folders for its own, all or none, until what it returns is closed.

    Raises:
        UserError: `refusal` of the first that cannot be had.
        OSError: one cannot be opened.
    """
    with ExitStack() as claimed:
        for path in paths:
            found = claim(path)
            if found is None:
                raise refusal(path)
            claimed.enter_context(found)
        return claimed.pop_all()


def _lock(descriptor: int, kind: int, seconds: float = 0) -> Hold | None:
    limit = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= limit:
                os.close(descriptor)
                return None
            time.sleep(0.01)
        except OSError:
            return Hold(descriptor, is_locked=False)
        else:
            return Hold(descriptor, is_locked=True)
