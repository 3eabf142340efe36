"""The images and annotations of a COCO file in a plain form: whole numbers, finite boxes, an area, 0 or 1 for crowds.

One rule holds for training and evaluation. What the format leaves open may be absent or null; what can only be meant in
one way (640.0 for 640, true for 1) is taken; a box that cannot be one is dropped and counted; anything else is refused.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from utils.detection.annotations.repairs import BoxRepairs, warn_once
from utils.model_utils.errors import MAX_EXAMPLES, BadValueError, short
from utils.words import agreed, counted

SMALLEST_ID, LARGEST_ID = -(2**63), 2**63 - 1  # MindRecord and NumPy keep ids as 64-bit integers
LARGEST_SIDE = 2**20  # pixels; OpenCV reads no picture with a longer side
NUMBERS = {int, float}  # true and false are no numbers


class EntryError(BadValueError):
    """An annotation that cannot be used.

    Args:
        field: the field that is at fault.
        sentence: as of every error.
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def plain_images(images: list[dict], source: Path) -> list[dict]:
    """Returns the images with whole ids, heights and widths; one that is listed twice in the same way stands once.

    Raises:
        BadValueError: an id, a side or a file name that cannot be used, or one id for different images.
    """
    plain: dict[int, dict] = {}
    repeated = []
    for image in images:
        entry = image if _is_plain(image) else _plain_image(image, source)
        first = plain.setdefault(entry["id"], entry)
        if first is entry:
            continue
        if any(first[key] != entry[key] for key in ("file_name", "height", "width")):
            raise BadValueError(
                f"image id {entry['id']} occurs more than once in '{source}', for {_described(first)} and for "
                f"{_described(entry)}; each image needs its own id"
            )
        repeated.append(entry["id"])
    if repeated:
        warn_once(
            f"{source}: {counted(len(repeated), 'image')} {agreed(len(repeated), 'is', 'are')} listed more than once, "
            f"with the same file and size (first: image {repeated[0]}); each is taken once"
        )
    return list(plain.values())


@dataclass(frozen=True, eq=False)
class AnnotationColumns:
    """All annotations of a file as columns.

    Attributes:
        boxes_xywh: float64[N, 4], pixels, finite, with sides that are not negative.
        areas: float64[N], pixels squared.
        is_crowd: bool[N].
        image_index: int64[N], position of the image in the list of images.
        category_index: int64[N], position of the category in the list of categories.
        dropped: annotations that have no place here, as their boxes cannot be ones.
    """

    boxes_xywh: np.ndarray
    areas: np.ndarray
    is_crowd: np.ndarray
    image_index: np.ndarray
    category_index: np.ndarray
    dropped: BoxRepairs

    def of_images(self, is_chosen: np.ndarray) -> "AnnotationColumns":
        """Returns the annotations of some images, bool[I], as if the file had no others."""
        is_kept, new_index = is_chosen[self.image_index], np.cumsum(is_chosen) - 1
        return AnnotationColumns(
            boxes_xywh=self.boxes_xywh[is_kept],
            areas=self.areas[is_kept],
            is_crowd=self.is_crowd[is_kept],
            image_index=new_index[self.image_index[is_kept]],
            category_index=self.category_index[is_kept],
            dropped=self.dropped,
        )


def plain_annotations(
    annotations: list[dict], image_ids: Sequence[int], category_ids: Sequence[int], source: Path
) -> tuple[list[dict], AnnotationColumns]:
    """Puts annotations into the plain form, in place, and drops those whose boxes cannot be ones.

    Dropped are boxes with coordinates that are not finite, and with negative sides. Boxes without area and outside
    their image stay.

    Returns:
        The annotations that are left: "image_id" and "category_id" are known ids, "bbox" four finite numbers, "area"
        one that is not negative, "iscrowd" 0 or 1; and the same as columns. Dropped ones count as `not_finite` and
        `empty`.

    Raises:
        EntryError: a field that cannot be used, or an id that the file does not have.
    """
    boxes = _plain_boxes(annotations, source)
    image_index = _refer(annotations, "image_id", "image", image_ids, source)
    category_index = _refer(annotations, "category_id", "category", category_ids, source)
    with np.errstate(over="ignore", invalid="ignore"):
        corners, areas = boxes[:, :2] + boxes[:, 2:], boxes[:, 2] * boxes[:, 3]
    is_finite = np.isfinite(boxes).all(axis=1) & np.isfinite(corners).all(axis=1) & np.isfinite(areas)
    is_negative = is_finite & (boxes[:, 2:] < 0).any(axis=1)
    is_dropped = ~is_finite | is_negative
    dropped = BoxRepairs(
        empty=int(is_negative.sum()),
        not_finite=int((~is_finite).sum()),
        examples=tuple(_name(annotations, index) for index in np.flatnonzero(is_dropped)[:MAX_EXAMPLES]),
    )
    if dropped.dropped:
        annotations = [annotations[index] for index in np.flatnonzero(~is_dropped)]
    columns = AnnotationColumns(
        boxes_xywh=boxes[~is_dropped],
        areas=_fill_areas(annotations, areas[~is_dropped], source),
        is_crowd=_fill_crowds(annotations, source),
        image_index=image_index[~is_dropped],
        category_index=category_index[~is_dropped],
        dropped=dropped,
    )
    return annotations, columns


def require_id(entry: dict, name: str) -> int:
    """Returns the id of an entry; `name` is what it is called in the error.

    Raises:
        BadValueError: it is no whole number, or more than 64 bits long.
    """
    number = _require_whole(entry, "id", name)
    if not SMALLEST_ID <= number <= LARGEST_ID:
        raise BadValueError(f"{name} has an id that 64 bits do not hold; number the entries anew")
    return number


def annotation_name(annotation: dict, index: int) -> str:
    """Returns what an annotation is called in messages: by its id, else by its place in the file, from 0."""
    identity = annotation.get("id")
    return f"annotation number {index + 1}" if identity is None else f"annotation {short(identity)}"


def _is_plain(image: dict) -> bool:
    """Returns whether an image needs no second look; of COCO's 118,287 none does."""
    image_id, height, width, file_name = (image.get(key) for key in ("id", "height", "width", "file_name"))
    return (
        type(image_id) is type(height) is type(width) is int
        and SMALLEST_ID <= image_id <= LARGEST_ID
        and 1 <= height <= LARGEST_SIDE
        and 1 <= width <= LARGEST_SIDE
        and type(file_name) is str
        and file_name != ""
    )


def _plain_image(image: dict, source: Path) -> dict:
    name = f"image {short(image.get('id', image.get('file_name', '?')))} in '{source}'"
    image_id = require_id(image, name)
    height, width = (_require_whole(image, key, name) for key in ("height", "width"))
    if not isinstance(image.get("file_name"), str) or not image["file_name"]:
        raise BadValueError(f"{name} has no 'file_name' (got {short(image.get('file_name'))}); each image needs one")
    if min(height, width) < 1 or max(height, width) > LARGEST_SIDE:
        limit = "at least 1" if min(height, width) < 1 else f"at most {LARGEST_SIDE}"
        raise BadValueError(f"{name} has height {short(height)} and width {short(width)}; both must be {limit}")
    return {**image, "id": image_id, "height": height, "width": width}


def _described(image: dict) -> str:
    return f"'{image['file_name']}' of {image['height']} x {image['width']}"


def _plain_boxes(annotations: list[dict], source: Path) -> np.ndarray:
    """Returns the boxes, float64[N, 4] xywh; numbers that float64 does not hold are infinite."""
    boxes: list[Any] = [annotation.get("bbox") for annotation in annotations]
    if not {*map(type, boxes)} <= {list} or not {*map(len, boxes)} <= {4}:
        _refuse_box(annotations, boxes, source)
    if not {*map(type, chain.from_iterable(boxes))} <= NUMBERS:
        _refuse_box(annotations, boxes, source)
    try:
        values = np.fromiter(chain.from_iterable(boxes), np.float64, 4 * len(boxes))
    except OverflowError:
        values = np.array([_as_float(value) for value in chain.from_iterable(boxes)], np.float64)
    return values.reshape(-1, 4)


def _refuse_box(annotations: list[dict], boxes: list, source: Path) -> None:
    def is_box(box: object) -> bool:
        return isinstance(box, list) and len(box) == 4 and {*map(type, box)} <= NUMBERS

    index = next(index for index, box in enumerate(boxes) if not is_box(box))
    raise EntryError(
        "bbox",
        f"{_name(annotations, index)} in '{source}' has bbox {short(boxes[index])}, wanted four numbers [left, top, "
        "width, height]; repair the file",
    )


def _refer(annotations: list[dict], key: str, what: str, known: Sequence[int], source: Path) -> np.ndarray:
    """Makes whole numbers of the ids that annotations refer to, and refuses those that the file does not have.

    Returns:
        int64[N], where each of them stands in `known`.
    """
    ids: list[Any] = [annotation.get(key) for annotation in annotations]
    if not {*map(type, ids)} <= {int}:
        for index, annotation in enumerate(annotations):
            annotation[key] = _require_whole(annotation, key, f"{_name(annotations, index)} in '{source}'")
        ids = [annotation[key] for annotation in annotations]
    position = {entry_id: index for index, entry_id in enumerate(known)}
    positions = np.array([position.get(each, -1) for each in ids], np.int64)
    unknown = np.flatnonzero(positions < 0)
    if len(unknown):
        raise EntryError(
            key,
            f"{_name(annotations, unknown[0])} in '{source}' has {key} {short(ids[unknown[0]])}, but the file has no "
            f"such {what} ({counted(len(unknown), 'annotation')} like it); add the {what} or remove the annotations",
        )
    return positions


def _fill_areas(annotations: list[dict], box_areas: np.ndarray, source: Path) -> np.ndarray:
    """Gives annotations without an area that of their box, refuses those with one that is no area; returns all."""
    values: list[Any] = [annotation.get("area") for annotation in annotations]
    if {*map(type, values)} <= NUMBERS:
        areas = _as_floats(values)
        if (np.isfinite(areas) & (areas >= 0)).all():
            return areas
    for index, value in enumerate(values):
        if value is not None and (type(value) not in NUMBERS or not 0 <= _as_float(value) < math.inf):
            raise EntryError(
                "area",
                f"{_name(annotations, index)} in '{source}' has area {short(value)}, wanted a number of pixels that is "
                "not negative, or none, which stands for width x height of its box; repair the file",
            )
        annotations[index]["area"] = float(box_areas[index] if value is None else value)
    return np.array([annotation["area"] for annotation in annotations], np.float64)


def _fill_crowds(annotations: list[dict], source: Path) -> np.ndarray:
    """Makes 0 or 1 of every "iscrowd", and returns all."""
    values = [annotation.get("iscrowd") for annotation in annotations]
    if {*map(type, values)} <= {int} and {*values} <= {0, 1}:
        return np.array(values, bool)
    for index, value in enumerate(values):
        if value is not None and value not in (0, 1):
            raise EntryError(
                "iscrowd",
                f"{_name(annotations, index)} in '{source}' has iscrowd {short(value)}, wanted 0 or 1, or none, which "
                "stands for 0; repair the file",
            )
        annotations[index]["iscrowd"] = int(value or 0)
    return np.array([annotation["iscrowd"] for annotation in annotations], bool)


def _name(annotations: Sequence[dict], index: int) -> str:
    return annotation_name(annotations[index], index)


def _require_whole(entry: dict, key: str, name: str) -> int:
    value = entry.get(key)
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise EntryError(key, f"{name} has {key} {short(value)}, wanted a whole number; repair the file")
    return value


def _as_floats(values: list[float]) -> np.ndarray:
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([_as_float(value) for value in values], np.float64)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
