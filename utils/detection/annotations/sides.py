"""The two sides of one annotation file, what is trained on and what is evaluated; see `utils.data_sets.val_share`."""

import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.data_sets.val_share import ValShare, picture_name
from utils.model_utils.errors import BadValueError, short
from utils.words import agreed, counted, none_of

TRAINING, EVALUATION = "training", "evaluation"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Side:
    """One of the two sides: `TRAINING` or `EVALUATION`."""

    val_share: ValShare
    name: str

    def choose(self, file_names: Sequence[str], source: Path) -> np.ndarray:
        """Returns which images are on this side, bool[N], and says once how many are on which.

        Args:
            file_names: as in the annotations.
            source: these, for messages.

        Raises:
            BadValueError: nothing is left on a side.
        """
        is_evaluated = self.val_share.is_evaluated(file_names)
        count, total = int(is_evaluated.sum()), len(is_evaluated)
        if total and count in (0, total):
            raise BadValueError(_one_sided(self.val_share, file_names, source, is_all=count > 0))
        _say(self.val_share, count, total, source)
        return is_evaluated == (self.name == EVALUATION)

    def __str__(self) -> str:
        """Returns what a sentence calls it, e.g. "the evaluation side of val_share 0.2"."""
        return f"the {self.name} side of {self.val_share}"


def _one_sided(val_share: ValShare, file_names: Sequence[str], source: Path, *, is_all: bool) -> str:
    names = {picture_name(name, by_stem=val_share.by_stem) for name in file_names}
    held = f"val_share {val_share.share} leaves {none_of(len(file_names), 'image')} of '{source}' for the "
    held += TRAINING if is_all else EVALUATION
    if len(names) == 1 and len(set(file_names)) > 1:
        way_out = "set val_group_by_stem to False" if val_share.by_stem else "give more pictures"
        return f"{held}, since they stay together as {short(min(names))}: {way_out}, or give a file for the evaluation"
    return f"{held}: {'lower' if is_all else 'raise'} val_share, or set val_seed to another number"


@functools.cache  # a run reads the file of a split several times
def _say(val_share: ValShare, count: int, total: int, source: Path) -> None:
    logger.info(
        "%s: %d of %s %s kept for evaluation (%s)",
        source,
        count,
        counted(total, "image"),
        agreed(count, "is", "are"),
        val_share,
    )
