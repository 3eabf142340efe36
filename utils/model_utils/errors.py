"""Errors that a user caused and can mend. Each message says what, got, wanted and how to fix, in one sentence.

Entry scripts print these without a traceback (see command.py); any other exception is a fault of ours and keeps its
traceback.
"""


class UserError(Exception):
    """Base of the errors that are shown to the user as one sentence."""


class BadValueError(UserError, ValueError):
    """A value, key or file content that cannot be used."""


class MissingPathError(UserError, FileNotFoundError):
    """A path that does not exist or is of the wrong kind."""

    def __str__(self) -> str:
        """Returns the sentence alone; FileNotFoundError would add an errno."""
        return str(self.args[0]) if self.args else ""


class BadStateError(UserError, RuntimeError):
    """The machine or a folder is in a state in which the command cannot go on."""
