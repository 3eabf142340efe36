"""Averages the boxes of a picture and of its mirror image, as Weighted Boxes Fusion does for two models.

Solovyev, Wang, Gabruseva: Weighted boxes fusion, Image and Vision Computing 107, 2021, section 3. There a box joins the
cluster that it overlaps most. Here both sides have passed a suppression, so that a cluster is at most one box of each
side: those that overlap each other more than any other box.
"""

import numpy as np

from utils.detection.boxes import pairwise_iou
from utils.detection.detections import Detections


def fuse(first: Detections, second: Detections, iou_threshold: float, *, across_classes: bool = False) -> Detections:
    """Averages what was found twice and halves the score of what was found once.

    Args:
        first: boxes that have passed a suppression.
        second: others, in the same picture's pixels.
        iou_threshold: two boxes with a higher IoU are of one object.
        across_classes: also where their classes differ; the object has that of the higher score.

    Returns:
        A pair as one box, its corners the mean of both, weighted by their scores, its score their mean. Best first.
    """
    overlap = pairwise_iou(first.boxes.astype(np.float64), second.boxes.astype(np.float64))
    if not across_classes:
        overlap = overlap * (first.labels[:, None] == second.labels)
    mine, theirs = _pairs(overlap, iou_threshold)
    one, other = first.rows(mine), second.rows(theirs)
    weight, other_weight = one.scores[:, None].astype(np.float64), other.scores[:, None].astype(np.float64)
    middle = (one.boxes * weight + other.boxes * other_weight) / (weight + other_weight)
    alone = first.rows(np.delete(np.arange(len(first.scores)), mine))
    other_alone = second.rows(np.delete(np.arange(len(second.scores)), theirs))
    boxes = np.concatenate([middle.astype(np.float32), alone.boxes, other_alone.boxes])
    scores = np.concatenate([one.scores + other.scores, alone.scores, other_alone.scores]) / np.float32(2)
    stronger = np.where(one.scores >= other.scores, one.labels, other.labels)
    labels = np.concatenate([stronger, alone.labels, other_alone.labels])
    return Detections(boxes, scores, labels).rows(np.argsort(-scores, kind="stable"))


def _pairs(overlap: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows and columns, int64[P] each, that are each other's highest overlap, where it is above a threshold."""
    if not overlap.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    best, best_of_column = overlap.argmax(axis=1), overlap.argmax(axis=0)
    rows = np.arange(len(overlap))
    is_pair = (best_of_column[best] == rows) & (overlap[rows, best] > threshold)
    return rows[is_pair], best[is_pair]
