"""Which pictures are trained on and which evaluated: as the source says, else drawn by picture."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from utils.forms.content import Picture
from utils.forms.tally import Tally
from utils.model_utils.errors import BadValueError
from utils.words import counted

SPLITS = ("train", "val", "test")
_ROBOFLOW_COPY = re.compile(r"\.rf\.[^.]+$", re.IGNORECASE)  # it puts a hash behind each copy of a picture
_NUMBER = re.compile(r"[\W_]*\d+$")


def with_splits(
    pictures: Sequence[Picture], val_share: float, seed: int, by_stem: bool, tally: Tally
) -> tuple[list[Picture], str]:
    """Gives each picture a split, and says in a sentence where it comes from.

    What the source says counts. Where it has none to train, or none to evaluate, a share of the pictures is drawn for
    the evaluation; those of a test split stay there.

    Args:
        pictures: of the whole data set.
        val_share: share of the pictures that are drawn, 0 for none.
        seed: of the draw, which depends on names and seed alone.
        by_stem: pictures of one name, but for the number at its end, stay together.
        tally: counts pictures that no split of the source lists.

    Raises:
        BadValueError: there is no picture to train on.
    """
    said = Counter(picture.split for picture in pictures)
    kept = list(pictures)
    if said["train"]:
        for picture in (each for each in pictures if not each.split):
            tally.drop("picture", "that no split of the source lists", picture.name)
        kept = [picture for picture in pictures if picture.split]
    if said["train"] and said["val"]:
        return kept, "as in the source"
    to_share = [picture for picture in kept if picture.split != "test"]
    if not to_share:
        raise BadValueError(
            f"{counted(len(kept), 'picture')} of the source can be used, none of them to train on: see what is left out"
        )
    kept = [picture for picture in kept if picture.split == "test"]
    drawn = _drawn(to_share, val_share, seed, by_stem)
    kept += [replace(picture, split="val" if drawn[index] else "train") for index, picture in enumerate(to_share)]
    kept.sort(key=lambda picture: picture.name)
    reason = "the source has none to evaluate on" if said["train"] else "the source has no splits"
    if not drawn.any():
        return kept, f"{reason}, and none was drawn"
    grouped = ", pictures of one name together" if by_stem else ""
    return kept, f"{reason}: --val_share {val_share:g} and --seed {seed} draw them{grouped}"


def _drawn(pictures: Sequence[Picture], val_share: float, seed: int, by_stem: bool) -> np.ndarray:
    """Returns bool[N], which pictures are to be evaluated; at least one, and never all, where a share is asked for."""
    names = [group_of(picture.name) if by_stem else picture.name for picture in pictures]
    groups, group_index = np.unique(names, return_inverse=True)
    if val_share == 0 or len(groups) < 2:
        return np.zeros(len(pictures), bool)
    order = np.random.default_rng(seed).permutation(len(groups))
    sizes = np.bincount(group_index)[order]
    wanted = max(1, round(val_share * len(pictures)))
    before = np.cumsum(sizes) - sizes  # pictures of the groups drawn earlier
    count = min(max(1, int((before + sizes / 2 <= wanted).sum())), len(groups) - 1)
    return np.isin(group_index, order[:count])


def group_of(name: str) -> str:
    """Returns what pictures of one scene have in common: the name without suffix and without the number at its end.

    "a/street_0012.jpg" gives "a/street", and Roboflow's "a_jpg.rf.0123abcd.jpg" "a_jpg".
    """
    path = PurePosixPath(name)
    stem = _ROBOFLOW_COPY.sub("", path.stem)
    return (path.parent / (_NUMBER.sub("", stem) if stem == path.stem else stem)).as_posix()
