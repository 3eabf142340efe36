"""COCO's detection metrics: counting.py counts, this file checks what goes in and prints what comes out."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils.detection.boxes import as_boxes, xyxy_to_xywh
from utils.detection.data.coco_file import read_ground_truth
from utils.detection.results.counting import Counts, count
from utils.detection.results.detection_limit import warn_of_limit
from utils.detection.results.pictures.operating_point import OperatingPoint
from utils.model_utils.errors import MAX_EXAMPLES, BadValueError
from utils.words import agreed, counted

# (title, abbreviation, IoU, area, maximum of detections per image) of the twelve numbers, in their order.
STAT_ROWS = (
    ("Average Precision", "AP", "0.50:0.95", "all", 100),
    ("Average Precision", "AP", "0.50", "all", 100),
    ("Average Precision", "AP", "0.75", "all", 100),
    ("Average Precision", "AP", "0.50:0.95", "small", 100),
    ("Average Precision", "AP", "0.50:0.95", "medium", 100),
    ("Average Precision", "AP", "0.50:0.95", "large", 100),
    ("Average Recall", "AR", "0.50:0.95", "all", 1),
    ("Average Recall", "AR", "0.50:0.95", "all", 10),
    ("Average Recall", "AR", "0.50:0.95", "all", 100),
    ("Average Recall", "AR", "0.50:0.95", "small", 100),
    ("Average Recall", "AR", "0.50:0.95", "medium", 100),
    ("Average Recall", "AR", "0.50:0.95", "large", 100),
)
STAT_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
UNDEFINED = -1.0  # what COCO writes where there is no ground truth to find
RULE_WIDTH = 40  # of the line of = signs on the page

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassResult:
    """Precision on one class.

    Attributes:
        name: class name.
        average_precision: mean over IoU 0.50:0.95, None without ground truth.
        average_precision_50: at IoU 0.50, None without ground truth.
        num_ground_truth: boxes of the class that are not crowds.
    """

    name: str
    average_precision: float | None
    average_precision_50: float | None
    num_ground_truth: int


@dataclass(frozen=True, eq=False)
class CocoResult:
    """What an evaluation found.

    Attributes:
        stats: float64[12], COCO's numbers in the order of `names`; -1 where there is no ground truth of that size.
        names: AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl.
        per_class: one entry per category, in the order of their ids.
        num_images: images evaluated.
        num_detections: detections on those images.
        operating_point: score of the best F1; None where no detection is right.
    """

    stats: np.ndarray
    names: tuple[str, ...]
    per_class: tuple[ClassResult, ...]
    num_images: int
    num_detections: int
    operating_point: OperatingPoint | None = None


def as_values(result: CocoResult) -> dict[str, object]:
    """Returns a result as values of JSON and an array: what worker 0 tells the others."""
    return asdict(result)


def result_of(values: Mapping[str, Any]) -> CocoResult:
    """Returns the result of `as_values`."""
    point = values["operating_point"]
    return CocoResult(
        **{
            **values,
            "names": tuple(values["names"]),
            "per_class": tuple(ClassResult(**row) for row in values["per_class"]),
            "operating_point": None if point is None else OperatingPoint(**point),
        }
    )


def detections_to_coco(
    image_id: int, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, category_ids: Sequence[int]
) -> list[dict]:
    """Returns the detections of one image in COCO's result format.

    Args:
        image_id: the annotation file's id of the image.
        boxes: float32[N, 4], xyxy, pixels of the original image.
        scores: float32[N], in [0, 1].
        labels: int[N], class index from 0.
        category_ids: the annotation file's own id of each class index.
    """
    boxes_xywh = xyxy_to_xywh(as_boxes(boxes)).astype(np.float64)
    categories = np.asarray(category_ids)[np.asarray(labels, np.int64)].tolist()
    columns = (boxes_xywh.tolist(), np.asarray(scores, np.float64).tolist(), categories)
    return [
        {"image_id": int(image_id), "category_id": category, "bbox": box, "score": score}
        for box, score, category in zip(*columns, strict=True)
    ]


def evaluate_coco(
    ground_truth: dict | Path | str,
    detections: list[dict],
    image_ids: Sequence[int] | None = None,
    *,
    category_ids: Sequence[int] | None = None,
    unscored_ids: Sequence[int] = (),
    is_fast: bool = False,
) -> CocoResult:
    """Evaluates detections as COCO does, crowds included.

    Args:
        ground_truth: an annotation file, or its content (`to_coco_ground_truth`).
        detections: COCO's result format, `detections_to_coco`; boxes xywh. May be empty: every AP is 0 then.
        image_ids: images to evaluate on; None takes all of the ground truth.
        category_ids: categories to evaluate on; None takes all of the ground truth.
        unscored_ids: category ids of detections that are left out.
        is_fast: count with faster-coco-eval where it is installed; else, and for what is reported, with pycocotools.

    Raises:
        MissingPathError: there is no such annotation file.
        BadValueError: the ground truth cannot be read or has no images, or detections name images or categories that it
            does not have.
    """
    is_file = isinstance(ground_truth, str | Path)
    name = f"'{ground_truth}'" if is_file else "the ground truth"
    content = _complete(ground_truth if isinstance(ground_truth, dict) else read_ground_truth(Path(ground_truth)))
    known_ids = {image["id"] for image in content["images"]}
    selected = sorted(known_ids if image_ids is None else set(image_ids))
    unscored = set(unscored_ids)
    detections = [detection for detection in detections if detection["category_id"] not in unscored]
    _check_images(selected, detections, known_ids, name)
    _check_detections(detections, content, name)
    chosen = set(selected)
    detections = [detection for detection in detections if detection["image_id"] in chosen]
    images = counted(len(selected), "image")
    if not has_objects(content, category_ids, chosen):
        logger.warning("%s has no boxes to find on the %s, so AP is not defined (-1)", name, images)
    elif not detections:
        logger.warning("there are no detections on the %s of %s, so every AP is 0", images, name)
    warn_of_limit(content["annotations"], selected, category_ids or [each["id"] for each in content["categories"]])
    counts = count(content, detections, selected, category_ids, is_fast=is_fast)
    return CocoResult(
        stats=counts.stats,
        names=STAT_NAMES,
        per_class=_per_class(counts, content, chosen),
        num_images=len(selected),
        num_detections=len(detections),
        operating_point=counts.operating_point,
    )


def has_objects(
    content: dict, category_ids: Sequence[int] | None = None, image_ids: Collection[int] | None = None
) -> bool:
    """Returns whether a ground truth has a box to find, without which AP is not defined.

    Args:
        content: of an annotation file.
        category_ids: categories that count; None for all.
        image_ids: images that count; None for all.
    """
    return any(
        not annotation.get("iscrowd", 0)
        and (category_ids is None or annotation["category_id"] in category_ids)
        and (image_ids is None or annotation["image_id"] in image_ids)
        for annotation in content["annotations"]
    )


def format_result_block(result: CocoResult) -> str:
    """Returns the twelve lines as COCO's own tool prints them, without a line end at the end."""
    return "\n".join(
        f" {title:<18} ({short}) @[ IoU={iou:<9} | area={area:>6s} | maxDets={limit:>3d} ] = {value:0.3f}"
        for (title, short, iou, area, limit), value in zip(STAT_ROWS, result.stats, strict=True)
    )


def format_nas_fpn_result(result: CocoResult) -> str:
    """Returns what nas_fpn's eval.log shows: the block, a rule and the mAP in full precision."""
    return f"\n{format_result_block(result)}\n\n{'=' * RULE_WIDTH}\n\n{format_map_line(result)}"


def format_map_line(result: CocoResult) -> str:
    """Returns the closing line, `mAP: 0.4170593194142041`."""
    return f"mAP: {float(result.stats[0])}"


def format_per_class_table(result: CocoResult) -> str:
    """Returns AP, AP50 and the number of ground truths of each class as aligned columns, and their means.

    Classes without ground truth show "-" and are left out of the means.
    """
    rows: list[tuple[str, ...]] = [
        (
            row.name,
            _format_share(row.average_precision),
            _format_share(row.average_precision_50),
            str(row.num_ground_truth),
        )
        for row in result.per_class
    ]
    means = [_format_share(None if value == UNDEFINED else value) for value in result.stats[:2]]
    rows.append(("mean", *means, str(sum(row.num_ground_truth for row in result.per_class))))
    table = [("class", "AP", "AP50", "boxes"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    lines = [
        "  ".join([f"{row[0]:<{widths[0]}}", *(f"{row[column]:>{widths[column]}}" for column in range(1, 4))])
        for row in table
    ]
    lines.insert(len(lines) - 1, "-" * len(lines[0]))
    return "\n".join([*lines, f"{counted(result.num_images, 'image')}, {counted(result.num_detections, 'detection')}"])


def _complete(content: dict) -> dict:
    """Returns a copy that pycocotools reads safely.

    Annotations are numbered from 1, because pycocotools takes a match with id 0 for no match; a missing `iscrowd` is 0
    and a missing `area` that of the box.
    """
    annotations = []
    for index, annotation in enumerate(content["annotations"], start=1):
        width, height = annotation["bbox"][2:]
        annotations.append({"iscrowd": 0, "area": width * height, **annotation, "id": index})
    return {**content, "annotations": annotations}


def _check_images(selected: list[int], detections: list[dict], known_ids: set[int], name: str) -> None:
    """Refuses image ids that the ground truth does not have, with examples of both sides."""
    if not selected:
        raise BadValueError(f"{name} has no images to evaluate on; check the annotation file and the split")
    unknown = [image_id for image_id in selected if image_id not in known_ids]
    if unknown:
        raise BadValueError(
            f"image id {unknown[0]} is not in {name}, whose ids are like {_examples(known_ids)}; "
            "evaluate with the annotation file of this split"
        )
    detected = {detection["image_id"] for detection in detections}
    strange = detected - known_ids
    if strange:
        raise BadValueError(
            f"{len(strange)} of {len(detected)} image ids of the detections are not in {name}: detections have "
            f"{_examples(strange)}, the ground truth {_examples(known_ids)}; "
            "evaluate with the annotation file of this split"
        )
    if detected and not detected & set(selected):
        logger.warning(
            "no detection is on any of the %s evaluated: detections have image ids like %s, evaluated are %s",
            counted(len(selected), "image"),
            _examples(detected),
            _examples(selected),
        )


def _check_detections(detections: list[dict], content: dict, name: str) -> None:
    """Refuses category ids that the ground truth does not have, and numbers that are not finite."""
    known = {category["id"] for category in content["categories"]}
    strange = {detection["category_id"] for detection in detections} - known
    if strange:
        raise BadValueError(
            f"detections have category ids {_examples(strange)} that {name} does not have, its ids are "
            f"{_examples(known)}; the results must carry the file's own category ids"
        )
    values = np.array([[*each.get("bbox", ()), each["score"]] for each in detections], np.float64)
    broken = np.flatnonzero(~np.isfinite(values).all(axis=-1)) if len(detections) else np.zeros(0, np.int64)
    if len(broken):
        have = agreed(len(broken), "has a box or score that is", "have boxes or scores that are")
        raise BadValueError(
            f"{len(broken)} of {counted(len(detections), 'detection')} {have} not finite, first on image "
            f"{detections[broken[0]]['image_id']}; the weights have probably diverged"
        )


def _per_class(counts: Counts, content: dict, image_ids: Collection[int]) -> tuple[ClassResult, ...]:
    """Reads each class's precision from the table of what was counted."""
    precision = counts.precision[:, :, :, 0, -1]  # all areas, 100 detections
    names = {category["id"]: str(category.get("name", category["id"])) for category in content["categories"]}
    boxes = dict.fromkeys(names, 0)
    for annotation in content["annotations"]:
        is_counted = annotation["image_id"] in image_ids and not annotation["iscrowd"]
        boxes[annotation["category_id"]] = boxes.get(annotation["category_id"], 0) + is_counted
    return tuple(
        ClassResult(names[category], _mean(precision[:, :, index]), _mean(precision[0, :, index]), boxes[category])
        for index, category in enumerate(counts.category_ids)
    )


def _mean(precision: np.ndarray) -> float | None:
    defined = precision[precision > UNDEFINED]
    return float(defined.mean()) if defined.size else None


def _format_share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _examples(values: Sequence[int] | set[int]) -> str:
    shown = sorted(values, key=str)[:MAX_EXAMPLES]
    return ", ".join(str(value) for value in shown) + (", ..." if len(values) > MAX_EXAMPLES else "")
