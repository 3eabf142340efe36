"""COCO annotation files: JSON to records. Boxes are xywh in the file and xyxy from here on."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.detection.boxes import xywh_to_xyxy
from utils.detection.data.coco_names import COCO_CLASSES
from utils.detection.data.record_types import (
    BoxTable,
    DetectionDataset,
    check_class_names,
    check_files_exist,
    drop_background,
    finish_dataset,
    make_records,
    near_names,
)
from utils.model_utils.errors import BadValueError, MissingPathError

SECTIONS = ("images", "annotations", "categories")

logger = logging.getLogger(__name__)


def load_coco(
    annotation_file: Path | str,
    image_dir: Path | str,
    class_names: Sequence[str] | None = None,
) -> DetectionDataset:
    """Loads one split of a data set in COCO's format.

    Args:
        annotation_file: `instances_*.json`.
        image_dir: folder that the file names in it are relative to.
        class_names: names to use, in the order of the class indices; annotations of other categories are left out.
            None takes all categories in the order of their ids.

    Raises:
        MissingPathError: the file, the folder or images are missing.
        BadValueError: the content is not what the format asks for; file and entry are named.
    """
    source, image_dir = Path(annotation_file), Path(image_dir)
    content = read_coco_json(source)
    images, image_ids, sizes = _read_images(content["images"], source)
    names, category_ids = _select_categories(content["categories"], class_names, source)
    table = _read_annotations(content, image_ids, category_ids, source)
    check_files_exist(image_dir, [image["file_name"] for image in images], source)
    paths = [image_dir / image["file_name"] for image in images]
    records, repairs = make_records(image_ids, paths, sizes, table)
    return finish_dataset(DetectionDataset(records, names, category_ids, source, image_dir, repairs), allow_empty=False)


def read_coco_json(source: Path) -> dict:
    """Reads an annotation file and checks its outline.

    Returns:
        The JSON object; "images", "annotations" and "categories" are lists of objects.

    Raises:
        MissingPathError: no such file, or it cannot be read.
        BadValueError: broken JSON, or another outline.
    """
    try:
        content = json.loads(source.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingPathError(f"annotation file '{source}' does not exist; check the data set path") from error
    except OSError as error:
        raise MissingPathError(
            f"annotation file '{source}' cannot be read ({error.strerror}); check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise BadValueError(
            f"annotation file '{source}' is not UTF-8 text ({error.reason}); save it as UTF-8 JSON"
        ) from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadValueError(f"annotation file '{source}' is not valid JSON ({error}); repair the file") from error
    if not isinstance(content, dict):
        raise BadValueError(
            f"annotation file '{source}' holds a {type(content).__name__}, wanted an object with {SECTIONS}"
        )
    for section in SECTIONS:
        _check_section(content, section, source)
    return content


def read_ground_truth(source: Path) -> dict:
    """Reads an annotation file and checks what an evaluation needs of it.

    Raises:
        MissingPathError: no such file, or it cannot be read.
        BadValueError: the content is not what the format asks for; file and entry are named.
    """
    content = read_coco_json(source)
    _read_images(content["images"], source)
    _select_categories(content["categories"], None, source)
    _check_annotations(content["annotations"], source)
    return content


def _check_section(content: dict, section: str, source: Path) -> None:
    if section not in content:
        raise BadValueError(
            f"annotation file '{source}' has no '{section}', only {sorted(content)[:8]}; "
            "is it an instances_*.json file?"
        )
    entries = content[section]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadValueError(f"'{section}' in '{source}' must be a list of objects, got something else; repair the file")


def _read_images(images: list[dict], source: Path) -> tuple[list[dict], list[int], np.ndarray]:
    """Checks the images and returns them with their ids and int64[I, 2] (height, width)."""
    for image in images:
        name = f"image {image.get('id', image.get('file_name', '?'))!r} in '{source}'"
        for key in ("id", "height", "width"):
            _require_integer(image, key, name)
        if not isinstance(image.get("file_name"), str) or not image["file_name"]:
            raise BadValueError(f"{name} has no 'file_name' (got {image.get('file_name')!r}); each image needs one")
        if image["height"] < 1 or image["width"] < 1:
            raise BadValueError(
                f"{name} has height {image['height']} and width {image['width']}; both must be at least 1"
            )
    image_ids = [image["id"] for image in images]
    repeated = _first_repeated(image_ids)
    if repeated is not None:
        raise BadValueError(f"image id {repeated} occurs more than once in '{source}'; each image needs its own id")
    sizes = np.array([(image["height"], image["width"]) for image in images], np.int64).reshape(-1, 2)
    return images, image_ids, sizes


def _select_categories(
    categories: list[dict], class_names: Sequence[str] | None, source: Path
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Returns the names and ids of the classes in the order of their indices."""
    for category in categories:
        _require_integer(category, "id", f"category {category.get('name', '?')!r} in '{source}'")
        if not isinstance(category.get("name"), str):
            raise BadValueError(f"category {category['id']} in '{source}' has no 'name' (got {category.get('name')!r})")
    repeated = _first_repeated([category["id"] for category in categories])
    if repeated is not None:
        raise BadValueError(
            f"category id {repeated} occurs more than once in '{source}'; each category needs its own id"
        )
    by_name = {
        category["name"]: category["id"] for category in sorted(categories, key=lambda category: -category["id"])
    }
    if class_names is None:
        names = tuple(category["name"] for category in sorted(categories, key=lambda category: category["id"]))
    else:
        names = tuple(class_names) if "background" in by_name else drop_background(class_names)
    check_class_names(names, source)
    check_class_names([category["name"] for category in categories if category["name"] in set(names)] or names, source)
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise BadValueError(_unknown_names_sentence(unknown, names, list(by_name)[::-1], source))
    return names, tuple(by_name[name] for name in names)


def _unknown_names_sentence(unknown: list[str], names: tuple[str, ...], known: list[str], source: Path) -> str:
    if set(names) == set(COCO_CLASSES):
        shown = ", ".join(repr(name) for name in known[:10]) + (" ..." if len(known) > 10 else "")
        return (
            f"coco_classes are COCO's 80 names but '{source}' has {len(known)} categories ({shown}); "
            "list the data set's own instead"
        )
    return f"class name '{unknown[0]}' is not a category of '{source}'; {near_names(unknown[0], known)}"


def _read_annotations(content: dict, image_ids: list[int], category_ids: tuple[int, ...], source: Path) -> BoxTable:
    """Reads all boxes into columns; those of categories that were not selected are left out."""
    annotations = content["annotations"]
    _check_annotations(annotations, source)
    image_index = _positions([each["image_id"] for each in annotations], image_ids)
    known_categories = [category["id"] for category in content["categories"]]
    is_known = _positions([each["category_id"] for each in annotations], known_categories) >= 0
    _refuse_unknown(annotations, image_index >= 0, "image_id", "image", source)
    _refuse_unknown(annotations, is_known, "category_id", "category", source)
    labels = _positions([each["category_id"] for each in annotations], category_ids)
    selected = np.flatnonzero(labels >= 0)
    if len(selected) < len(annotations):
        logger.info(
            "%s: %d boxes of classes that are not asked for are left out", source, len(annotations) - len(selected)
        )
    boxes_xywh = np.array([each["bbox"] for each in annotations], np.float64).reshape(-1, 4)
    is_crowd = np.array([bool(each.get("iscrowd", 0)) for each in annotations], bool)
    return BoxTable(
        image_index=image_index[selected],
        boxes=xywh_to_xyxy(boxes_xywh)[selected],
        labels=labels[selected].astype(np.int32),
        is_crowd=is_crowd[selected],
        names=[f"annotation {annotations[index].get('id', index)}" for index in selected],
    )


def _check_annotations(annotations: list[dict], source: Path) -> None:
    for index, annotation in enumerate(annotations):
        box = annotation.get("bbox")
        is_box = isinstance(box, list) and len(box) == 4 and all(type(value) in (int, float) for value in box)
        if is_box and type(annotation.get("image_id")) is int and type(annotation.get("category_id")) is int:
            continue
        name = f"annotation {annotation.get('id', f'number {index + 1}')} in '{source}'"
        if not is_box:
            raise BadValueError(
                f"{name} has bbox {_short(box)}, wanted four numbers [left, top, width, height]; repair the file"
            )
        for key in ("image_id", "category_id"):
            _require_integer(annotation, key, name)


def _refuse_unknown(annotations: list[dict], is_known: np.ndarray, key: str, what: str, source: Path) -> None:
    unknown = np.flatnonzero(~is_known)
    if len(unknown):
        first = annotations[unknown[0]]
        raise BadValueError(
            f"annotation {first.get('id', unknown[0])} in '{source}' has {key} {first[key]}, but the file has no "
            f"such {what} ({len(unknown)} annotations like it); add the {what} or remove the annotations"
        )


def _positions(values: Sequence[int], known: Sequence[int]) -> np.ndarray:
    """Returns where each value stands in `known`, int64[N], -1 where it does not."""
    position = {value: index for index, value in enumerate(known)}
    return np.array([position.get(value, -1) for value in values], np.int64)


def _first_repeated(values: Sequence[int]) -> int | None:
    seen: set[int] = set()
    return next((value for value in values if value in seen or seen.add(value)), None)


def _require_integer(entry: dict, key: str, name: str) -> None:
    if type(entry.get(key)) is not int:
        raise BadValueError(f"{name} has {key} {_short(entry.get(key))}, wanted a whole number; repair the file")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
