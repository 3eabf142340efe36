"""Finds the pictures that a command is pointed at, and names for what it makes of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.model_utils.errors import MissingPathError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


@dataclass(frozen=True)
class ImageFile:
    """A picture to read.

    Attributes:
        path: the file.
        name: its path inside the folder that was searched.
    """

    path: Path
    name: PurePosixPath


def find_image_files(
    path: Path, *, flag: str, suffixes: Sequence[str] = PICTURE_SUFFIXES, leave_out: Path | None = None
) -> tuple[ImageFile, ...]:
    """Returns a picture, or those of a folder and its sub-folders, sorted by folder and name.

    Args:
        path: a file, of any suffix, or a folder.
        flag: argument that chooses it, for messages.
        suffixes: of pictures in a folder, in lower case; files may have them in any case.
        leave_out: folder whose files do not count: that of the results, where it lies inside.

    Raises:
        MissingPathError: there is nothing, or no picture in the folder.
    """
    if path.is_file():
        return (ImageFile(path, PurePosixPath(path.name)),)
    if not path.is_dir():
        raise MissingPathError(f"'{path}' does not exist: give a picture or a folder of pictures with {flag}")
    excluded = leave_out.resolve() if leave_out and leave_out.resolve() != path.resolve() else None
    found = []
    for folder, subfolders, files in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if Path(folder, name).resolve() != excluded)
        found += [Path(folder, name) for name in sorted(files) if name.lower().endswith(tuple(suffixes))]
    if not found:
        raise MissingPathError(
            f"no picture ({', '.join(suffixes)}) is in '{path}' or its sub-folders: give another with {flag}"
        )
    return tuple(ImageFile(file, PurePosixPath(file.relative_to(path).as_posix())) for file in found)


def result_names(files: Sequence[ImageFile], suffix: str) -> list[PurePosixPath]:
    """Returns a name with another suffix for each picture, in the picture's sub-folder; no two are the same.

    `a.jpg` becomes `a` plus the suffix; of two pictures that this would make one, e.g. `a.jpg` and `a.png`, the later
    keeps its own suffix before it: `a.png.jpg`.
    """
    names: list[PurePosixPath] = []
    taken: set[str] = set()
    for file in files:
        candidates = [file.name.with_suffix(suffix), file.name.with_name(file.name.name + suffix)]
        candidates += [file.name.with_name(f"{file.name.name}.{number}{suffix}") for number in range(2, len(files) + 2)]
        name = next(each for each in candidates if str(each).lower() not in taken)
        taken.add(str(name).lower())
        names.append(name)
    return names


def image_numbers(files: Sequence[ImageFile]) -> list[int]:
    """Returns an id for each picture: the number that its name is, as in COCO, where all are and differ, else 1, 2, ...

    `000000000139.jpg` has the number 139.
    """
    stems = [file.name.stem for file in files]
    if all(stem.isascii() and stem.isdigit() for stem in stems):
        numbers = [int(stem) for stem in stems]
        if len(set(numbers)) == len(numbers):
            return numbers
    return list(range(1, len(files) + 1))
