"""One annotation file for training and evaluation: which of its images are on which side, by their names alone.

An image is evaluated where a number that follows from its name is below the share. So the same are in every run, worker
and command, pictures that come later move none, and several files of one data set agree.
"""

import functools
import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from utils.model_utils.errors import BadValueError, short
from utils.words import agreed, counted

# Roboflow writes a picture several times, each time changed in another way: cat_jpg.rf.1f0c....jpg
COPY = re.compile(r"\.rf\.[0-9a-zA-Z]+$")
COPIED_SUFFIX = re.compile(r"_(?:jpe?g|png|bmp|webp|tiff?)$", re.IGNORECASE)
LAST_NUMBER = re.compile(r"[\s._(-]*\d+\)?$")  # clip_000123, clip (123)
TRAINING, EVALUATION = "training", "evaluation"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ValShare:
    """How the images of a file are shared out.

    Attributes:
        share: of the images, or of their groups, that are evaluated; above 0, below 1.
        seed: another number chooses others.
        by_stem: images whose names differ in their last number alone are on the same side.
    """

    share: float
    seed: int = 0
    by_stem: bool = False

    def __str__(self) -> str:
        """Returns what was chosen, as the keys say it: "val_share 0.2, val_seed 0"."""
        return f"val_share {self.share:g}, val_seed {self.seed}{', val_group_by_stem' * self.by_stem}"

    def is_evaluated(self, file_names: Sequence[str]) -> np.ndarray:
        """Returns which images are evaluated, bool[N]; the others are trained on."""
        names = [picture_name(name, by_stem=self.by_stem) for name in file_names]
        return np.array([_fraction(name, self.seed) for name in names], np.float64) < self.share


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


def picture_name(file_name: str, *, by_stem: bool) -> str:
    """Returns what decides on which side an image is; images with one name are on one side.

    It is the path without its suffix. Copies that Roboflow has made of one picture have its name: `cat_jpg.rf.HASH.jpg`
    and `cat.jpg` are `cat`. By stem the last number goes too, so that frames of one video stay together:
    `clip_000123.jpg` is `clip`; a name that is nothing else is its folder, `clip/000123.jpg` too is `clip`.
    """
    path = PurePosixPath(file_name.replace("\\", "/"))
    stem = path.stem
    if COPY.search(stem):
        stem = COPIED_SUFFIX.sub("", COPY.sub("", stem))
    shortened = LAST_NUMBER.sub("", stem) if by_stem else stem
    if not shortened and path.parent.name:
        return str(path.parent)
    return str(path.parent / (shortened or stem))


def _fraction(name: str, seed: int) -> float:
    """Returns a number from 0 to below 1 that follows from a name: the first 64 bits of a SHA-256."""
    return int.from_bytes(hashlib.sha256(f"{seed}\n{name}".encode(errors="surrogatepass")).digest()[:8], "big") / 2**64


def _one_sided(val_share: ValShare, file_names: Sequence[str], source: Path, *, is_all: bool) -> str:
    names = {picture_name(name, by_stem=val_share.by_stem) for name in file_names}
    held = f"val_share {val_share.share} leaves none of the {counted(len(file_names), 'image')} of '{source}' for the "
    held += TRAINING if is_all else EVALUATION
    if len(names) == 1 and len(set(file_names)) > 1:
        way_out = "set val_group_by_stem to False" if val_share.by_stem else "give more pictures"
        return f"{held}, since they stay together as {short(names.pop())}: {way_out}, or give a file for the evaluation"
    return f"{held}: {'lower' if is_all else 'raise'} val_share, or set val_seed to another number"


@functools.cache  # a run reads the file of a split several times
def _say(val_share: ValShare, count: int, total: int, source: Path) -> None:
    logger.info(
        "%s: %d of %s %s kept for the evaluation (%s)",
        source,
        count,
        counted(total, "image"),
        agreed(count, "is", "are"),
        val_share,
    )
