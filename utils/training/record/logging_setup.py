"""Logging of a command: plain messages on standard error, and with time, rank and level in a file."""

import contextlib
import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import TextIO

from utils.model_utils.errors import BadStateError, os_errors_as
from utils.training.record.growing_file import GrowingFile

_OURS = "_set_up_by_training"


class _ConsoleFormatter(logging.Formatter):
    """The bare message, so that documented lines stand as documented; warnings and errors begin with their level.

    The messages of other processes than the first begin with their rank.
    """

    def __init__(self, rank: int, rank_count: int) -> None:
        super().__init__()
        self._prefix = f"[rank {rank}] " if rank > 0 and rank_count > 1 else ""

    def format(self, record: logging.LogRecord) -> str:
        """Formats one record."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        text = f"{self._prefix}{level}{record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _ConsoleHandler(logging.StreamHandler):
    """Writes to whatever `sys.stderr` is at the moment, so that lines appear above a progress bar."""

    @property
    def stream(self) -> TextIO:
        """Returns standard error."""
        return sys.stderr

    @stream.setter
    def stream(self, _value: TextIO) -> None:
        """Ignores the stream of the base class."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record; where standard error is a file on a full disk, it takes no complaint either."""
        try:
            self.stream.write(self.format(record) + self.terminator)
            self.flush()
        except OSError:
            return
        except Exception:  # as every handler: a message with the wrong number of arguments is no reason to end
            self.handleError(record)


class _LogFile(logging.Handler):
    """Adds to a file; lines for which the disk has no room wait, and standard error says so."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = GrowingFile(path, _warn_on_standard_error)
        self._file.make()

    def emit(self, record: logging.LogRecord) -> None:
        """Adds the line of one record."""
        try:
            self._file.append(f"{self.format(record)}\n")
        except Exception:  # as above
            self.handleError(record)

    def close(self) -> None:
        """Writes what still waits; what finds no room has been on standard error."""
        with contextlib.suppress(BadStateError):
            self._file.close()
        super().close()


class _HeldMessages(logging.handlers.BufferingHandler):
    """Keeps messages for a file that is not there yet."""

    def __init__(self) -> None:
        super().__init__(capacity=sys.maxsize)


def hold_messages() -> None:
    """Keeps all messages from now on; the file that `set_up_logging` is given later gets them too."""
    handler = _HeldMessages()
    setattr(handler, _OURS, True)
    logging.getLogger().addHandler(handler)


def set_up_logging(log_file: Path | None = None, *, rank: int = 0, rank_count: int = 1) -> None:
    """Sends log messages to standard error and, if given, to the end of a file.

    May be called again, e.g. once before the run folder exists and once after: what it set up before is replaced. Where
    standard error itself goes to that file, as in a launcher's train.log, each message is written once, bare.

    Args:
        log_file: file to append to, with time, rank, level and logger in each line.
        rank: rank of this process.
        rank_count: number of processes of the job.

    Raises:
        BadStateError: if the file cannot be written.
    """
    root = logging.getLogger()
    held: list[logging.LogRecord] = []
    for handler in [handler for handler in root.handlers if getattr(handler, _OURS, False)]:
        if isinstance(handler, _HeldMessages):
            held += handler.buffer
        root.removeHandler(handler)
        handler.close()
    console = _ConsoleHandler()
    console.setFormatter(_ConsoleFormatter(rank, rank_count))
    console.setLevel(logging.INFO)
    handlers: list[logging.Handler] = [console]
    if log_file is not None and not _is_standard_error(log_file):
        handlers.append(_file_handler(log_file, rank))
        for record in held:
            handlers[-1].handle(record)
    for handler in handlers:
        setattr(handler, _OURS, True)
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # its font search is no news


def _warn_on_standard_error(sentence: str) -> None:
    with contextlib.suppress(OSError):  # it may be on the same disk
        print(f"warning: {sentence}", file=sys.stderr, flush=True)


def _is_standard_error(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stderr.fileno()))
    except (OSError, ValueError):  # closed, or no file at all
        return False


def _file_handler(log_file: Path, rank: int) -> logging.Handler:
    advice = "; free some space, make its folder writable, or choose another run folder"
    with os_errors_as(BadStateError, f"log file '{log_file}' cannot be written", advice):
        handler = _LogFile(log_file)
    handler.setFormatter(
        logging.Formatter(f"%(asctime)s [rank {rank}] %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%d %H:%M:%S")
    )
    return handler
