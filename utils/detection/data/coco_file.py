"""COCO annotation files: JSON to records. Boxes are xywh in the file and xyxy from here on."""

import logging
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from utils.detection.annotations.coco_content import of_side, read_coco_content
from utils.detection.annotations.coco_names import COCO_CLASSES
from utils.detection.annotations.entries import AnnotationColumns, annotation_name
from utils.detection.annotations.repairs import warn_once
from utils.detection.annotations.val_share import Side
from utils.detection.boxes import xywh_to_xyxy
from utils.detection.data.ground_truth import annotation_rows, with_annotation_rows
from utils.detection.data.record_types import (
    BoxTable,
    DetectionDataset,
    check_class_names,
    check_files_exist,
    drop_background,
    finish_dataset,
    make_records,
    names_of_ids,
    near_names,
)
from utils.model_utils.errors import BadValueError, short
from utils.words import agreed, counted

ContentReader: TypeAlias = Callable[..., tuple[dict, AnnotationColumns]]  # as `read_coco_content` is called

logger = logging.getLogger(__name__)


def load_coco(
    annotation_file: Path | str,
    image_dir: Path | str,
    class_names: Sequence[str | int] | None = None,
    *,
    for_training: bool = True,
    skip_bad_images: bool = False,
    side: Side | None = None,
    read: ContentReader = read_coco_content,
) -> DetectionDataset:
    """Loads one split of a data set in COCO's format.

    Args:
        annotation_file: `instances_*.json`.
        image_dir: folder that the file names in it are relative to.
        class_names: names or category ids to use, in the order of the class indices; annotations of other categories
            are left out. None takes all categories in the order of their ids, but for a root without boxes.
        for_training: refuse a split in which nothing can be learned. For an evaluation the boxes may be missing, and
            the file may lack some of the classes, or list none at all, as COCO's image_info files do.
        skip_bad_images: image files may be missing.
        side: which images of the file to take; None for all.
        read: reads the file; another reader may leave out what this one refuses.

    Raises:
        MissingPathError: the file, the folder or images are missing.
        BadValueError: the content is not what the format asks for; file and entry are named.
    """
    source, image_dir = Path(annotation_file), Path(image_dir)
    content, columns = of_side(*read(source, for_training=for_training), side, source)
    images = content["images"]
    names, category_ids = _select_categories(content["categories"], class_names, source, may_lack=not for_training)
    image_ids = [image["id"] for image in images]
    sizes = np.array([(image["height"], image["width"]) for image in images], np.int64).reshape(-1, 2)
    file_names = [_plain_name(image_dir, image["file_name"]) for image in images]
    check_files_exist(image_dir, file_names, source, skip_bad_images)
    paths = [image_dir / name for name in file_names]
    labels = _positions([category["id"] for category in content["categories"]], category_ids)[columns.category_index]
    records, repairs = make_records(image_ids, paths, sizes, _box_table(content, columns, labels, source))
    records = with_annotation_rows(records, annotation_rows(columns, labels, np.array(image_ids, np.int64)))
    dataset = DetectionDataset(records, names, category_ids, source, image_dir, columns.dropped.plus(repairs))
    return finish_dataset(dataset, allow_empty=not for_training)


def read_ground_truth(source: Path, side: Side | None = None) -> dict:
    """Reads an annotation file to evaluate with.

    Args:
        source: the file.
        side: which of its images to take, with their annotations; None for all.

    Returns:
        What `read_coco_content` describes; a file without annotations, as those of test images, has an empty list.

    Raises:
        MissingPathError: no such file, or it cannot be read.
        BadValueError: the content is not what the format asks for; file and entry are named.
    """
    content, columns = of_side(*read_coco_content(source, for_training=False), side, source)
    dropped = columns.dropped
    if dropped.dropped:
        warn_once(
            f"{source}: {counted(dropped.dropped, 'box')} {agreed(dropped.dropped, 'is', 'are')} left out, "
            f"{dropped.empty} with a negative width or height and {dropped.not_finite} not finite; first: "
            f"{', '.join(dropped.examples)}"
        )
    return content


def _plain_name(image_dir: Path, file_name: str) -> str:
    """Returns a file name as this system writes it, with slashes where it has the backslashes of Windows."""
    is_foreign = "\\" in file_name and not os.path.lexists(os.path.join(image_dir, file_name))
    return file_name.replace("\\", "/") if is_foreign else file_name


def _select_categories(
    categories: list[dict], wanted: Sequence[str | int] | None, source: Path, *, may_lack: bool
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Returns the names and ids of the classes in the order of their indices.

    Args:
        categories: as `read_coco_content` gives them.
        wanted: names and ids, None for all but a root.
        source: the file, for messages.
        may_lack: whether some of `wanted`, or all of a file without categories, may be missing.
    """
    if may_lack and not categories:
        return (), ()
    categories = sorted(categories, key=lambda category: category["id"])
    if wanted is None:
        _refuse_twins(categories, {category["twin_of"] for category in categories if "twin_of" in category}, source)
        for root in (category for category in categories if "is_root" in category):
            logger.info(
                "%s: category 0, %r, has no box and is background or the group of the others: it is left out; list it "
                "in coco_classes to keep it",
                source,
                root["name"],
            )
        names = tuple(category["name"] for category in categories if "is_root" not in category)
    else:
        _refuse_twins(categories, set(wanted).difference(category["name"] for category in categories), source)
        known = [category["name"] for category in categories]
        asked = names_of_ids(wanted, known, [category["id"] for category in categories])
        names = asked if "background" in known else drop_background(asked)
    check_class_names(names, source)
    id_of = {category["name"]: category["id"] for category in categories}
    unknown = [name for name in names if name not in id_of]
    if may_lack and len(unknown) < len(names):
        names, unknown = tuple(name for name in names if name in id_of), []
    if unknown:
        raise BadValueError(_unknown_names_sentence(unknown, names, list(id_of), source))
    return names, tuple(id_of[name] for name in names)


def _refuse_twins(categories: list[dict], asked: Collection[str | int], source: Path) -> None:
    """Refuses names that several categories share."""
    twins = [category for category in categories if category.get("twin_of") in asked]
    if twins:
        name = twins[0]["twin_of"]
        ids = [str(category["id"]) for category in twins if category["twin_of"] == name]
        all_ids = [str(category["id"]) for category in categories if "is_root" not in category]
        more = ", ..." if len(all_ids) > 10 else ""
        raise BadValueError(
            f"class name {short(name)} occurs more than once in '{source}', as the categories {', '.join(ids)}: list "
            f"ids in coco_classes to say which are meant, such as [{', '.join(all_ids[:10])}{more}]"
        )


def _unknown_names_sentence(
    unknown: list[str | int], names: tuple[str | int, ...], known: list[str], source: Path
) -> str:
    if set(names) == set(COCO_CLASSES):
        return (
            f"coco_classes are COCO's 80 names but '{source}' has {counted(len(known), 'category')} "
            f"({_listed(known)}); list the data set's own instead"
        )
    if type(unknown[0]) is int:
        return (
            f"category id {unknown[0]} of coco_classes is not in '{source}', whose categories are {_listed(known)}: "
            "list names, whose ids may differ from split to split; categories that share a name need their own first"
        )
    return f"class name '{unknown[0]}' is not a category of '{source}'; {near_names(str(unknown[0]), known)}"


def _box_table(content: dict, columns: AnnotationColumns, labels: np.ndarray, source: Path) -> BoxTable:
    """Returns the boxes with their class indices, int64[N]; those of categories that were not selected, -1, go."""
    selected = np.flatnonzero(labels >= 0)
    if len(selected) < len(labels):
        others = len(labels) - len(selected)
        are = agreed(others, "is", "are")
        logger.info("%s: %s of classes that are not asked for %s left out", source, counted(others, "box"), are)
    return BoxTable(
        image_index=columns.image_index[selected],
        boxes=xywh_to_xyxy(columns.boxes_xywh)[selected],
        labels=labels[selected].astype(np.int32),
        is_crowd=columns.is_crowd[selected],
        names=[annotation_name(content["annotations"][index], index) for index in selected],
    )


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:10]) + (" ..." if len(names) > 10 else "")


def _positions(values: Sequence[int], known: Sequence[int]) -> np.ndarray:
    """Returns where each value stands in `known`, int64[N], -1 where it does not."""
    position = {value: index for index, value in enumerate(known)}
    return np.array([position.get(value, -1) for value in values], np.int64)
