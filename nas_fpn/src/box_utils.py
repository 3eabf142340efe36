"""Anchors of RetinaNet and the regression code of boxes. Boxes are xyxy in pixels of the network's input, float32."""

import math

import mindspore as ms
import numpy as np
from mindspore import ops

from .nasfpn import INPUT_LEVELS

# Widths and heights change by at most this factor, so that an untrained head cannot overflow exp (MMDetection's
# wh_ratio_clip).
MAX_LOG_SIZE_CHANGE = abs(math.log(16 / 1000))


def level_sizes(image_height: int, image_width: int) -> tuple[tuple[int, int], ...]:
    """Returns (rows, columns) of P3 to P7 for an input whose height and width are multiples of 128."""
    return tuple((image_height // 2**level, image_width // 2**level) for level in INPUT_LEVELS)


def cell_anchors(stride: int, base_scale: float, scales_per_octave: int, ratios: tuple[float, ...]) -> np.ndarray:
    """Makes the anchors of one cell, centred on the origin (Lin et al. 2017, section 4).

    Args:
        stride: pixels between cells; the smallest square anchor has the side `base_scale * stride`.
        base_scale: 4 in the paper.
        scales_per_octave: sizes between one power of two and the next; 3 in the paper.
        ratios: height over width.

    Returns:
        float32[len(ratios) * scales_per_octave, 4], xyxy, ratio by ratio, sizes growing within each.
    """
    sizes = stride * base_scale * 2.0 ** (np.arange(scales_per_octave) / scales_per_octave)
    roots = np.sqrt(np.asarray(ratios, np.float64))
    widths = (sizes[None, :] / roots[:, None]).ravel()
    heights = (sizes[None, :] * roots[:, None]).ravel()
    return np.stack([-widths / 2, -heights / 2, widths / 2, heights / 2], axis=1).astype(np.float32)


def make_anchors(
    image_height: int,
    image_width: int,
    base_scale: float = 4.0,
    scales_per_octave: int = 3,
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0),
) -> np.ndarray:
    """Makes all anchors of an input; cell (row, column) of a level with stride s is centred at (column * s, row * s).

    The centre is the cell's first pixel corner, MMDetection v3's `center_offset=0`; the paper's own code adds half a
    stride, which moves anchors and targets alike.

    Returns:
        float32[A, 4], xyxy pixels; levels P3 to P7, then rows, columns and the anchors of `cell_anchors`.
    """
    anchors = []
    for level, (rows, columns) in zip(INPUT_LEVELS, level_sizes(image_height, image_width), strict=True):
        stride = 2**level
        shift_x, shift_y = np.meshgrid(np.arange(columns) * stride, np.arange(rows) * stride)
        shifts = np.stack([shift_x, shift_y, shift_x, shift_y], axis=-1).astype(np.float32)  # [rows, columns, 4]
        cell = cell_anchors(stride, base_scale, scales_per_octave, ratios)
        anchors.append((shifts[:, :, None] + cell).reshape(-1, 4))
    return np.concatenate(anchors)


def anchors_per_level(image_height: int, image_width: int, anchors_per_cell: int) -> tuple[int, ...]:
    """Returns how many anchors P3 to P7 have."""
    return tuple(rows * columns * anchors_per_cell for rows, columns in level_sizes(image_height, image_width))


def encode_boxes(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Computes regression targets (Faster R-CNN, eq. 2; means 0, deviations 1). Inverse of `decode_boxes`.

    Args:
        boxes: float32[A, 4], xyxy pixels, with positive width and height.
        anchors: float32[A, 4], xyxy pixels.

    Returns:
        float32[A, 4], (dx, dy, dw, dh).
    """
    sizes, anchor_sizes = boxes[:, 2:] - boxes[:, :2], anchors[:, 2:] - anchors[:, :2]
    shifts = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2 / anchor_sizes
    return np.concatenate([shifts, np.log(sizes / anchor_sizes)], axis=1).astype(np.float32)


def decode_boxes(deltas: ms.Tensor, anchors: ms.Tensor) -> ms.Tensor:
    """Applies regression deltas to anchors (Faster R-CNN, eq. 2, inverted).

    Args:
        deltas: float32[..., A, 4], (dx, dy, dw, dh) as the head emits them.
        anchors: float32[A, 4], xyxy pixels.

    Returns:
        float32[..., A, 4], xyxy pixels, not clipped to the image.
    """
    anchor_sizes = anchors[:, 2:] - anchors[:, :2]
    centers = anchors[:, :2] + anchor_sizes * 0.5 + deltas[..., :2] * anchor_sizes
    log_sizes = ops.clamp(deltas[..., 2:], -MAX_LOG_SIZE_CHANGE, MAX_LOG_SIZE_CHANGE)
    half_sizes = ops.exp(log_sizes) * anchor_sizes * 0.5
    return ops.concat((centers - half_sizes, centers + half_sizes), axis=-1)
