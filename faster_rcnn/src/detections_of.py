"""From the slots that the network fills to the detections of an image."""

import numpy as np

from utils.detection.detections import Detections


def detections_of(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> Detections:
    """Leaves the empty slots out, whose score is 0.

    Args:
        boxes: float32[D, 4], xyxy pixels of the original image.
        scores: float32[D].
        labels: int32[D], class index from 0.
    """
    is_found = scores > 0
    return Detections(boxes[is_found], scores[is_found], labels[is_found])
