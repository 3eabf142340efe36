"""The regression code of boxes (Faster R-CNN, eq. 2), on the host and in the graph, and the loss of box deltas."""

import math
from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import nn, ops

# Widths and heights change by at most this factor, so that an untrained head cannot overflow exp (MMDetection's
# wh_ratio_clip).
MAX_LOG_SIZE_CHANGE = abs(math.log(16 / 1000))

# Stands in for a side of an empty slot, so that its targets, which nobody reads, are finite.
_SMALLEST_SIDE = 1e-6

_halve_second, _halve_third = ops.Split(1, 2), ops.Split(2, 2)  # ONNX export takes no axis counted from the end


def encode_boxes(
    boxes: np.ndarray, anchors: np.ndarray, means: Sequence[float] = (0.0,) * 4, stds: Sequence[float] = (1.0,) * 4
) -> np.ndarray:
    """Computes regression targets on the host.

    Args:
        boxes: float32[K, 4], xyxy pixels, with positive width and height.
        anchors: float32[K, 4], xyxy pixels, with positive width and height.
        means: taken off the four targets.
        stds: divide the four targets.

    Returns:
        float32[K, 4], (dx, dy, dw, dh).
    """
    sizes, anchor_sizes = boxes[:, 2:] - boxes[:, :2], anchors[:, 2:] - anchors[:, :2]
    shifts = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2 / anchor_sizes
    deltas = np.concatenate([shifts, np.log(sizes / anchor_sizes)], axis=1)
    return ((deltas - np.asarray(means)) / np.asarray(stds)).astype(np.float32)


def decode_boxes(deltas: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Applies regression deltas on the host; inverse of `encode_boxes` with its default means and factors.

    Args:
        deltas: float32[K, 4], (dx, dy, dw, dh).
        anchors: float32[K, 4], xyxy pixels.

    Returns:
        float32[K, 4], xyxy pixels, not clipped.
    """
    sizes = anchors[:, 2:] - anchors[:, :2]
    centers = (anchors[:, :2] + anchors[:, 2:]) / 2 + deltas[:, :2] * sizes
    half_sizes = np.exp(deltas[:, 2:]) * sizes / 2
    return np.concatenate([centers - half_sizes, centers + half_sizes], axis=1)


def halves(values: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
    """Takes the last axis of float32[K, n] or [N, K, n] apart, e.g. boxes into (x1, y1) and (x2, y2).

    MindSpore's slices with steps take 20 to 50 times as long on a CPU.
    """
    return _halve_second(values) if values.ndim == 2 else _halve_third(values)


class BoxCoder(nn.Cell):
    """Encodes and decodes boxes in the graph, with operators that repeat bit for bit on a CPU.

    Args:
        means: added to the deltas when they are decoded.
        stds: factors of the deltas when they are decoded.
    """

    def __init__(self, means: Sequence[float] = (0.0,) * 4, stds: Sequence[float] = (1.0,) * 4) -> None:
        super().__init__()
        self.means, self.stds = ms.Tensor(means, ms.float32), ms.Tensor(stds, ms.float32)

    def encode(self, boxes: ms.Tensor, references: ms.Tensor) -> ms.Tensor:
        """Computes regression targets; inverse of `decode`.

        Args:
            boxes: float32[..., 4], xyxy pixels.
            references: float32[..., 4], xyxy pixels: the proposals.

        Returns:
            float32[..., 4], (dx, dy, dw, dh); finite, but without meaning where a side is not positive.
        """
        low, high = halves(boxes)
        reference_low, reference_high = halves(references)
        sizes = ops.maximum(high - low, _SMALLEST_SIDE)
        reference_sizes = ops.maximum(reference_high - reference_low, _SMALLEST_SIDE)
        shifts = ops.mul(low + high - reference_low - reference_high, 0.5) / reference_sizes
        # ln(a / b), from the smaller to the larger of them: log1p repeats bit for bit on a CPU, log does not.
        change = sizes - reference_sizes
        log_sizes = ops.sign(change) * ops.log1p(ops.abs(change) / ops.minimum(sizes, reference_sizes))
        return (ops.concat((shifts, log_sizes), axis=-1) - self.means) / self.stds

    def decode(self, deltas: ms.Tensor, references: ms.Tensor) -> ms.Tensor:
        """Applies regression deltas.

        Args:
            deltas: float32[..., 4], (dx, dy, dw, dh) as a head emits them.
            references: float32[..., 4], xyxy pixels: anchors or proposals.

        Returns:
            float32[..., 4], xyxy pixels, not clipped to the image.
        """
        shifts, log_sizes = halves(deltas * self.stds + self.means)
        low, high = halves(references)
        sizes = high - low
        centers = low + ops.mul(sizes, 0.5) + shifts * sizes
        log_sizes = ops.minimum(ops.maximum(log_sizes, -MAX_LOG_SIZE_CHANGE), MAX_LOG_SIZE_CHANGE)
        half_sizes = ops.mul(ops.exp(log_sizes) * sizes, 0.5)
        return ops.concat((centers - half_sizes, centers + half_sizes), axis=-1)


def smooth_l1(difference: ms.Tensor, beta: float) -> ms.Tensor:
    """Computes the smooth L1 loss of each element (Fast R-CNN, eq. 3), quadratic below `beta`; `beta` 0 is L1."""
    magnitude = ops.abs(difference)
    if beta == 0:
        return magnitude
    inner = ops.minimum(magnitude, ops.full_like(magnitude, beta))  # a number in its place is laid out slowly on a CPU
    return ops.div(ops.mul(inner * inner, 0.5), beta) + (magnitude - inner)
