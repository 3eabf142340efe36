"""The mirror images of what the network is shown."""

from collections.abc import Sequence

import numpy as np

from utils.detection.network_detector import SecondView
from utils.detection.test_time.selection import SuppressionRule


def second_view(rule: SuppressionRule) -> SecondView | None:
    """Returns what makes the mirror images that a rule wants to be looked at too, if it does."""
    return mirror_content if rule.merge else None


def mirror_content(
    images: np.ndarray, scales: Sequence[tuple[float, float]], sizes: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Mirrors pictures left to right within their inputs: each lies where it lay, its padding too.

    Args:
        images: float32[N, 3, H, W], pictures at the left border, padded on their right.
        scales: input pixels for one pixel of each original, vertically and horizontally; at most N.
        sizes: (height, width) of each original in pixels.

    Returns:
        float32[N, 3, H, W]; rows after the last scale as they were.
    """
    mirrored = images.copy()
    for row, ((_, scale), (_, original_width)) in enumerate(zip(scales, sizes, strict=True)):
        width = round(scale * original_width)  # of the content: the scale is its ratio to the original, see inputs.py
        mirrored[row, :, :, :width] = images[row, :, :, :width][..., ::-1]
    return mirrored
