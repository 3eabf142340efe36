"""A split that a detector is evaluated on: its images, what counts there, and whose class each category is."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from utils.detection.boxes import as_boxes, xywh_to_xyxy
from utils.detection.data.class_names import ClassTable, list_names
from utils.detection.evaluated.images import EvaluationImages, ReadableSplit
from utils.detection.results.class_match import ClassMatch, match_classes
from utils.detection.results.coco_metrics import CocoResult, has_objects
from utils.detection.results.official_score import score_detections
from utils.words import counted

BEST_METRIC = "mAP"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EvaluationSplit:
    """A split, opened and checked.

    Attributes:
        images: what is evaluated on.
        ground_truth: its annotations in COCO's form.
        match: its categories and the detector's classes.
        name: what it is called in messages; "" where nobody asks.
    """

    images: EvaluationImages
    ground_truth: dict
    match: ClassMatch
    name: str = ""

    @cached_property
    def has_objects(self) -> bool:
        """Whether there is a box to find; without one AP is not defined."""
        return has_objects(self.ground_truth, self.match.scored_ids)

    def file_names(self) -> dict[int, str]:
        """Returns the name of the file of each image, by id; the id where there is none."""
        return {image["id"]: str(image.get("file_name", image["id"])) for image in self.ground_truth["images"]}

    def true_boxes(self, image_ids: Collection[int]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Returns what is to be found in images: boxes float32[M, 4], xyxy, and class indices int64[M]; no crowds."""
        scored = set(self.match.scored_ids)
        index_of = {number: index for index, number in enumerate(self.match.classes.category_ids) if number in scored}
        rows: dict[int, list[dict]] = {number: [] for number in image_ids}
        for each in self.ground_truth["annotations"]:
            if each["image_id"] in rows and each["category_id"] in index_of and not each.get("iscrowd", 0):
                rows[each["image_id"]].append(each)
        return {
            number: (
                xywh_to_xyxy(as_boxes([each["bbox"] for each in found])),
                np.array([index_of[each["category_id"]] for each in found], np.int64),
            )
            for number, found in rows.items()
        }

    def score(self, detections: list[dict], *, is_fast: bool = False) -> CocoResult:
        """Evaluates detections, in COCO's result format with the ids of `match`; `is_fast`: see `evaluate_coco`."""
        return score_detections(self.ground_truth, detections, self.match, is_fast=is_fast)


def best_metric(split: EvaluationSplit | None) -> str:
    """Returns the metric that chooses the best checkpoint; "" where it is not defined, or nothing is evaluated."""
    return BEST_METRIC if split is not None and split.has_objects else ""


def prepare_evaluation(
    split: ReadableSplit, trained: ClassTable, *, model: str, ignore_unknown: bool = False
) -> EvaluationSplit:
    """Matches the classes of a split and reads its annotations, so that whatever does not fit is said at once.

    Args:
        split: the split.
        trained: classes of the detector.
        model: where they come from, for messages.
        ignore_unknown: leave classes of the split that the detector does not have out of the metric.

    Raises:
        MissingPathError: the annotation file is missing.
        BadValueError: the split has other classes than the detector, or its files do not belong together.
    """
    images, ground_truth = split.images, split.ground_truth
    _say_what_is_left_out(images, ground_truth, split.name)
    match = match_classes(
        trained,
        split.classes,
        model=model,
        source=split.name,
        ignore_unknown=ignore_unknown,
        taken_ids=[category["id"] for category in ground_truth["categories"]],
    )
    prepared = EvaluationSplit(images, ground_truth, match, split.name)
    if not prepared.has_objects:
        logger.warning(
            "%s has no boxes to find in its %s: AP is not defined there (-1) and cannot choose a best "
            "checkpoint; detections are counted",
            split.name,
            counted(images.num_images, "image"),
        )
    return prepared


def _say_what_is_left_out(images: EvaluationImages, ground_truth: dict, name: str) -> None:
    """Names the categories of the annotations that do not count."""
    left_out = [
        category["name"]
        for category in ground_truth["categories"]
        if category["id"] not in images.category_ids and not category.get("is_root")
    ]
    if left_out:
        logger.info("%s: classes that coco_classes does not list do not count: %s", name, list_names(left_out))
