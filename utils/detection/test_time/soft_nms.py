"""Soft-NMS (Bodla et al., ICCV 2017, section 3): what overlaps a better box loses score instead of its place."""

import math

import numpy as np

from utils.detection.boxes import pairwise_iou


def soft_suppress(
    boxes: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    *,
    limit: int,
    min_score: float,
    iou_threshold: float | None = None,
    sigma: float = math.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """Takes the box of the highest score, lowers the scores of those that overlap it, and so on.

    All groups go through one loop, which has at most `limit` turns, as scores never rise: what is taken first is best.

    Args:
        boxes: float32[D, 4], xyxy pixels.
        scores: float32[D].
        groups: int[D]; a box lowers the scores of its own group alone.
        limit: most boxes that are taken.
        min_score: boxes whose lowered score is not above it are dropped.
        iou_threshold: linear: from this IoU on a score falls by the factor 1 - IoU. None for `sigma`.
        sigma: gaussian: every score falls by the factor exp(-IoU^2 / sigma).

    Returns:
        int64[K], indices of what is kept, best first, and float32[K], their lowered scores.
    """
    left = scores.astype(np.float64)
    coordinates = boxes.astype(np.float64)
    lowest = float(np.float32(min_score))  # as the scores are
    kept: list[int] = []
    lowered: list[float] = []
    for _ in range(min(limit, len(boxes))):
        best = int(left.argmax())
        if left[best] <= lowest:
            break
        kept.append(best)
        lowered.append(float(left[best]))
        overlap = pairwise_iou(coordinates[best : best + 1], coordinates)[0] * (groups == groups[best])
        if iou_threshold is None:
            left *= np.exp(-(overlap**2) / sigma)
        else:
            left *= np.where(overlap >= iou_threshold, 1.0 - overlap, 1.0)
        left[best] = -1.0  # is taken; no factor brings it above 0 again
    return np.asarray(kept, np.int64), np.asarray(lowered, np.float32)
