"""Non-maximum suppression and the best of many scores, on the host."""

import cv2
import numpy as np


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
        cv2.dnn.NMSBoxesBatched(boxes_xywh, scores, labels.astype(np.int32), -1.0, nms_threshold), np.int64
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
