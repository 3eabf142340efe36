"""Finds the pictures that a command is pointed at, and names for what it makes of them."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from utils.images import IMAGE_SUFFIXES
from utils.model_utils.errors import MAX_EXAMPLES, MissingPathError
from utils.model_utils.near_paths import near_path

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageFile:
    """A picture to read.

    Attributes:
        path: the file.
        name: its path inside the folder that was searched.
    """

    path: Path
    name: PurePosixPath


def is_picture_name(name: str) -> bool:
    """Whether a file is a picture by its name, which may have its suffix in any case; hidden files are none."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def find_image_files(path: Path, *, flag: str, leave_out: Path | None = None) -> tuple[ImageFile, ...]:
    """Returns a picture, or those of a folder and its sub-folders, sorted by folder and name.

    Links to folders are followed, each folder once. What else there is is counted in the log: other files, and folders
    that cannot be looked into.

    Args:
        path: a file, of any suffix, or a folder.
        flag: argument that chooses it, for messages.
        leave_out: folder whose files do not count: that of the results, where it lies inside.

    Raises:
        MissingPathError: there is nothing, or no picture in the folder.
    """
    if path.is_file():
        return (ImageFile(path, PurePosixPath(path.name)),)
    if not path.is_dir():
        raise MissingPathError(
            f"'{path}' does not exist{near_path(path)}: give a picture or a folder of pictures with {flag}"
        )
    seen = {path.resolve()} | ({leave_out.resolve()} if leave_out else set())
    found: list[Path] = []
    others: list[Path] = []

    def pass_over(error: OSError) -> None:
        others.append(Path(error.filename))

    for folder, subfolders, files in os.walk(path, onerror=pass_over, followlinks=True):
        subfolders[:] = _unseen(Path(folder), sorted(subfolders), seen)
        for name in sorted(files):
            (found if is_picture_name(name) else others).append(Path(folder, name))
    if not found:
        raise MissingPathError(
            f"no picture ({', '.join(IMAGE_SUFFIXES)}) is in '{path}' or its sub-folders (other files: "
            f"{len(others)}): give another with {flag}"
        )
    log_passed_over(others, path)
    return tuple(ImageFile(file, PurePosixPath(file.relative_to(path).as_posix())) for file in found)


def _unseen(folder: Path, names: Sequence[str], seen: set[Path]) -> list[str]:
    """Returns the sub-folders that were not searched yet, by whatever link, and notes them."""
    unseen = []
    for name in names:
        place = (folder / name).resolve()
        if place not in seen:
            seen.add(place)
            unseen.append(name)
    return unseen


def log_passed_over(others: Sequence[Path], folder: Path) -> None:
    """Counts in the log what a folder holds beside the pictures that are taken, and names the first."""
    if others:
        shown = ", ".join(str(path.relative_to(folder)) for path in others[:MAX_EXAMPLES])
        shown += ", ..." if len(others) > MAX_EXAMPLES else ""
        logger.info("passed over in %s, no pictures by their names: %d, namely %s", folder, len(others), shown)


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
