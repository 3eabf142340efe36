"""Which proposals the RoI head learns from, and what: assignment and sampling inside the graph, all images at once."""

import mindspore as ms
from mindspore import nn, ops

from utils.detection.box_coder import BoxCoder

from .bbox_assign_sample import EMPTY, SamplingRule
from .graph_tools import box_area, filled, int_range, rows_of, where

_SMALLEST_AREA = 1e-6  # stands in for that of empty slots


class RoiSampler(nn.Cell):
    """IoU assignment of proposals to boxes and a random sample of them (MMDetection MaxIoUAssigner, RandomSampler).

    A proposal is positive for the box with which its IoU is highest if that is at least `pos_iou`, background if it is
    below `neg_iou` and no crowd covers `crowd_ignore_ioa` of it. The boxes themselves are proposals too, positive ones.
    The draw comes from the host as random priorities: what has a higher one is taken first.

    Args:
        rule: thresholds and counts. With `min_pos_iou` not below `pos_iou` the former changes nothing.
        num_classes: foreground classes; also the label of background.
    """

    def __init__(self, rule: SamplingRule, num_classes: int) -> None:
        super().__init__()
        self.num_samples, self.num_positives = rule.num_samples, min(rule.num_positives, rule.num_samples)
        self.pos_iou, self.neg_iou, self.min_pos_iou = rule.pos_iou, rule.neg_iou, rule.min_pos_iou
        self.crowd_ignore_ioa = rule.crowd_ignore_ioa
        self.num_classes = num_classes
        self.coder = BoxCoder(rule.target_means, rule.target_stds)
        self.best, self.top = ops.ArgMaxWithValue(axis=-1), ops.TopK(sorted=True)
        self.halves = ops.Split(1, 2)

    def construct(
        self,
        proposals: ms.Tensor,
        is_valid: ms.Tensor,
        gt_boxes: ms.Tensor,
        gt_labels: ms.Tensor,
        gt_is_crowd: ms.Tensor,
        priority: ms.Tensor,
    ) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Draws a sample of each image.

        Args:
            proposals: float32[N, P, 4], xyxy pixels.
            is_valid: bool[N, P], which slots of the proposals are not empty.
            gt_boxes: float32[N, G, 4], xyxy pixels.
            gt_labels: int32[N, G], class index from 0, -1 in empty slots.
            gt_is_crowd: bool[N, G].
            priority: float32[N, P + G], uniform draws from [0, 1).

        Returns:
            float32[N, R, 4]: the sampled boxes, positives first, zeros in empty slots;
            int32[N, R]: the class, `num_classes` for background, -1 in empty slots; and
            float32[N, R, 4]: the regression targets, 0 but for positives.
        """
        proposals = ops.stop_gradient(proposals)
        is_object = ops.logical_and(gt_labels >= 0, ops.logical_not(gt_is_crowd))
        match, is_positive, is_background = self.assign(proposals, gt_boxes, is_object, gt_is_crowd)
        batch, slots = gt_labels.shape
        own = ops.broadcast_to(int_range(slots), (batch, slots))
        candidates = ops.concat((proposals, gt_boxes), 1)  # [N, P + G, 4]
        match = ops.concat((match, own), 1)
        is_positive = ops.concat((ops.logical_and(is_positive, is_valid), is_object), 1)
        nowhere = filled((batch, slots), False, ms.bool_)
        is_background = ops.concat((ops.logical_and(is_background, is_valid), nowhere), 1)

        index, is_positive, is_filled = self.draw(is_positive, is_background, priority)
        match = rows_of(match, index)
        labels = rows_of(gt_labels, match)
        labels = ops.select(is_positive, labels, self.num_classes)
        labels = ops.select(is_filled, labels, EMPTY)
        rois = rows_of(candidates, index)
        deltas = self.coder.encode(rows_of(gt_boxes, match), rois)
        # Said at the end too, differentiation does not take all of the above apart: a sixth of a step's compilation.
        rois, deltas = ops.stop_gradient(where(is_filled, rois)), ops.stop_gradient(where(is_positive, deltas))
        return rois, ops.stop_gradient(labels), deltas

    def assign(
        self,
        proposals: ms.Tensor,
        gt_boxes: ms.Tensor,
        is_object: ms.Tensor,
        is_crowd: ms.Tensor,
    ) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Returns each proposal's box int32[N, P], whether it is positive for it, and whether it is background."""
        shared = self.intersection(proposals, gt_boxes)  # [N, P, G]
        area = ops.maximum(box_area(proposals), _SMALLEST_AREA)
        union = ops.expand_dims(area, 2) + ops.expand_dims(box_area(gt_boxes), 1) - shared
        iou = shared * ops.expand_dims(is_object.astype(ms.float32), 1) / union
        match, best = self.best(iou)
        match = match.astype(ms.int32)
        is_positive, is_background = best >= self.pos_iou, best < self.neg_iou
        if self.min_pos_iou < self.pos_iou:
            claim = self.last_claim(iou)
            is_claimed = claim >= 0
            match = ops.select(is_claimed, claim, match)
            is_positive = ops.logical_or(is_positive, is_claimed)
            is_background = ops.logical_and(is_background, ops.logical_not(is_claimed))
        if self.crowd_ignore_ioa <= 1:
            in_crowd = (shared * ops.expand_dims(is_crowd.astype(ms.float32), 1)).max(axis=2)
            is_background = ops.logical_and(is_background, in_crowd < self.crowd_ignore_ioa * area)
        return match, is_positive, is_background

    def intersection(self, boxes: ms.Tensor, others: ms.Tensor) -> ms.Tensor:
        """Boxes float32[N, P, 4] and float32[N, G, 4] -> float32[N, P, G], pixels squared."""
        batch, count, number = boxes.shape[0], boxes.shape[1], others.shape[1]
        shape = (batch, 2, count, number)
        low, high = self.halves(ops.expand_dims(ops.transpose(boxes, (0, 2, 1)), 3))  # [N, 2, P, 1] each
        other_low, other_high = self.halves(ops.expand_dims(ops.transpose(others, (0, 2, 1)), 2))  # [N, 2, 1, G]
        ends = ops.minimum(ops.broadcast_to(high, shape), ops.broadcast_to(other_high, shape))
        starts = ops.maximum(ops.broadcast_to(low, shape), ops.broadcast_to(other_low, shape))
        width, height = self.halves(ops.relu(ends - starts))  # [N, 1, P, G] each
        return (width * height).reshape(batch, count, number)

    def last_claim(self, iou: ms.Tensor) -> ms.Tensor:
        """IoU float32[N, P, G] -> int32[N, P]: the last box of which the proposal has the highest IoU, -1 for none."""
        highest = iou.max(axis=1, keepdims=True)
        is_claim = ops.logical_and(iou == highest, ops.logical_and(iou >= self.min_pos_iou, iou > 0.0))
        number = (int_range(iou.shape[2]) + 1).astype(ms.float32)
        return (is_claim.astype(ms.float32) * number).max(axis=2).astype(ms.int32) - 1

    def draw(
        self, is_positive: ms.Tensor, is_background: ms.Tensor, priority: ms.Tensor
    ) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Fills the slots: as many positives as may be, then background.

        Returns:
            int32[N, R]: index of the candidate; bool[N, R]: whether it is positive; bool[N, R]: whether there is one.
        """
        num_candidates = priority.shape[1]
        limit = min(self.num_positives, num_candidates)
        positive_score, positive_index = self.top(ops.select(is_positive, priority, -1.0), limit)
        background_score, background_index = self.top(
            ops.select(is_background, priority, -1.0), min(self.num_samples, num_candidates)
        )
        scores = ops.concat((positive_score, background_score), 1)  # [N, limit + background]
        indices = ops.concat((positive_index, background_index), 1)

        # Slot s takes the s-th positive; from the last of them on the background, which begins at `limit`.
        num_positives = (positive_score >= 0).astype(ms.int32).sum(axis=1, keepdims=True)  # [N, 1]
        slot = ops.broadcast_to(int_range(self.num_samples), (priority.shape[0], self.num_samples))
        is_positive = slot < num_positives
        source = ops.select(is_positive, slot, slot + limit - num_positives)
        last = scores.shape[1] - 1
        is_filled = source <= last
        source = ops.minimum(source, last)
        is_filled = ops.logical_and(is_filled, rows_of(scores, source) >= 0)
        return rows_of(indices, source), is_positive, is_filled
