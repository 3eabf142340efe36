"""What the network is told of its inputs, and its slots as the detections of an image."""

from collections.abc import Sequence

import numpy as np

from utils.detection.detections import Detections


def image_metas(
    images: np.ndarray, scales: Sequence[tuple[float, float]], sizes: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Tells the network what its inputs were.

    Args:
        images: float32[N, 3, H, W].
        scales: input pixels for one pixel of each original, vertically and horizontally; at most N.
        sizes: (height, width) of each original in pixels.

    Returns:
        float32[N, 4], height and width of the original and the scales; rows that nobody asks for say that the input is
        the original.
    """
    metas = np.tile(np.array([*images.shape[2:], 1, 1], np.float32), (len(images), 1))
    if sizes:
        metas[: len(sizes)] = np.concatenate([np.asarray(sizes), np.asarray(scales)], axis=1)
    return metas


def detections_of(*outputs: np.ndarray, **_place: object) -> Detections:
    """Leaves the empty slots out, whose score is 0; a `Select`, whose places the network has looked at itself."""
    boxes, scores, labels = outputs
    is_found = scores > 0
    return Detections(boxes[is_found], scores[is_found], labels[is_found])
