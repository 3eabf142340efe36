"""Greedy non-maximum suppression inside a graph."""

import functools
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from utils.cpu_kernels.choice import chosen_kernel, fits_kernel, make_kernel


@functools.cache
def _nms_kernel(library: Path) -> ops.Custom:
    """Returns (boxes[B, K, 4], is_valid bool[B, K], nms_threshold[1]) -> is_kept bool[B, K]; it has no gradient."""
    return make_kernel(library, "nms", lambda boxes, is_valid, nms_threshold: is_valid, out_type=ms.bool_)


class Nms(nn.Cell):
    """Drops boxes that overlap a better one, row by row of a batch.

    MindSpore's operator takes at most 2864 boxes on an Ascend.

    Args:
        nms_threshold: highest IoU that two kept boxes may have.
    """

    def __init__(self, nms_threshold: float) -> None:
        super().__init__()
        self.suppress = ops.NMSWithMask(nms_threshold)
        self.nms_threshold = Tensor([nms_threshold], ms.float32)
        self.kernel = chosen_kernel(_nms_kernel)

    def construct(self, boxes: Tensor, is_valid: Tensor) -> Tensor:
        """Chooses greedily from the first to the last.

        Args:
            boxes: float32[B, K, 4], xyxy, best first, x1 <= x2 and y1 <= y2.
            is_valid: bool[B, K]; the other boxes are neither kept nor drop any.

        Returns:
            bool[B, K], true for kept boxes.
        """
        if self.kernel is not None and fits_kernel(boxes):
            return self.kernel(boxes, is_valid, self.nms_threshold)
        batch, count, _ = boxes.shape
        scores = _descending(count)
        # A box of no area overlaps nothing. Not a product: infinities and nan in empty slots must vanish.
        boxes = ops.select(ops.broadcast_to(ops.expand_dims(is_valid, 2), boxes.shape), boxes, ops.zeros_like(boxes))
        rows: tuple[Tensor, ...] = ()
        for row in range(batch):
            rows += (self.suppress(ops.concat((boxes[row], scores), 1))[2],)
        return ops.logical_and(ops.stack(rows), is_valid)


@constexpr
def _descending(count: int) -> Tensor:
    """Returns float32[count, 1] in strictly falling order: the operator sorts by it, which then changes nothing."""
    return Tensor(np.arange(count, 0, -1).reshape(-1, 1) / count, ms.float32)
