"""Which split the folders of a path speak of, and whether a data set has splits by its folders at all."""

import functools
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from utils.data_sets.split_words import SPLIT_WORDS, TRAINVAL

_WORDS = re.compile(r"[a-z]+")


def split_of(name: str, *, with_stem: bool = False) -> str:
    """Returns which split a path inside the source speaks of: "train", "val", "test", or "" for none.

    The nearest folder counts: of "val/images/train/a.jpg" it is the last one.

    Args:
        name: the path, with forward slashes.
        with_stem: the file's own name counts too, as that of instances_train2017.json; a picture may be "test_1.jpg".
    """
    name = name.lower()
    own = _of_word(PurePosixPath(name).stem) if with_stem else ""
    return own or _of_folder(name.rpartition("/")[0])


def lone_split_folder(names: Sequence[str]) -> tuple[str, str]:
    """Returns a folder that is named as a split and may be none, and a folder beside it; "" twice where there is none.

    A folder `train` beside `bus` and `car` has pictures of trains. Where two splits are there, or nothing but the one,
    they are splits.

    Args:
        names: of the pictures, inside the source.
    """
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    if len({split_of(name) for name in names} - {""}) != 1:
        return "", ""
    places = {(parts[:at], parts[at]) for parts in folders for at in range(len(parts)) if _of_word(parts[at].lower())}
    for outer, part in sorted(places):
        at = len(outer)
        beside = {parts[at] for parts in folders if len(parts) > at and parts[:at] == outer}
        others = sorted(each for each in beside if not _of_word(each.lower()))
        if others:
            return "/".join((*outer, part)), others[0]
    return "", ""


@functools.lru_cache(maxsize=4096)  # a data set has few folders and many files
def _of_folder(folder: str) -> str:
    """Returns the split of a folder's path in small letters, the innermost that one of its parts has."""
    return next((split for part in reversed(folder.split("/")) if (split := _of_word(part))), "")


def _of_word(part: str) -> str:
    """Returns the split of a folder's name in small letters; "" where it has none, or words of two."""
    words = _WORDS.findall(part)
    found = {split for split, known in SPLIT_WORDS.items() if any(word in known for word in words)}
    found |= {"train"} if TRAINVAL in words else set()
    return found.pop() if len(found) == 1 else ""
