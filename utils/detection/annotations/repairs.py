"""What is mended or left out of a file of annotations, counted and said once."""

import functools
import logging
from dataclasses import dataclass

from utils.model_utils.errors import MAX_EXAMPLES
from utils.words import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BoxRepairs:
    """How many boxes of a data set were changed or left out, and which first.

    Attributes:
        clipped: reached more than a pixel outside their image and were cut at its border.
        outside: lay wholly outside their image and were dropped.
        empty: had no positive width and height and were dropped.
        not_finite: had NaN or infinite coordinates and were dropped.
        examples: the first few, as a sentence names them.
    """

    clipped: int = 0
    outside: int = 0
    empty: int = 0
    not_finite: int = 0
    examples: tuple[str, ...] = ()

    @property
    def dropped(self) -> int:
        """Number of boxes that are left out."""
        return self.outside + self.empty + self.not_finite

    def plus(self, other: "BoxRepairs") -> "BoxRepairs":
        """Returns both together."""
        return BoxRepairs(
            self.clipped + other.clipped,
            self.outside + other.outside,
            self.empty + other.empty,
            self.not_finite + other.not_finite,
            (self.examples + other.examples)[:MAX_EXAMPLES],
        )

    def __str__(self) -> str:
        """Returns the sentence for the log, "" where nothing was repaired."""
        if not self.clipped + self.dropped:
            return ""
        return (
            f"{counted(self.clipped, 'box')} clipped at the image border, {self.dropped} dropped ({self.empty} without "
            f"area, {self.outside} outside the image, {self.not_finite} not finite); first: {', '.join(self.examples)}"
        )


@functools.cache
def warn_once(sentence: str) -> None:
    """Logs a warning the first time that this process comes by it: a run reads the file of a split several times."""
    logger.warning("%s", sentence)
