"""What several cells of the graph need: constants that are made when it is compiled, rows by an index, slots emptied.

Here and in the cells that use it, operators are chosen for a CPU as well: of MindSpore 2.10's, slices with steps and
minima or maxima that broadcast take 20 to 50 times as long as splitting and broadcasting first, and `ops.arange` alone
adds 0.4 seconds to the compilation.
"""

import mindspore as ms
import numpy as np
from mindspore import ops
from mindspore.ops import constexpr

from utils.detection.box_coder import halves


@constexpr
def int_range(count: int) -> ms.Tensor:
    """Returns int32[count]: 0, 1, 2 and so on."""
    return ms.Tensor(np.arange(count), ms.int32)


@constexpr
def filled(shape: tuple[int, ...], value: float, dtype: ms.dtype) -> ms.Tensor:
    """Returns a tensor that is `value` everywhere."""
    return ms.Tensor(np.full(shape, value), dtype)


def rows_of(values: ms.Tensor, index: ms.Tensor) -> ms.Tensor:
    """Takes rows of each image: [N, A, ...] and int[N, K] -> [N, K, ...].

    Like `ops.gather` with one batch dimension, which MindSpore writes to ONNX as if there were none.
    """
    batch, length = values.shape[0], values.shape[1]
    flat = values.reshape((batch * length, *values.shape[2:]))
    return ops.gather(flat, index.astype(ms.int32) + _first_rows(batch, length), 0)


@constexpr
def _first_rows(batch: int, length: int) -> ms.Tensor:
    """Returns int32[batch, 1]: where each image begins in the flat array."""
    return ms.Tensor(np.arange(batch).reshape(-1, 1) * length, ms.int32)


def box_area(boxes: ms.Tensor) -> ms.Tensor:
    """Boxes float32[N, K, 4] -> float32[N, K], pixels squared."""
    low, high = halves(boxes)
    width, height = halves(high - low)
    return (width * height).reshape(boxes.shape[:2])


def where(condition: ms.Tensor, boxes: ms.Tensor) -> ms.Tensor:
    """bool[N, K] and float32[N, K, 4] -> float32[N, K, 4], zeros where the condition is false."""
    return ops.select(ops.broadcast_to(ops.expand_dims(condition, 2), boxes.shape), boxes, 0.0)


def clip_boxes(boxes: ms.Tensor, size: ms.Tensor) -> ms.Tensor:
    """Moves what of float32[N, K, 4], xyxy, lies outside images of float32[N, 2] (height, width) to the border."""
    height, width = halves(size)
    limit = ops.expand_dims(ops.concat((width, height, width, height), 1), 1)  # [N, 1, 4]
    return ops.minimum(ops.maximum(boxes, 0.0), ops.broadcast_to(limit, boxes.shape))


def has_sides_above(boxes: ms.Tensor, size: float) -> ms.Tensor:
    """Boxes float32[N, K, 4] -> bool[N, K]: whether width and height are larger than `size`; not where one is nan."""
    low, high = halves(boxes)
    width, height = halves(high - low)
    return ops.logical_and(width > size, height > size).reshape(boxes.shape[:2])
