"""Errors that a user caused and can mend. Each message says what, got, wanted and how to fix, in one sentence.

Entry scripts print these without a traceback (see command.py); any other exception is a fault of ours and keeps its
traceback.
"""

import difflib
import math
import reprlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager

MOST_WRITTEN_DIGITS = 4300  # Python refuses to write a longer number in decimals
SHOWN_LETTERS = 60  # of a value in a sentence: enough to find it again, and the sentence is still read
MAX_EXAMPLES = 3  # a sentence names so many of what is wrong: enough to see what they share, and it stays on a line


class UserError(Exception):
    """Base of the errors that are shown to the user as one sentence; the command ends with `exit_code`."""

    exit_code = 2  # as of argparse and of shells


class BadValueError(UserError, ValueError):
    """A value, key or file content that cannot be used."""


class MissingPathError(UserError, FileNotFoundError):
    """A path that does not exist or is of the wrong kind."""

    def __str__(self) -> str:
        """Returns the sentence alone; FileNotFoundError would add an errno."""
        return str(self.args[0]) if self.args else ""


class BadStateError(UserError, RuntimeError):
    """The machine or a folder is in a state in which the command cannot go on."""


class MissedMetricError(UserError):
    """A network that does not reach the metric that is expected of it: the command has done all of its work."""

    exit_code = 1


@contextmanager
def os_errors_as(kind: type[UserError], what: str, advice: str) -> Iterator[None]:
    """Says what the system refuses in one sentence: what, the system's reason in brackets, advice.

    Args:
        kind: error of the sentence.
        what: e.g. "'result.json' cannot be written".
        advice: what to do about it, with the punctuation before it, e.g. ": free some space".

    Raises:
        UserError: of this kind; one that the block itself raises passes.
    """
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise kind(f"{what} ({error.strerror or error}){advice}") from error


def first_line(error: BaseException) -> str:
    """Returns the first line of a library's message, the error's name where it has none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


class _Shortened(reprlib.Repr):
    """Shows the beginning of a value, however large it is, in bounded time."""

    def __init__(self, letters: int) -> None:
        super().__init__()
        self.maxstring = self.maxother = 4 * letters
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = self.maxdeque = letters
        self.maxlevel = 4

    def repr_int(self, value: int, _level: int) -> str:
        """Shows a whole number; of the longest, which Python does not write, the number of digits."""
        digits = int(value.bit_length() * math.log10(2)) + 1
        return repr(value) if digits < MOST_WRITTEN_DIGITS else f"a whole number of about {digits} digits"


def short(value: object, letters: int = SHOWN_LETTERS) -> str:
    """Returns a value as a sentence shows it: as Python writes it, cut to so many letters."""
    text = _Shortened(letters).repr(value)
    return text if len(text) <= letters else f"{text[: letters - 3]}..."


def unknown_word(what: str, name: str, known: Collection[str]) -> str:
    """Returns the sentence about a word of a command line that is none of the known ones, with the nearest of them.

    Args:
        what: kind of the word, e.g. "suite".
        name: as typed.
        known: the words there are.
    """
    near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.5)
    start = f"did you mean '{near[0]}'? There" if near else "there"
    return f"no {what} {short(name)} here: {start} are {', '.join(known)}"
