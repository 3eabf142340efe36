"""From the RPN's output to proposals, inside the graph, with shapes that do not depend on the images."""

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from utils.cpu_kernels.nms import Nms
from utils.detection.box_coder import BoxCoder

from .graph_tools import clip_boxes, filled, has_sides_above, rows_of, where

_LOWEST = float(np.finfo(np.float32).min)  # score of an empty slot


class ProposalGenerator(nn.Cell):
    """The best boxes of each level, without those that overlap a better one; of these the best (MMDetection RPNHead).

    Nothing here is trained: no gradient flows through it. Scores are compared as logits, of which fewer are equal than
    of their sigmoids.

    Args:
        anchors: float32[A, 4], xyxy pixels, level after level.
        level_counts: anchors of each level.
        nms_pre: the best so many anchors of each level are looked at.
        max_proposals: slots of an image.
        nms_threshold: highest IoU of two proposals of one level.
        min_size: boxes with a side of so many pixels or fewer are dropped.
        target_means: see `BoxCoder`.
        target_stds: see `BoxCoder`.
    """

    def __init__(
        self,
        anchors: np.ndarray,
        level_counts: Sequence[int],
        *,
        nms_pre: int,
        max_proposals: int,
        nms_threshold: float,
        min_size: float,
        target_means: Sequence[float] = (0.0,) * 4,
        target_stds: Sequence[float] = (1.0,) * 4,
    ) -> None:
        super().__init__()
        self.anchors = ms.Tensor(anchors, ms.float32)
        self.level_counts = tuple(int(count) for count in level_counts)
        self.borders = tuple(int(border) for border in np.cumsum((0, *level_counts)))
        self.counts = tuple(min(nms_pre, count) for count in level_counts)  # looked at on each level
        self.row = max(self.counts)  # slots of each level
        self.max_proposals, self.min_size = max_proposals, min_size
        self.coder, self.suppress = BoxCoder(target_means, target_stds), Nms(nms_threshold)
        self.top = ops.TopK(sorted=True)

    def construct(self, objectness: ms.Tensor, deltas: ms.Tensor, content: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        """Makes the proposals of a batch.

        Args:
            objectness: float[N, A], logits.
            deltas: float[N, A, 4].
            content: float32[N, 2], height and width of each image without its padding.

        Returns:
            float32[N, P, 4], xyxy pixels within the content, best first, zeros in empty slots; bool[N, P], which slots
            are not empty.
        """
        objectness = ops.stop_gradient(objectness).astype(ms.float32)
        deltas = ops.stop_gradient(deltas).astype(ms.float32)
        scores, index = self.best_of_levels(objectness)  # [N, levels * row] each
        references = ops.gather(self.anchors, index, 0)
        boxes = self.coder.decode(rows_of(deltas, index), references)
        boxes = clip_boxes(boxes, content)
        is_valid = ops.logical_and(has_sides_above(boxes, self.min_size), scores > _LOWEST)
        rows = (boxes.shape[0] * len(self.counts), self.row)  # each level of each image on its own
        kept = self.suppress(boxes.reshape(*rows, 4), is_valid.reshape(rows)).reshape(scores.shape)
        return self.best_of_all(boxes, ops.select(kept, scores, _LOWEST))

    def best_of_levels(self, objectness: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        """Returns score and index of each level's best anchors, [N, levels * row], best first within each level."""
        batch = objectness.shape[0]
        levels = ops.split(objectness, self.level_counts, 1)
        scores: tuple[ms.Tensor, ...] = ()
        indices: tuple[ms.Tensor, ...] = ()
        for level, count in enumerate(self.counts):
            score, index = self.top(levels[level], count)
            scores += (score,)
            indices += (index + self.borders[level],)
            if count < self.row:
                scores += (filled((batch, self.row - count), _LOWEST, ms.float32),)
                indices += (filled((batch, self.row - count), 0, ms.int32),)
        return ops.concat(scores, 1), ops.concat(indices, 1)

    def best_of_all(self, boxes: ms.Tensor, scores: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        """Boxes float32[N, K, 4] and scores float32[N, K] -> what `construct` returns."""
        count = min(self.max_proposals, scores.shape[1])
        scores, index = self.top(scores, count)
        is_valid = scores > _LOWEST
        boxes = where(is_valid, rows_of(boxes, index))
        if count < self.max_proposals:
            batch, missing = boxes.shape[0], self.max_proposals - count
            boxes = ops.concat((boxes, filled((batch, missing, 4), 0.0, ms.float32)), 1)
            is_valid = ops.concat((is_valid, filled((batch, missing), False, ms.bool_)), 1)
        return boxes, is_valid
