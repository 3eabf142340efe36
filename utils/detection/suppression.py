"""From scores and boxes of every anchor to the detections of an image, on the host."""

import itertools
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np

from utils.detection.detections import Detections


@dataclass(frozen=True)
class SelectionRule:
    """Which candidates become detections.

    Attributes:
        min_score: candidates at or below this score are dropped.
        nms_threshold: of two boxes of one class with a higher IoU the weaker is dropped.
        nms_pre: best pairs of anchor and class that are kept on each level before suppression.
        max_boxes: detections kept in an image.
        anchors_per_level: how many anchors each level of the pyramid has.
    """

    min_score: float
    nms_threshold: float
    nms_pre: int
    max_boxes: int
    anchors_per_level: tuple[int, ...]


def select_detections(
    boxes: np.ndarray, scores: np.ndarray, rule: SelectionRule, *, scales: tuple[float, float], height: int, width: int
) -> Detections:
    """Selects the detections of one image, as MMDetection v3 does. Boxes wholly outside the image are dropped.

    Args:
        boxes: float32[A, 4], xyxy pixels of the network's input.
        scores: float32[A, C], sigmoid scores.
        rule: thresholds and limits.
        scales: input pixels for one pixel of the original image, vertically and horizontally.
        height: of the original image, pixels; boxes are clipped to it.
        width: of the original image, pixels.
    """
    found = find_candidates(boxes, scores, rule, scales=scales, height=height, width=width)
    kept = suppress(found.boxes, found.scores, found.labels, rule.nms_threshold)[: rule.max_boxes]
    return found.rows(kept)


def find_candidates(
    boxes: np.ndarray, scores: np.ndarray, rule: SelectionRule, *, scales: tuple[float, float], height: int, width: int
) -> Detections:
    """Returns what enters suppression, level by level; arguments as `select_detections` has them."""
    anchor, label = _candidates(scores, rule)
    score = scores[anchor, label]
    original = boxes[anchor] / np.asarray([scales[1], scales[0]] * 2, np.float32)
    original = np.clip(original, 0, np.asarray([width, height, width, height], np.float32))
    has_area = np.all(original[:, 2:] > original[:, :2], axis=1)
    return Detections(original[has_area], score[has_area], label[has_area].astype(np.int32))


def _candidates(scores: np.ndarray, rule: SelectionRule) -> tuple[np.ndarray, np.ndarray]:
    """Returns anchor and class index, int64[D] each, of each level's best pairs with a score above the threshold."""
    flat, num_classes = scores.ravel(), scores.shape[1]
    borders = np.cumsum((0, *rule.anchors_per_level)) * num_classes
    chosen = [
        first + best_above(flat[first:last], rule.min_score, rule.nms_pre)
        for first, last in itertools.pairwise(borders)
    ]
    return np.divmod(np.concatenate(chosen), num_classes)


def suppress(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, nms_threshold: float) -> np.ndarray:
    """Runs greedy non-maximum suppression within each class.

    Args:
        boxes: float32[D, 4], xyxy pixels.
        scores: float32[D].
        labels: int[D].
        nms_threshold: highest IoU that two kept boxes of one class may have.

    Returns:
        int64[K], indices of what is kept, best score first.
    """
    if len(boxes) == 0:
        return np.zeros(0, np.int64)
    boxes_xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(np.float64)
    kept = np.asarray(
        # OpenCV takes arrays, its annotations say lists.
        cv2.dnn.NMSBoxesBatched(boxes_xywh, cast(Any, scores), cast(Any, labels.astype(np.int32)), -1.0, nms_threshold),
        np.int64,
    )
    return kept[np.argsort(-scores[kept], kind="stable")]


def best_above(values: np.ndarray, threshold: float, limit: int) -> np.ndarray:
    """Returns the indices of the `limit` highest values above a threshold, highest first, equal ones in their order."""
    above = values[values > threshold]
    if len(above) > limit:  # the lowest value that may be kept, before any index is made: there can be millions
        candidates = np.flatnonzero(values >= np.partition(above, len(above) - limit)[len(above) - limit])
    else:
        candidates = np.flatnonzero(values > threshold)
    return candidates[np.argsort(-values[candidates], kind="stable")][:limit]
