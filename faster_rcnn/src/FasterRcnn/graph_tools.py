"""What several cells of the graph need: constants that are made when it is compiled, boxes taken apart, slots emptied.

Here and in the cells that use it, operators are chosen for a CPU as well: of MindSpore 2.10's, slices with steps and
minima or maxima that broadcast take 20 to 50 times as long as splitting and broadcasting first, and `ops.arange` alone
adds 0.4 seconds to the compilation.
"""

import mindspore as ms
import numpy as np
from mindspore import ops
from mindspore.ops import constexpr

_halve_second, _halve_third = ops.Split(1, 2), ops.Split(2, 2)  # ONNX export takes no axis counted from the end


def _halve_last(values: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
    """Takes the last axis of a matrix or of a batch of matrices apart."""
    if values.ndim == 2:
        return _halve_second(values)
    return _halve_third(values)


@constexpr
def int_range(count: int) -> ms.Tensor:
    """Returns int32[count]: 0, 1, 2 and so on."""
    return ms.Tensor(np.arange(count), ms.int32)


@constexpr
def filled(shape: tuple[int, ...], value: float, dtype: ms.dtype) -> ms.Tensor:
    """Returns a tensor that is `value` everywhere."""
    return ms.Tensor(np.full(shape, value), dtype)


def corners(boxes: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
    """Takes float32[..., 4] apart: (x1, y1) and (x2, y2), or the shifts and the size changes of deltas."""
    return _halve_last(boxes)


def box_area(boxes: ms.Tensor) -> ms.Tensor:
    """Boxes float32[N, K, 4] -> float32[N, K], pixels squared."""
    low, high = _halve_last(boxes)
    width, height = _halve_last(high - low)
    return (width * height).reshape(boxes.shape[:2])


def where(condition: ms.Tensor, boxes: ms.Tensor) -> ms.Tensor:
    """bool[N, K] and float32[N, K, 4] -> float32[N, K, 4], zeros where the condition is false."""
    return ops.select(ops.broadcast_to(ops.expand_dims(condition, 2), boxes.shape), boxes, 0.0)


def clip_boxes(boxes: ms.Tensor, size: ms.Tensor) -> ms.Tensor:
    """Moves what lies outside an image to its border.

    Args:
        boxes: float32[N, K, 4], xyxy pixels.
        size: float32[N, 2], height and width in pixels.

    Returns:
        float32[N, K, 4].
    """
    height, width = _halve_last(size)
    limit = ops.expand_dims(ops.concat((width, height, width, height), 1), 1)  # [N, 1, 4]
    return ops.minimum(ops.maximum(boxes, 0.0), ops.broadcast_to(limit, boxes.shape))


def has_sides_above(boxes: ms.Tensor, size: float) -> ms.Tensor:
    """Boxes float32[N, K, 4] -> bool[N, K]: whether width and height are larger than `size`; not where one is nan."""
    low, high = _halve_last(boxes)
    width, height = _halve_last(high - low)
    return ops.logical_and(width > size, height > size).reshape(boxes.shape[:2])
