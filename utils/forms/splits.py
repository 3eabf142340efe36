"""Which pictures are trained on and which evaluated: as the source says, else drawn by picture."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from utils.data_sets.val_share import ValShare, picture_name
from utils.forms.content import Picture
from utils.forms.tally import Tally
from utils.model_utils.errors import BadValueError, short
from utils.words import counted

SPLITS = ("train", "val", "test")


def first_splits(groups: Iterable[tuple[str, Iterable[str]]], tally: Tally) -> dict[str, str]:
    """Returns the split of each name: that of the first group that has it.

    Args:
        groups: splits with their names; a split may come more than once.
        tally: counts the names that another split has too.
    """
    splits: dict[str, str] = {}
    for split, names in groups:
        for name in names:
            first = splits.setdefault(name, split)
            if first != split:
                tally.change("picture", f"that both {first} and {split} list: taken for {first}", name)
    return splits


def with_splits(
    pictures: Sequence[Picture], share: ValShare, tally: Tally, *, of_source: bool = True
) -> tuple[list[Picture], str]:
    """Gives each picture a split, and says in a sentence where it comes from.

    What the source says counts. Where it has none to train, or none to evaluate, a share of the pictures is drawn for
    the evaluation; those of a test split stay there.

    Args:
        pictures: of the whole data set.
        share: which are evaluated; those that the detectors' key `val_share` would keep, 0 for none.
        tally: counts pictures that no split of the source lists.
        of_source: the source's splits count; otherwise all pictures are shared out anew.

    Raises:
        BadValueError: there is no picture to train on, or none of several can be evaluated as they stay together.
    """
    kept = list(pictures) if of_source else [replace(picture, split="") for picture in pictures]
    said = Counter(picture.split for picture in kept)
    if said["train"]:
        for picture in (each for each in pictures if not each.split):
            tally.drop("picture", "that no split of the source lists", picture.name)
        kept = [picture for picture in pictures if picture.split]
    if said["train"] and said["val"]:
        return kept, "as in the source"
    to_share = [picture for picture in kept if picture.split != "test"]
    if not to_share:
        raise BadValueError(
            f"{counted(len(kept), 'picture')} of the source can be used, none of them to train on: see above what was "
            "left out"
        )
    kept = [picture for picture in kept if picture.split == "test"]
    drawn = _drawn(to_share, share)
    kept += [replace(picture, split="val" if drawn[index] else "train") for index, picture in enumerate(to_share)]
    kept.sort(key=lambda picture: picture.name)
    reason = "the source has none to evaluate on" if said["train"] else "the source has no splits"
    reason = reason if of_source else "the splits of the source do not count"
    if not drawn.any():
        return kept, f"{reason}, and none was drawn"
    return kept, f"{reason}: {share} draw them"


def _drawn(pictures: Sequence[Picture], share: ValShare) -> np.ndarray:
    """Returns bool[N], which pictures are to be evaluated; of several at least one, and never all.

    Raises:
        BadValueError: all of several stay together.
    """
    names = [picture.listed_name or picture.name for picture in pictures]
    numbers = share.numbers(names)
    if share.share == 0 or len(names) == 1:
        return np.zeros(len(pictures), bool)
    if numbers.min() == numbers.max():
        way_out = "leave out --val_group_by_stem" if share.by_stem else "give more pictures"
        raise BadValueError(
            f"{share} leaves none of {counted(len(names), 'picture')} for the evaluation, since they stay together as "
            f"{short(picture_name(names[0], by_stem=share.by_stem))}: {way_out}, or give --val_share 0"
        )
    drawn = numbers < share.share
    if not drawn.any():
        return numbers == numbers.min()
    return numbers < numbers.max() if drawn.all() else drawn
