"""Names for the pictures of the new data set: their own where no other has it, else with their folders before it."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from utils.forms.content import Picture
from utils.forms.tally import Tally


def file_names(pictures: Sequence[Picture], tally: Tally) -> list[str]:
    """Returns a file name for each picture, of which no two in a split differ in case or suffix alone.

    Args:
        pictures: each with its split.
        tally: counts those whose names are no UTF-8, which MindRecord files cannot hold: they are read as names of GBK.
    """
    paths = [PurePosixPath(_as_utf8(picture.name)) for picture in pictures]
    for picture, path in zip(pictures, paths, strict=True):
        if path.name != PurePosixPath(picture.name).name:
            tally.change("picture", "whose name is no UTF-8: it gets another one", picture.name)
    counts = Counter((picture.split, path.stem.lower()) for picture, path in zip(pictures, paths, strict=True))
    names: list[str] = []
    taken: set[tuple[str, str]] = set()
    for picture, path in zip(pictures, paths, strict=True):
        is_alone = counts[picture.split, path.stem.lower()] == 1
        stem = path.stem if is_alone else "_".join(path.with_suffix("").parts)
        candidates = (
            stem,
            f"{stem}_{path.suffix.lower().removeprefix('.')}",
            *(f"{stem}_{n}" for n in range(2, len(paths) + 2)),
        )
        free = next(each for each in candidates if (picture.split, each.lower()) not in taken)
        taken.add((picture.split, free.lower()))
        names.append(free + path.suffix)
    return names


def _as_utf8(name: str) -> str:
    """Returns a name of letters where it has bytes of another encoding, as those that Windows packs in a ZIP file."""
    data = os.fsencode(name)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace").replace("\ufffd", "_")
