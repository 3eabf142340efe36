"""What a conversion passes over or changes, counted by reason, with the first examples of each."""

from dataclasses import dataclass, field

from utils.model_utils.errors import MAX_EXAMPLES, short
from utils.words import counted

MOST_LETTERS = 100  # of an example: a path inside the data set


@dataclass
class Count:
    """How often something was met.

    Attributes:
        noun: what is counted, in the singular.
        total: how many.
        examples: the first few.
    """

    noun: str
    total: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str, count: int) -> None:
        """Counts some more of them."""
        self.total += count
        if len(self.examples) < MAX_EXAMPLES and example not in self.examples:
            self.examples.append(example)


class Tally:
    """Counts by reason, in the order in which the reasons were first met."""

    def __init__(self) -> None:
        self._dropped: dict[tuple[str, str], Count] = {}
        self._changed: dict[tuple[str, str], Count] = {}

    def drop(self, noun: str, reason: str, example: str, count: int = 1) -> None:
        """Counts what is left out: `drop("box", "outside the picture", "a.xml")`."""
        if count:
            self._dropped.setdefault((noun, reason), Count(noun)).add(example, count)

    def change(self, noun: str, reason: str, example: str, count: int = 1) -> None:
        """Counts what is taken in another way than it stands there: `change("box", "cut at the border", "a.xml")`."""
        if count:
            self._changed.setdefault((noun, reason), Count(noun)).add(example, count)

    @property
    def num_dropped(self) -> int:
        """How many pictures, boxes and files are left out."""
        return sum(count.total for count in self._dropped.values())

    def dropped(self) -> list[str]:
        """Returns a line for each reason, e.g. `3 boxes without area (first: a.xml, b.xml)`."""
        return _lines(self._dropped)

    def changed(self) -> list[str]:
        """Returns a line for each reason, likewise."""
        return _lines(self._changed)


def _lines(counts: dict[tuple[str, str], Count]) -> list[str]:
    return [
        f"{counted(count.total, noun)} {reason} (first: {', '.join(_shown(each) for each in count.examples)})"
        for (noun, reason), count in counts.items()
    ]


def _shown(example: str) -> str:
    is_plain = len(example) <= MOST_LETTERS and example.isprintable()
    return example if is_plain else short(example, MOST_LETTERS)
