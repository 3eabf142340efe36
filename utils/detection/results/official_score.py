"""COCO's metrics on a file's own annotations; what repaired boxes would give is said, where it is another number."""

import logging
from collections.abc import Sequence
from functools import partial

from utils.detection.data.ground_truth import repaired
from utils.detection.results.class_match import ClassMatch
from utils.detection.results.coco_metrics import CocoResult, evaluate_coco, has_objects

logger = logging.getLogger(__name__)


def score_detections(
    ground_truth: dict,
    detections: list[dict],
    match: ClassMatch,
    image_ids: Sequence[int] | None = None,
    *,
    is_fast: bool = False,
) -> CocoResult:
    """Evaluates detections as COCO does, boxes that nobody can find included.

    Args:
        ground_truth: annotations of the split, see `what_counts`.
        detections: COCO's result format, with the ids of `match`.
        match: which categories count.
        image_ids: images to evaluate on; None takes all.
        is_fast: as of `evaluate_coco`.

    Raises:
        BadValueError: as `evaluate_coco`.
    """
    truth = {**ground_truth, "categories": ground_truth["categories"] or _categories_of(match)}
    evaluate = partial(evaluate_coco, category_ids=match.scored_ids, unscored_ids=match.unscored_ids, is_fast=is_fast)
    result = evaluate(truth, detections, image_ids)
    other = repaired({**truth, "annotations": _counted(truth, match, image_ids)})
    if other is None or not result.num_detections or not has_objects(other[0]):
        return result
    content, repairs = other
    value = float(evaluate(content, detections, image_ids).stats[0])
    if value != result.stats[0]:
        logger.info(
            "mAP counts the boxes as they are annotated; as training uses them (%s) it would be %.6f instead of %.6f",
            repairs,
            value,
            result.stats[0],
        )
    return result


def _categories_of(match: ClassMatch) -> list[dict]:
    """Returns the detector's classes as the categories of a file that lists none."""
    return [
        {"id": number, "name": name}
        for number, name in zip(match.classes.category_ids, match.classes.names, strict=True)
    ]


def _counted(truth: dict, match: ClassMatch, image_ids: Sequence[int] | None) -> list[dict]:
    categories, images = set(match.scored_ids), None if image_ids is None else set(image_ids)
    return [
        each
        for each in truth["annotations"]
        if each["category_id"] in categories and (images is None or each["image_id"] in images)
    ]
