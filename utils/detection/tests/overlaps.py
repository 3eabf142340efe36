"""How much boxes overlap, for tests that ask where boxes have come to lie."""

import numpy as np

from utils.detection.boxes import box_area, pairwise_intersection


def pairwise_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each pair of boxes with area, float[N, M]."""
    shared = pairwise_intersection(boxes, others)
    return shared / (box_area(boxes)[:, None] + box_area(others) - shared)


def pairwise_ioa(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The share of each of `boxes`, which have area, that each of `others` covers, float[N, M]."""
    return pairwise_intersection(boxes, others) / box_area(boxes)[:, None]
