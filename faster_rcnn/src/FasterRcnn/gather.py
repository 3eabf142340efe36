"""Rows of a batch by an index of each image."""

import mindspore as ms
import numpy as np
from mindspore import ops
from mindspore.ops import constexpr


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
