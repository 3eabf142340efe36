"""YOLO: a text file for each picture, whose lines are a class and a box or polygon in fractions of the picture."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from utils.data_sets.split_words import SPLIT_WORDS, TRAINVAL
from utils.forms.class_lists import find_name_list
from utils.forms.content import DataSet, Objects, Picture, make_objects, objects_of
from utils.forms.options import Options
from utils.forms.outlines.shapes import Polygons, Shape
from utils.forms.readers.sizes import agreed_size
from utils.forms.readers.texts import read_lines, read_text, read_yaml
from utils.forms.source_files import SourceFiles
from utils.forms.split_folders import split_of
from utils.forms.splits import first_splits
from utils.forms.tally import Tally
from utils.model_utils.errors import BadValueError, MissingPathError, UserError, short
from utils.model_utils.guards.json_text import Json
from utils.model_utils.guards.numbers import number_or_nan
from utils.progress import track
from utils.words import agreed, counted, listed

OWN_LIST = "classes.txt"  # of labelImg and Label Studio
BOX_NUMBERS = 5  # class, centre, sides
FEWEST_OF_POLYGON = 7  # class and three points
MOST_CLASSES = 10_000  # where no file names them
BEYOND = 1.5  # a fraction above it is no fraction: annotators leave the picture by a few pixels
_NAMES_KEY = re.compile(r"^[\"']?names[\"']?\s*:", re.MULTILINE)  # in a file that is no YAML
_WORDS = {**SPLIT_WORDS, TRAINVAL: (TRAINVAL,)}
PICTURES, LABELS = "images", "labels"  # folders side by side, in the layouts of Ultralytics and Roboflow


@dataclass(frozen=True)
class _Names:
    """The classes.

    Attributes:
        names: by their number.
        source: the file that names them.
        has_points: lines have key points behind the box, which are passed over.
        splits: entries of data.yaml by split; that of `TRAINVAL` stands for what the others leave over.
        count: of the classes, as the file says beside their names; None where it does not.
    """

    names: tuple[str, ...]
    source: str
    has_points: bool = False
    splits: tuple[tuple[str, str], ...] = ()
    count: Json = None


def read(files: SourceFiles, options: Options, tally: Tally) -> DataSet:
    """Reads the labels of all pictures; a picture without a file of labels has no object.

    Raises:
        BadValueError: there is no list of the classes, or the numbers are no fractions.
    """
    names = _class_names(files)
    entries, lists = _split_entries(files, names)
    splits = _listed_splits(files, entries, lists, tally) if options.splits == "source" else {}
    texts = {name.lower(): name for name in files.ending_in(".txt")}
    chosen = [name for name in files.pictures if not splits or name in splits]
    pictures, num_empty = [], 0
    for name in track(chosen, len(chosen), "reading labels"):
        size = agreed_size(files.path(name), name, None, tally)
        if size is None:
            continue
        label = _label_of(name, texts)
        num_empty += label is None
        objects = _read_label(files, label, size, names, tally) if label else make_objects([], [])
        pictures.append(
            Picture(name, files.path(name), splits[name] if splits else files.split_of(name), size, objects)
        )
    _check_fractions(pictures, files)
    numbered = "no file in the source names the classes: they are numbered"
    notes = [f"class names are those of {names.source}" if names.source else numbered]
    if names.count not in (None, len(names.names)):
        notes.append(
            f"{names.source} has nc {short(names.count)} and {counted(len(names.names), 'name')}: the names count"
        )
    for name in sorted(set(files.pictures).difference(chosen)):
        tally.drop("picture", f"in no split of {lists}", name)
    for name in _texts_alone(files, texts):
        tally.drop("text file", "without a picture", name)
    if num_empty:
        notes.append(f"{counted(num_empty, 'picture')} without a text file: no objects")
    return DataSet(names.names or _numbered(pictures), pictures, tally, notes)


def find_yaml(files: SourceFiles) -> str | None:
    """Returns the file that names classes and splits, data.yaml or one like it; None where there is none.

    It may be one that `read_yaml` refuses, where a line of it seems to begin with the names.
    """
    candidates = [name for name in files.ending_in(".yaml", ".yml") if _has_names(files, name)]
    candidates.sort(key=lambda name: (name.count("/"), PurePosixPath(name).stem.lower() != "data", name))
    return candidates[0] if candidates else None


def _has_names(files: SourceFiles, name: str) -> bool:
    try:
        return "names" in read_yaml(files.path(name))
    except MissingPathError:
        return PurePosixPath(name).stem.lower() == "data"
    except UserError:
        return bool(_NAMES_KEY.search(read_text(files.path(name))))


def _class_names(files: SourceFiles) -> _Names:
    found = find_yaml(files)
    if found is None:
        own = find_name_list(files, OWN_LIST)
        return _Names(tuple(read_lines(files.path(own))), own) if own else _Names((), "")
    content = read_yaml(files.path(found))
    names = content["names"]
    if isinstance(names, dict) and all(type(key) is int and 0 <= key < MOST_CLASSES for key in names):
        names = [names.get(number, f"class_{number}") for number in range(max(names, default=-1) + 1)]
    if not isinstance(names, list) or not names:
        raise BadValueError(
            f"'{files.path(found)}' has names {short(names)}, wanted a list of class names; repair the file"
        )
    splits = [
        (split, entry)
        for split, words in _WORDS.items()
        for word in words
        for entry in (content[word] if isinstance(content.get(word), list) else [content.get(word)])
        if isinstance(entry, str) and entry
    ]
    return _Names(tuple(map(str, names)), found, "kpt_shape" in content, tuple(splits), content.get("nc"))


def _split_entries(files: SourceFiles, names: _Names) -> tuple[Sequence[tuple[str, str]], str]:
    """Returns the entries of data.yaml by split, else lists such as train.txt; and what names them, for sentences."""
    if names.splits:
        return names.splits, names.source
    lists = {PurePosixPath(name).name.lower(): name for name in files.ending_in(".txt")}
    words = [(split, f"{word}.txt") for split, known in _WORDS.items() for word in known]
    entries = [(split, lists[name]) for split, name in words if name in lists]
    return entries, listed(name for _, name in entries) if entries else ""


def _listed_splits(files: SourceFiles, entries: Sequence[tuple[str, str]], near: str, tally: Tally) -> dict[str, str]:
    """Returns the split of each picture that an entry of data.yaml, or a list train.txt, names; {} for none.

    An entry may be relative to another folder than the file's, on another machine: as many of its last parts count as
    there are in the source, but not fewer than from the folder of the split on. Roboflow lists test/images where there
    is no such folder, and `images` alone would be all pictures. Of a picture that two splits name the first one counts:
    `test` often is the folder of `val`.
    """
    groups: list[tuple[str, list[str]]] = []
    missing = set[str]()
    lists = {PurePosixPath(name).name.lower(): name for name in files.ending_in(".txt")}

    def say_missing(split: str, entry: str) -> None:
        say = tally.change if split == "test" else tally.drop  # Roboflow names a test split whether or not it has one
        say("split", "that leads to no picture", f"{near}: {split}: {entry}")

    for split, entry in entries:
        near_split = "train" if split == TRAINVAL else split
        parts = [part for part in PurePosixPath(entry.replace("\\", "/")).parts if part not in ("..", ".", "/")]
        if not parts:  # the whole source, which is no split
            continue
        if entry.lower().endswith(".txt"):
            name = lists.get(parts[-1].lower())
            if name is None:
                say_missing(split, entry)
                continue
            found = [(line, files.find(line, name, near_split)) for line in read_lines(files.path(name))]
            for line, each in found:
                if each.name is None and line not in missing:
                    missing.add(line)
                    tally.drop("line" if each.num_alike else "picture", each.why_not("missing"), f"{name}: {line}")
            groups.append((split, [each.name for _, each in found if each.name is not None]))
            continue
        fewest = max(
            (at for at, part in enumerate(parts) if split_of(f"{part}/_") == near_split), default=len(parts) - 1
        )
        inside = next((each for each in (parts[at:] for at in range(fewest + 1)) if _holds(files, each)), None)
        if inside is None:
            say_missing(split, entry)
            continue
        prefix = "/".join(inside) + "/"
        groups.append((split, [name for name in files.pictures if f"/{prefix}" in f"/{name}"]))
    splits = first_splits([group for group in groups if group[0] != TRAINVAL], tally)
    rest = [name for split, names_of in groups if split == TRAINVAL for name in names_of]
    return {**dict.fromkeys(rest, "train"), **splits}


def _holds(files: SourceFiles, parts: Sequence[str]) -> bool:
    folder = f"/{'/'.join(parts)}/"
    return any(folder in f"/{name}" for name in files.pictures)


def _label_of(picture: str, texts: dict[str, str]) -> str | None:
    """Returns the text file of a picture: in `labels` where it lies in `images`, else beside it."""
    path = PurePosixPath(picture).with_suffix(".txt")
    parts = [part.lower() for part in path.parts]
    candidates = [path]
    if PICTURES in parts[:-1]:
        at = len(parts) - 2 - parts[:-1][::-1].index(PICTURES)
        candidates.insert(0, PurePosixPath(*path.parts[:at], LABELS, *path.parts[at + 1 :]))
    return next((texts[name] for each in candidates if (name := each.as_posix().lower()) in texts), None)


def _texts_alone(files: SourceFiles, texts: dict[str, str]) -> list[str]:
    """Returns the text files of labels that no picture has: with lines of numbers, or empty ones beside others."""
    used = {label for name in files.pictures if (label := _label_of(name, texts)) is not None}
    folders = {PurePosixPath(name).parent for name in used}
    alone = [name for name in texts.values() if name not in used]
    return sorted(
        name
        for name in alone
        if has_label_lines(files, name) or (PurePosixPath(name).parent in folders and is_empty(files, name))
    )


def has_label_lines(files: SourceFiles, name: str) -> bool:
    """Whether a text file begins with a line of a class and at least four numbers."""
    try:
        lines = [line.split() for line in read_text(files.path(name)).splitlines() if line.strip()]
    except UserError:
        return False
    return bool(lines) and len(lines[0]) >= BOX_NUMBERS and all(math.isfinite(number_or_nan(word)) for word in lines[0])


def is_empty(files: SourceFiles, name: str) -> bool:
    """Whether a text file has no line."""
    try:
        return files.path(name).stat().st_size == 0
    except OSError:
        return False


def _read_label(files: SourceFiles, label: str, size: tuple[int, int], names: _Names, tally: Tally) -> Objects:
    rows: list[tuple[int, np.ndarray]] = []
    for line in read_text(files.path(label)).splitlines():
        values = np.array([number_or_nan(word) for word in line.split()], np.float64)
        if names.has_points and len(values) > BOX_NUMBERS:
            values = values[:BOX_NUMBERS]
        is_polygon = len(values) >= FEWEST_OF_POLYGON and len(values) % 2 == 1
        if not len(values):
            continue
        if not (is_polygon or len(values) == BOX_NUMBERS) or not np.isfinite(values).all() or values[0] % 1:
            tally.drop("line", "of neither a class and four numbers nor a class and a polygon", label)
        elif not 0 <= values[0] < (len(names.names) or MOST_CLASSES):
            tally.drop("object", "of a class that has no name", f"{label}: class {values[0]:g}")
        else:
            rows.append((int(values[0]), values[1:]))
    sides = np.array([size[1], size[0]], np.float64)
    shapes: list[Shape | None] = [
        Polygons((numbers.reshape(-1, 2) * sides,)) if len(numbers) > 4 else None for _, numbers in rows
    ]
    boxes = [_box(numbers, sides) for _, numbers in rows]
    return make_objects([number for number, _ in rows], shapes, boxes)


def _box(numbers: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Returns float64[4], xyxy in pixels, of a box by centre and sides or of a polygon, in fractions."""
    if len(numbers) == 4:
        center, half = numbers[:2], numbers[2:] / 2
        return np.concatenate([(center - half) * sides, (center + half) * sides])
    points = numbers.reshape(-1, 2) * sides
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _check_fractions(pictures: Sequence[Picture], files: SourceFiles) -> None:
    """Refuses labels in pixels.

    Raises:
        BadValueError: more than half of the boxes end at more than one and a half times the picture.
    """
    boxes = [each.boxes for each in objects_of(pictures)]
    limits = [np.tile(each.size[::-1], (len(part), 1)) for each, part in zip(pictures, boxes, strict=True)]
    if not boxes or not sum(map(len, boxes)):
        return
    leaves = (np.concatenate(boxes)[:, 2:] > BEYOND * np.concatenate(limits)).any(axis=1)
    if leaves.mean() > 0.5:
        raise BadValueError(
            f"{int(leaves.sum())} of {counted(len(leaves), 'box')} in the text files of '{files.root}' "
            f"{agreed(int(leaves.sum()), 'leaves its', 'leave their')} picture; "
            "wanted are fractions of the picture, from 0 to 1: divide x and width by its width, y and "
            "height by its height"
        )


def _numbered(pictures: Sequence[Picture]) -> tuple[str, ...]:
    """Returns a name for each class number up to the last one."""
    last = max((int(each.labels.max()) for each in objects_of(pictures) if len(each.labels)), default=-1)
    return tuple(f"class_{number}" for number in range(last + 1))
