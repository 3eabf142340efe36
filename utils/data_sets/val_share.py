"""One set of images for training and evaluation: which of them are evaluated follows from their names alone.

An image is evaluated where a number that follows from its name is below the share. So the same are in every run, worker
and command, pictures that come later move none, and several files of one data set agree.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

# Roboflow writes a picture several times, each time changed in another way: cat_jpg.rf.1f0c....jpg
COPY = re.compile(r"\.rf\.[0-9a-zA-Z]+$")
COPIED_SUFFIX = re.compile(r"_(?:jpe?g|png|bmp|webp|tiff?)$", re.IGNORECASE)
LAST_NUMBER = re.compile(r"[\s._(-]*\d+\)?$")  # clip_000123, clip (123)


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
        return self.numbers(file_names) < self.share

    def numbers(self, file_names: Sequence[str]) -> np.ndarray:
        """Returns float64[N] in [0, 1): the number of each image, which decides; images that stay together share it."""
        names = [picture_name(name, by_stem=self.by_stem) for name in file_names]
        return np.array([_fraction(name, self.seed) for name in names], np.float64)


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
