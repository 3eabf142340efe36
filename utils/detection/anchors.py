"""Anchors of a feature pyramid (Ren et al. 2015, section 3.1.1; Lin et al. 2017). NumPy alone."""

from collections.abc import Sequence

import numpy as np


def level_sizes(height: int, width: int, strides: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Returns (rows, columns) of each pyramid level; the last of a row and column may hang over the input's end."""
    return tuple((-(-height // stride), -(-width // stride)) for stride in strides)


def octave_scales(base_scale: float, scales_per_octave: int) -> tuple[float, ...]:
    """Returns scales for `cell_anchors`, evenly spaced within a factor of 2 (RetinaNet, section 4).

    Args:
        base_scale: the smallest; 4 in the paper.
        scales_per_octave: how many; 3 in the paper.
    """
    return tuple(base_scale * 2.0 ** (np.arange(scales_per_octave) / scales_per_octave))


def cell_anchors(stride: int, scales: Sequence[float], ratios: Sequence[float]) -> np.ndarray:
    """Makes the anchors of one cell, centred on the origin.

    Args:
        stride: pixels between cells; a square anchor of scale s has the side `s * stride`.
        scales: sizes in strides; (8,) in MMDetection's Faster R-CNN.
        ratios: height over width.

    Returns:
        float32[len(ratios) * len(scales), 4], xyxy pixels, ratio by ratio, the scales within each.
    """
    sides = stride * np.asarray(scales, np.float64)
    roots = np.sqrt(np.asarray(ratios, np.float64))
    widths = (sides[None, :] / roots[:, None]).ravel()
    heights = (sides[None, :] * roots[:, None]).ravel()
    return np.stack([-widths, -heights, widths, heights], axis=1).astype(np.float32) / 2


def make_anchors(
    height: int, width: int, strides: Sequence[int], scales: Sequence[float], ratios: Sequence[float]
) -> np.ndarray:
    """Makes all anchors of an input; cell (row, column) of a level with stride s is centred at (column * s, row * s).

    The centre is the cell's first pixel corner, MMDetection v3's `center_offset=0`; RetinaNet's own code adds half a
    stride, which moves anchors and targets alike.

    Returns:
        float32[A, 4], xyxy pixels, reaching over the input's borders; levels, then rows, columns and the anchors of
        `cell_anchors`.
    """
    anchors = []
    for stride, (rows, columns) in zip(strides, level_sizes(height, width, strides), strict=True):
        shift_x, shift_y = np.meshgrid(np.arange(columns) * stride, np.arange(rows) * stride)
        shifts = np.stack([shift_x, shift_y, shift_x, shift_y], axis=-1).astype(np.float32)  # [rows, columns, 4]
        anchors.append((shifts[:, :, None] + cell_anchors(stride, scales, ratios)).reshape(-1, 4))
    return np.concatenate(anchors)


def anchors_per_level(height: int, width: int, strides: Sequence[int], anchors_per_cell: int) -> tuple[int, ...]:
    """Returns how many anchors each pyramid level has."""
    return tuple(rows * columns * anchors_per_cell for rows, columns in level_sizes(height, width, strides))
