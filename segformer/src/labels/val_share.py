"""One set of images for training and evaluation: which of them are held back follows from their names alone.

An image is held back where a number that follows from its name is below the share. So the same are in every run, worker
and command, and pictures that come later move none.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.model_utils.errors import BadValueError
from utils.words import counted

# Roboflow writes a picture several times, each changed in another way: cat_jpg.rf.1f0c....jpg
_COPY = re.compile(r"\.rf\.[0-9a-zA-Z]+$")
_COPIED_SUFFIX = re.compile(r"_(?:jpe?g|png|bmp|webp|tiff?)$", re.IGNORECASE)
_LAST_NUMBER = re.compile(r"[\s._(-]*\d+\)?$")  # clip_000123, clip (123)


@dataclass(frozen=True)
class ValShare:
    """How images are shared out.

    Attributes:
        share: of the images that is held back for evaluation, above 0 and below 1.
        seed: another number holds others back.
        by_stem: images whose names differ in their last number alone are on the same side.
    """

    share: float
    seed: int = 0
    by_stem: bool = False

    def __str__(self) -> str:
        """Returns what was chosen, as the keys say it: "val_share 0.2, val_seed 0"."""
        return f"val_share {self.share:g}, val_seed {self.seed}{', val_group_by_stem' * self.by_stem}"

    def is_held_back(self, names: Sequence[str], source: Path) -> list[bool]:
        """Returns which images are held back.

        Args:
            names: of the images, without endings.
            source: where they lie, for the sentence.

        Raises:
            BadValueError: it would be none of them, or all.
        """
        held_back = [_fraction(shared_name(name, self.by_stem), self.seed) < self.share for name in names]
        count = sum(held_back)
        if count in (0, len(names)):
            side, way = ("training", "lower") if count else ("evaluation", "raise")
            raise BadValueError(
                f"val_share {self.share:g} leaves none of the {counted(len(names), 'image')} of '{source}' for the "
                f"{side}: {way} val_share, set val_seed to another number, or val_group_by_stem to false"
            )
        return held_back


def shared_name(name: str, by_stem: bool) -> str:
    """Returns what decides on which side an image is; images with one such name are on one side.

    Copies that Roboflow has made of one picture have its name: `cat_jpg.rf.HASH` is `cat`. By stem the last number goes
    too, so that the frames of a video stay together: `clip_000123` is `clip`; a name that is nothing else is its
    folder, `clip/000123` too is `clip`.
    """
    path = PurePosixPath(name)
    last = path.name
    if _COPY.search(last):
        last = _COPIED_SUFFIX.sub("", _COPY.sub("", last))
    shortened = _LAST_NUMBER.sub("", last) if by_stem else last
    if not shortened and path.parent.name:
        return str(path.parent)
    return str(path.parent / (shortened or last))


def _fraction(name: str, seed: int) -> float:
    """Returns a number from 0 to below 1 that follows from a name: the first 64 bits of a SHA-256."""
    return int.from_bytes(hashlib.sha256(f"{seed}\n{name}".encode(errors="surrogatepass")).digest()[:8], "big") / 2**64
