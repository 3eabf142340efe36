"""What a command says of itself in its help: what it does, and which keys of its suite's schema it acts on."""

from dataclasses import dataclass

from utils.model_utils.config.base import Config


@dataclass(frozen=True)
class CommandKeys:
    """A command of a suite and its keys.

    A key that the weights of a checkpoint fix (`Config.FIXED_BY_WEIGHTS`) is none of a command that reads a checkpoint,
    unless it is named here: the command takes the checkpoint's value.

    Attributes:
        description: what the command does.
        most_used: ten keys at most, with spaces between them, which its help shows first.
        others: the rest of its keys; None: all of the schema but those of `left_out`.
        left_out: keys that it does not act on, where `others` is None.
        checkpoint_key: key of the checkpoint whose network it builds, if any.
    """

    description: str
    most_used: str
    others: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()
    checkpoint_key: str = ""

    @property
    def first(self) -> tuple[str, ...]:
        """The most used keys."""
        return tuple(self.most_used.split())

    def keys(self, schema: type[Config]) -> tuple[str, ...]:
        """Returns all keys that the command acts on, the most used first, then those of the schema in its order."""
        wanted = schema.model_fields.keys() - set(self.left_out) if self.others is None else set(self.others)
        return (*self.first, *(key for key in schema.model_fields if key in wanted and key not in self.first))
