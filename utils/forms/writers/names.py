"""Names for the pictures of the new data set: their own where no other has it, else with their folders before it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from utils.forms.content import Picture


def file_names(pictures: Sequence[Picture]) -> list[str]:
    """Returns a file name for each picture, of which no two in a split differ in case or suffix alone."""
    paths = [PurePosixPath(picture.name) for picture in pictures]
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
