"""How every command ends: exit code 0, or one sentence on standard error and another code."""

import contextlib
import errno
import io
import logging
import os
import select
import signal
import sys
import types
from collections.abc import Callable
from typing import TextIO

from utils.model_utils.errors import UserError, short
from utils.model_utils.files import is_full
from utils.model_utils.signals import interrupt, keep_interrupts_ignored, raise_between_graphs

EXIT_USER_ERROR = 2  # as of argparse and of shells
# As a shell names the end by a signal: 128 + SIGINT, SIGPIPE, SIGTERM.
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143

logger = logging.getLogger(__name__)


class Terminated(BaseException):
    """SIGTERM, turned into an exception so that `finally` blocks run."""


def _terminate(_signal_number: int, frame: types.FrameType | None) -> None:
    raise_between_graphs(Terminated(), frame)


def run_command(main: Callable[[], int | None], name: str) -> None:
    """Runs `main` and exits the process with its code.

    Args:
        main: the command; returns an exit code, None for 0.
        name: what the sentence on standard error begins with, e.g. "train.py".

    A `UserError` is printed as one sentence with its code, 2 for all but a missed metric, Ctrl-C ends with 130 and
    SIGTERM with 143 (MindSpore may turn the former into the latter); where MindSpore is compiling, both wait until it
    has. Where SIGINT is ignored at the start, as in the background of a script, it stays ignored, and SIGTERM alone
    ends the command. Where the reader of the output has gone (`--help | head`), the code is 141. A full disk is a
    sentence and code 2 wherever it is met, on standard output too. Any other exception is a fault of the program and
    keeps its traceback (code 1).
    """
    write_any_letter()
    keep_interrupts_ignored()
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    try:
        code = main() or 0
        sys.stdout.flush()
    except UserError as error:
        logger.debug("user error", exc_info=True)
        code = _fail(f"{name}: error: {error}", error.exit_code)
    except KeyboardInterrupt:
        code = _fail(f"{name}: interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        if not _has_lost_its_reader():
            raise
        code = EXIT_BROKEN_PIPE
    except Terminated:
        code = _fail(f"{name}: terminated", EXIT_TERMINATED)
    except OSError as error:
        sentence = _sentence_of_the_system(error)
        if not sentence:
            raise
        logger.debug("user error", exc_info=True)
        code = _fail(f"{name}: error: {sentence}", EXIT_USER_ERROR)
    _let_go_of_full_streams()
    sys.exit(code)


def _sentence_of_the_system(error: OSError) -> str:
    """Returns what an error of the system means wherever a path is used; "" where the fault may be ours."""
    if error.errno == errno.ENAMETOOLONG:
        return f"the path {short(error.filename)} is too long for the file system: choose a shorter one"
    if not is_full(error):
        return ""
    name = f"'{error.filename}'" if error.filename else "standard output, or a file,"
    return f"{name} cannot be written ({error.strerror}): free some space, then give the command again"


def _let_go_of_full_streams() -> None:
    """Python would say that it cannot write the rest, and end with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _send_to_nowhere(stream)


def _send_to_nowhere(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_any_letter() -> None:
    """Lets standard output and standard error take any text: letters that their encoding lacks are written escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _has_lost_its_reader() -> bool:
    """Returns whether standard output is a pipe closed at the other end; if so, nothing more is written to it."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    is_closed = any(event & select.POLLERR for _, event in poll.poll(0))
    if is_closed:
        _send_to_nowhere(sys.stdout)
    return is_closed


def _fail(sentence: str, code: int) -> int:
    with contextlib.suppress(OSError):  # it may be a file on the disk that is full
        print(sentence, file=sys.stderr, flush=True)
    return code
