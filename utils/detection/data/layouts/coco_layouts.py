"""Finds the COCO files of a data set that is laid out as Roboflow, CVAT, Label Studio and others write it.

A split has the name that is asked for, or one that others give it: `train2017` is `train` elsewhere, `val2017` is
`valid` or `val`. Upper and lower case make no difference.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from utils.data_sets.split_words import SPLIT_WORDS

FAMILIES = tuple(SPLIT_WORDS.values())
TRAIN, VALID, TEST = FAMILIES
YEAR = re.compile(r"[\s_-]*\d+$")

COCO, LABEL_STUDIO = "COCO", "Label Studio"
# Where the annotations of a split lie, {} for its name, and whose layout it is; the first that is there counts.
FILES_OF_SPLITS = (
    ("annotations/instances_{}.json", COCO),
    ("{}/_annotations.coco.json", "Roboflow"),
    ("{}/annotations/instances_default.json", "CVAT"),
    ("{}/result.json", LABEL_STUDIO),
    ("annotations/{}.json", COCO),
    ("{}/annotations.json", COCO),
    ("{}/labels.json", "FiftyOne"),
    ("{}/instances_{}.json", COCO),
    ("{}/{}.json", COCO),
    ("instances_{}.json", COCO),
    ("{}.json", COCO),
    ("{}_annotations.json", COCO),
    ("annotations_{}.json", COCO),
)
# Where the annotations of a data set without splits lie.
FILES_OF_ALL = (
    ("annotations/instances_default.json", "CVAT"),
    ("_annotations.coco.json", "Roboflow"),
    ("result.json", LABEL_STUDIO),
    ("annotations/annotations.json", COCO),
    ("annotations/instances.json", COCO),
    ("annotations.json", COCO),
    ("instances_default.json", "CVAT"),
    ("instances.json", COCO),
    ("labels.json", "FiftyOne"),
)
IMAGE_FOLDERS = ("images", "data", "JPEGImages", "img", "imgs")
LOOKED_AT = 8  # images of a file by which its folder is told
CHUNK_BYTES, MOST_NAME_BYTES = 2**20, 2**13
FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class Found:
    """Annotations that were found.

    Attributes:
        file: the annotation file.
        split: what the data set calls the split; "" where the file is of a data set without splits.
        layout: program that lays data sets out like this, or COCO.
        is_test: it is the test split, in the place of one for validation.
    """

    file: Path
    split: str
    layout: str
    is_test: bool = False


def names_of(split: str) -> tuple[str, ...]:
    """Returns the names that a split may have in a data set, in lower case, the likeliest first."""
    name = split.lower()
    return tuple(dict.fromkeys((name, *_family(name))))


def find_annotations(root: Path, split: str, *, or_test: bool = True) -> Found | None:
    """Returns the annotation file of a split, else that of a data set without splits; None where there is neither.

    Args:
        root: folder of the data set.
        split: its name, as asked for.
        or_test: the test split is taken for one for validation, where there is nothing else.
    """
    folders = _Folders(root)
    found = _find_split(folders, names_of(split))
    if found is None and or_test and _family(split.lower()) == VALID:
        found = _find_split(folders, TEST)
        found = found and replace(found, is_test=True)
    has_splits = found is not None or _find_split(folders, TRAIN) is not None
    return found if has_splits else _find_file(folders, [(pattern, layout, "") for pattern, layout in FILES_OF_ALL])


def find_images(annotations: Path, root: Path, split: str) -> Path | None:
    """Returns the folder that the file names in an annotation file are relative to: it has most of the first images.

    Args:
        annotations: the file.
        root: folder of the data set.
        split: name of the split.

    Returns:
        The likeliest one where several have as many; None where none has any, or there is no such file.
    """
    names = [name.replace("\\", "/") for name in first_file_names(annotations)]
    folders = list(dict.fromkeys(image_folders(annotations, root, split)))
    counts = [sum(os.path.isfile(os.path.join(folder, name)) for name in names) for folder in folders]
    return folders[counts.index(max(counts))] if any(counts) else None


def image_folders(annotations: Path, root: Path, split: str) -> Iterator[Path]:
    """Yields the folders that may hold the images of an annotation file, the likeliest first; some twice."""
    names = names_of(split)
    yield from _Folders(root).present((split, *names, *(f"{each}/{name}" for each in IMAGE_FOLDERS for name in names)))
    beside = annotations.parent
    subset = annotations.stem.removeprefix("instances_")  # CVAT: images/default of instances_default.json
    places = (beside, beside.parent, root) if beside != root else (root,)
    for place in places:
        yield from _Folders(place).present((*IMAGE_FOLDERS, f"images/{subset}"))
    yield from places


def first_file_names(annotations: Path, count: int = LOOKED_AT) -> list[str]:
    """Returns the first names of images in an annotation file, which is read no further than that; [] without any."""
    names: list[str] = []
    with suppress(OSError), open(annotations, "rb") as file:
        rest = b""
        while len(names) < count and (chunk := file.read(CHUNK_BYTES)):
            text, end = rest + chunk, 0
            for match in FILE_NAME.finditer(text):
                with suppress(ValueError):  # no JSON text
                    names.append(json.loads(match[1]))
                end = match.end()
            rest = text[max(end, len(text) - MOST_NAME_BYTES) :]
    return [name for name in names[:count] if "\0" not in name]


class _Folders:
    """The files and folders beneath a folder, by their names in any case; each folder is listed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[Path, dict[str, str]] = {}

    def find(self, relative: str) -> Path | None:
        """Returns what a path leads to, None where that is nothing; a name in the very case counts before others."""
        place = self._root
        for part in relative.split("/"):
            names = self._names_in(place)
            found = names.get(part) or names.get(part.lower())
            if found is None:
                return None
            place /= found
        return place

    def present(self, names: Sequence[str]) -> Iterator[Path]:
        """Yields those that are folders."""
        found = (self.find(name) for name in names)
        yield from (path for path in found if path is not None and path.is_dir())

    def _names_in(self, folder: Path) -> dict[str, str]:
        if folder not in self._listed:
            entries: list[str] = []
            with suppress(OSError):  # it is no folder, or one that may not be looked into
                entries = sorted(os.listdir(folder))
            self._listed[folder] = {entry.lower(): entry for entry in entries} | {entry: entry for entry in entries}
        return self._listed[folder]


def _find_split(folders: _Folders, names: Sequence[str]) -> Found | None:
    return _find_file(
        folders, [(pattern.replace("{}", name), layout, name) for pattern, layout in FILES_OF_SPLITS for name in names]
    )


def _find_file(folders: _Folders, wanted: Sequence[tuple[str, str, str]]) -> Found | None:
    """Returns the first of (path, layout, name of the split) that is there."""
    for path, layout, split in wanted:
        file = folders.find(path)
        # eval.py writes a result.json too, but no images beside it
        if file is not None and file.is_file() and (layout != LABEL_STUDIO or (file.parent / "images").is_dir()):
            return Found(file, split, layout)
    return None


def _family(name: str) -> tuple[str, ...]:
    word = YEAR.sub("", name)
    return next((family for family in FAMILIES if word in family), ())
