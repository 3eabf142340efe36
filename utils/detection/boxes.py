"""Arithmetic on boxes: xyxy, absolute pixels, float32, no +1. Every function is vectorised over boxes."""

import numpy as np


def as_boxes(boxes: np.ndarray | list) -> np.ndarray:
    """Returns `boxes` as float32[N, 4]; an empty input of any shape becomes float32[0, 4]."""
    return np.asarray(boxes, np.float32).reshape(-1, 4)


def xywh_to_xyxy(boxes_xywh: np.ndarray) -> np.ndarray:
    """Converts COCO's (left, top, width, height), float[N, 4] pixels, to (x1, y1, x2, y2) of the same dtype."""
    return np.concatenate([boxes_xywh[..., :2], boxes_xywh[..., :2] + boxes_xywh[..., 2:]], axis=-1)


def xyxy_to_xywh(boxes: np.ndarray) -> np.ndarray:
    """Converts (x1, y1, x2, y2) to COCO's (left, top, width, height). Inverse of `xywh_to_xyxy`."""
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def clip_boxes(boxes: np.ndarray, height: float | np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """Moves corners of float[N, 4] that lie outside an image to its border.

    Height and width are numbers, or [N] for boxes of several images; a box wholly outside gets zero width or height.
    """
    limit = np.stack([width, height, width, height], axis=-1).astype(boxes.dtype)
    return np.clip(boxes, 0, limit)


def box_area(boxes: np.ndarray) -> np.ndarray:
    """Returns width times height, float[N], pixels squared; 0 for a box with a negative side."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def box_centers(boxes: np.ndarray) -> np.ndarray:
    """Returns the centres (x, y) of boxes float[N, 4], as float[N, 2]."""
    return (boxes[..., :2] + boxes[..., 2:]) * 0.5


def pairwise_intersection(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the areas shared by each pair of boxes float[N, 4] and float[M, 4], as float[N, M], pixels squared."""
    # Side by side, not as one [N, M, 2] array: several times faster for the many anchors of a detector.
    width = np.minimum(boxes[:, 2:3], others[:, 2]) - np.maximum(boxes[:, 0:1], others[:, 0])
    height = np.minimum(boxes[:, 3:4], others[:, 3]) - np.maximum(boxes[:, 1:2], others[:, 1])
    return np.maximum(width, 0) * np.maximum(height, 0)


def pairwise_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns intersection over union of each pair of boxes float[N, 4] and float[M, 4], as float[N, M].

    It is 0 where both have no area.
    """
    shared = pairwise_intersection(boxes, others)
    union = box_area(boxes)[:, None] + box_area(others) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def mirror_boxes(boxes: np.ndarray, width: float) -> np.ndarray:
    """Mirrors boxes float[N, 4] of an image so wide left to right; they stay in their order."""
    mirrored = boxes.copy()
    mirrored[:, 0::2] = width - boxes[:, 2::-2]  # x1, x2 -> W - x2, W - x1
    return mirrored
