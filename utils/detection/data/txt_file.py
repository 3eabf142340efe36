"""The documented TXT data set: one image per line, `path x1,y1,x2,y2,class,is_crowd ...`, separated by spaces."""

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from utils.detection.annotations.box_forms import check_corners_form
from utils.detection.annotations.val_share import Side
from utils.detection.data.ground_truth import corner_rows, with_annotation_rows
from utils.detection.data.record_types import (
    SKIP_ADVICE,
    BoxTable,
    DetectionDataset,
    check_class_names,
    check_files_exist,
    drop_background,
    finish_dataset,
    make_records,
)
from utils.images import IMAGE_SUFFIXES, read_bytes, read_header
from utils.model_utils.errors import MAX_EXAMPLES, SHOWN_LETTERS, BadValueError, MissingPathError
from utils.model_utils.guards.numbers import number_of

FIELDS = "xmin,ymin,xmax,ymax,class,is_crowd"
NUM_FIELDS = 6
FormCheck: TypeAlias = Callable[[np.ndarray, np.ndarray, Path], None]


@dataclass(frozen=True)
class TxtLine:
    """One line, taken apart.

    Attributes:
        number: line number in the file, from 1.
        file_name: relative path of the image, spaces included.
        boxes: one tuple per box, (x1, y1, x2, y2, class from 1, is_crowd).
    """

    number: int
    file_name: str
    boxes: tuple[tuple[float, ...], ...]


LineReader: TypeAlias = Callable[[Path, int], list[TxtLine]]


def read_lines(source: Path, num_classes: int) -> list[TxtLine]:
    """Takes all lines apart.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: a line that is not of this form, or an image that is listed twice.
    """
    lines = [parse_line(text, number, source, num_classes) for number, text in numbered_lines(source)]
    _refuse_repeated(lines, source)
    return lines


def load_txt(
    list_file: Path | str,
    image_dir: Path | str,
    class_names: Sequence[str | int],
    *,
    allow_empty: bool = False,
    skip_bad_images: bool | None = False,
    side: Side | None = None,
    read: LineReader = read_lines,
    check_form: FormCheck = check_corners_form,
) -> DetectionDataset:
    """Loads one split of a data set in the documented TXT format.

    Args:
        list_file: UTF-8 text; empty lines and Windows line ends are fine, paths may hold spaces, and a line without
            boxes is an image of background.
        image_dir: folder that the paths in it are relative to. Image sizes are read from the files' headers.
        class_names: names of the classes; ids in the file count from 1 into them.
        allow_empty: a split without any box is fine (evaluation), not an error (training).
        skip_bad_images: image files may be missing or unreadable; None where there is no key of this name to advise.
        side: which images of the file to take; None for all.
        read: takes the file apart; another reader may leave out what this one refuses.
        check_form: refuses boxes that are no corners in pixels.

    Returns:
        Records with image ids that count the images of the file from 1, and category ids equal to its class ids.

    Raises:
        MissingPathError: the file, the folder or images are missing.
        BadValueError: a line that is not of this form; file and line are named.
    """
    source, image_dir = Path(list_file), Path(image_dir)
    listed = drop_background(class_names)
    ids = [entry for entry in listed if isinstance(entry, int)]
    if ids:
        raise BadValueError(
            f"coco_classes has the category id {ids[0]}, but '{source}' counts classes from 1 into coco_classes and "
            f"has no other ids: list names (a name of digits in quotes, '{ids[0]}')"
        )
    names = tuple(map(str, listed))
    check_class_names(names, source)
    lines = read(source, len(names))
    image_ids = np.arange(1, len(lines) + 1)
    if side is not None:
        image_ids = image_ids[side.choose([line.file_name for line in lines], source)]
        lines = [lines[image_id - 1] for image_id in image_ids]
    check_files_exist(image_dir, [line.file_name for line in lines], source, skip_bad_images)
    paths = [image_dir / line.file_name for line in lines]
    table = _box_table(lines)
    sizes = _read_sizes(paths, lines, source, skip_bad_images=skip_bad_images)
    check_form(table.boxes, sizes[table.image_index], source)
    records, repairs = make_records(image_ids.tolist(), paths, sizes, table)
    rows = corner_rows(table.boxes, table.labels, table.is_crowd, image_ids[table.image_index])
    records = with_annotation_rows(records, rows)
    category_ids = tuple(range(1, len(names) + 1))
    return finish_dataset(DetectionDataset(records, names, category_ids, source, image_dir, repairs), allow_empty)


def parse_line(text: str, number: int, source: Path, num_classes: int) -> TxtLine:
    """Takes one line apart. Boxes are taken from the right, so what is left over is the path, spaces included.

    Raises:
        BadValueError: missing fields, text where a number belongs, a class id out of range, or no path.
    """
    place = f"'{source}' line {number}"
    path, boxes = text.strip(), []
    while match := re.search(r"(?:^|\s+)(\S+)$", path):
        token = match.group(1)
        if "," not in token or token.lower().endswith(IMAGE_SUFFIXES):
            break
        boxes.append(_parse_box(token, place, num_classes))
        path = path[: match.start()]
    if not path:
        raise BadValueError(f"{place} has boxes but no image path; wanted 'path {FIELDS} ...'")
    if boxes == [] and not path.lower().endswith(IMAGE_SUFFIXES) and " " in path:
        raise BadValueError(f"{place} is '{path[:60]}', wanted an image path and boxes of the form {FIELDS}")
    return TxtLine(number, path, tuple(reversed(boxes)))


def _parse_box(token: str, place: str, num_classes: int) -> tuple[float, ...]:
    fields = token.split(",")
    token = token if len(token) <= SHOWN_LETTERS else f"{token[: SHOWN_LETTERS - 3]}..."
    if len(fields) != NUM_FIELDS:
        raise BadValueError(f"{place}: box '{token}' has {len(fields)} fields, wanted {NUM_FIELDS}: {FIELDS}")
    try:
        values = tuple(number_of(field) for field in fields)
    except ValueError as error:
        raise BadValueError(f"{place}: box '{token}' holds text where a number belongs; wanted {FIELDS}") from error
    class_id, is_crowd = values[4:]
    if class_id == 0:
        raise BadValueError(
            f"{place}: box '{token}' has class 0, but class ids count from 1 into coco_classes; add 1 to each id"
        )
    if class_id not in range(1, num_classes + 1):
        raise BadValueError(
            f"{place}: box '{token}' has class {fields[4][:SHOWN_LETTERS]}, wanted a whole number from 1 to "
            f"{num_classes} (coco_classes has {num_classes} names)"
        )
    if is_crowd not in (0, 1):
        raise BadValueError(f"{place}: box '{token}' has is_crowd {fields[5][:SHOWN_LETTERS]}, wanted 0 or 1")
    return values


def numbered_lines(source: Path) -> list[tuple[int, str]]:
    """Returns the lines that are not empty with their numbers, from 1."""
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingPathError(f"annotation list '{source}' does not exist; check anno_path") from error
    except OSError as error:
        raise MissingPathError(
            f"annotation list '{source}' cannot be read ({error.strerror}); check anno_path"
        ) from error
    except UnicodeDecodeError as error:
        raise BadValueError(
            f"annotation list '{source}' is not UTF-8 text ({error.reason}); save it as UTF-8"
        ) from error
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _refuse_repeated(lines: Sequence[TxtLine], source: Path) -> None:
    first_seen: dict[str, int] = {}
    for line in lines:
        first = first_seen.setdefault(os.path.normpath(line.file_name), line.number)
        if first != line.number:
            raise BadValueError(
                f"'{source}' lists image '{line.file_name}' in line {first} and again in line {line.number}; "
                "put all boxes of an image on one line"
            )


def _read_sizes(
    paths: Sequence[Path], lines: Sequence[TxtLine], source: Path, *, skip_bad_images: bool | None
) -> np.ndarray:
    """Returns int64[I, 2], (height, width) from the headers of the files, as they are to be viewed.

    The size of an image that is skipped later is one that holds its boxes.
    """
    sizes, problems = [], []
    for path, line in zip(paths, lines, strict=True):
        try:
            header = read_header(read_bytes(path), str(path))
            sizes.append((header.height, header.width))
        except (BadValueError, MissingPathError) as error:
            problems.append(str(error))
            sizes.append(_extent(line.boxes))
    if problems and not skip_bad_images:
        more = f" ({len(problems)} images like it)" if len(problems) > 1 else ""
        advice = f": repair them{SKIP_ADVICE}" if skip_bad_images is False else ""
        raise BadValueError(f"'{source}' cannot be loaded: {'; '.join(problems[:MAX_EXAMPLES])}{more}{advice}")
    return np.array(sizes, np.int64).reshape(-1, 2)


def _extent(boxes: Sequence[tuple[float, ...]]) -> tuple[int, int]:
    """Returns the smallest (height, width) of at least 1 that holds the corners of all boxes."""
    corners = np.array([box[:4] for box in boxes], np.float64).reshape(-1, 2)
    width, height = np.where(np.isfinite(corners), corners, 0).max(axis=0, initial=1)
    return math.ceil(height), math.ceil(width)


def _box_table(lines: Sequence[TxtLine]) -> BoxTable:
    counts = [len(line.boxes) for line in lines]
    values = np.array([box for line in lines for box in line.boxes], np.float64).reshape(-1, NUM_FIELDS)
    return BoxTable(
        image_index=np.repeat(np.arange(len(lines)), counts),
        boxes=values[:, :4],
        labels=(values[:, 4] - 1).astype(np.int32),
        is_crowd=values[:, 5] == 1,
        names=[f"line {line.number} box {index + 1}" for line in lines for index in range(len(line.boxes))],
    )
