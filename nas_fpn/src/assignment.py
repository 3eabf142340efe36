"""Which anchor learns which object: RetinaNet's IoU assignment, in NumPy, in the loaders that prepare the pictures.

On the host only the boxes that an image has are compared, where a static graph would compare all padded slots of the
whole batch (16 images x 128 slots x 76,725 anchors are 628 MB for each intermediate), and the network's graph stays
small.
"""

from dataclasses import dataclass

import numpy as np

from utils.detection.box_coder import decode_boxes, encode_boxes
from utils.detection.boxes import box_area, pairwise_intersection

IGNORED = -1
SAME_BOX = 0.5  # pixels: the targets of two anchors give one box to a thousandth of that, float32's rounding


@dataclass(frozen=True)
class AssignmentRule:
    """The thresholds of the assignment.

    Attributes:
        num_classes: foreground classes; also the label of background.
        pos_iou: lowest IoU of an ordinary positive.
        neg_iou: IoU below which an anchor is background; equal to `pos_iou` for no band of ignored anchors.
        crowd_ignore_ioa: share of an anchor's area inside a crowd region from which on it is ignored.
    """

    num_classes: int
    pos_iou: float = 0.5
    neg_iou: float = 0.5
    crowd_ignore_ioa: float = 0.5


def assign_anchors(
    anchors: np.ndarray, boxes: np.ndarray, labels: np.ndarray, is_crowd: np.ndarray, rule: AssignmentRule
) -> tuple[np.ndarray, np.ndarray]:
    """Gives each anchor a class and a regression target (Lin et al. 2017, section 4; MMDetection MaxIoUAssigner).

    An anchor is positive for the box with which its IoU is highest if that IoU is at least `pos_iou`. The
    anchors with the highest IoU of a box are positive for that box whatever the value, as long as they touch it, so
    that every box is learned; of several boxes that claim one anchor the last gets it. Below `neg_iou` an anchor
    is background. In between, and where crowd regions cover `crowd_ignore_ioa` of an anchor that is not positive, it is
    ignored.

    Args:
        anchors: float32[A, 4], xyxy pixels.
        boxes: float32[G, 4], xyxy pixels with positive width and height; G may be 0.
        labels: int32[G], class index from 0.
        is_crowd: bool[G].
        rule: the thresholds.

    Returns:
        int32[A]: the class, `num_classes` for background, -1 for ignored; and
        float32[A, 4]: the deltas of `encode_boxes`, zero for anchors that are not positive.
    """
    classes = np.full(len(anchors), rule.num_classes, np.int32)
    deltas = np.zeros((len(anchors), 4), np.float32)
    if is_crowd.any():
        crowd_share = pairwise_intersection(boxes[is_crowd], anchors) / box_area(anchors)
        classes[crowd_share.max(axis=0) >= rule.crowd_ignore_ioa] = IGNORED
    boxes, labels = boxes[~is_crowd], labels[~is_crowd]
    if len(boxes) == 0:
        return classes, deltas

    matched, best_iou = _match(anchors, boxes, rule.pos_iou)
    positive = np.flatnonzero(matched >= 0)
    classes[best_iou >= rule.neg_iou] = IGNORED
    classes[positive] = labels[matched[positive]]
    deltas[positive] = encode_boxes(boxes[matched[positive]], anchors[positive])
    return classes, deltas


def assigned_boxes(
    anchors: np.ndarray, classes: np.ndarray, deltas: np.ndarray, rule: AssignmentRule
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the boxes that anchors are positive for, each once: what `assign_anchors` was given, but for crowds.

    Args:
        anchors: float32[A, 4], xyxy pixels.
        classes: int32[A], as `assign_anchors` returns them.
        deltas: float32[A, 4], likewise.
        rule: as it was given.

    Returns:
        float32[N, 4] boxes, xyxy pixels, and int32[N] labels.
    """
    positive = np.flatnonzero((classes != IGNORED) & (classes != rule.num_classes))
    boxes, labels = decode_boxes(deltas[positive], anchors[positive]), classes[positive]
    # Of thousands of anchors the same few roundings of a box remain, which can then be compared in pairs.
    _, first = np.unique(np.column_stack([labels, np.round(boxes, 1)]), axis=0, return_index=True)
    first.sort()
    boxes, labels = boxes[first], labels[first]
    is_same = (np.abs(boxes[:, None] - boxes) < SAME_BOX).all(axis=2) & (labels[:, None] == labels)
    is_first = ~np.tril(is_same, -1).any(axis=1)
    return boxes[is_first], labels[is_first]


def _match(anchors: np.ndarray, boxes: np.ndarray, pos_iou: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns int64[A], the box each anchor is positive for or -1, and float32[A], its highest IoU."""
    shared = pairwise_intersection(boxes, anchors)  # [G, A]
    iou = shared / (box_area(boxes)[:, None] + box_area(anchors) - shared)
    best_box = iou.argmax(axis=0)
    best_iou = np.take_along_axis(iou, best_box[None], axis=0)[0]
    matched = np.where(best_iou >= pos_iou, best_box, -1)
    best_of_box = iou.max(axis=1, keepdims=True)
    claiming_box, claimed_anchor = np.nonzero((iou == best_of_box) & (best_of_box > 0))
    matched[claimed_anchor] = claiming_box  # pairs come box by box: the last box wins
    return matched, best_iou
