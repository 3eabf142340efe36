"""From what the RoI head says about the proposals to the detections of each image, inside the graph."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
from mindspore import nn, ops

from utils.cpu_kernels.nms import Nms

from .box_coder import BoxCoder
from .proposal_generator import clip_boxes


@dataclass(frozen=True)
class DetectionRule:
    """Which pairs of a proposal and a class become detections.

    Attributes:
        min_score: pairs at or below this probability are dropped; not negative.
        nms_iou: highest IoU that two detections of one class may have.
        candidates: the best so many pairs are compared with each other.
        max_detections: slots of an image.
        target_means: see `BoxCoder`.
        target_stds: see `BoxCoder`.
    """

    min_score: float = 0.05
    nms_iou: float = 0.5
    candidates: int = 2000
    max_detections: int = 100
    target_means: Sequence[float] = (0.0, 0.0, 0.0, 0.0)
    target_stds: Sequence[float] = (0.1, 0.1, 0.2, 0.2)


class DetectionSelector(nn.Cell):
    """Softmax, each class's box, suppression within each class (MMDetection's multiclass_nms) and the best of the rest.

    Boxes without area in the image are dropped.

    Args:
        rule: thresholds and limits.
        num_classes: foreground classes C.
    """

    def __init__(self, rule: DetectionRule, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.min_score = rule.min_score
        self.candidates, self.max_detections = rule.candidates, rule.max_detections
        self.coder, self.suppress = BoxCoder(rule.target_means, rule.target_stds), Nms(rule.nms_iou)
        self.classes_in_a_row = math.ceil(math.sqrt(num_classes))

    def construct(
        self, rois: ms.Tensor, is_valid: ms.Tensor, logits: ms.Tensor, deltas: ms.Tensor, image_metas: ms.Tensor
    ) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Selects the detections of a batch.

        Args:
            rois: float32[N, P, 4], xyxy input pixels.
            is_valid: bool[N, P], which slots of the rois are not empty.
            logits: float32[N * P, C + 1], background last.
            deltas: float32[N * P, C, 4].
            image_metas: float32[N, 4]: original height and width, input pixels for an original one vertically and
                horizontally.

        Returns:
            float32[N, D, 4]: boxes, xyxy pixels of the original, within it, best first;
            float32[N, D]: probabilities, 0 in empty slots; and
            int32[N, D]: class indices.
        """
        batch, count = is_valid.shape
        scores = ops.softmax(logits, axis=-1)[:, : self.num_classes].reshape(batch, count, self.num_classes)
        scores = (scores * ops.expand_dims(is_valid.astype(ms.float32), 2)).reshape(batch, -1)
        scores, pair = ops.topk(scores, min(self.candidates, count * self.num_classes))   # [N, K]
        roi = (pair // self.num_classes).astype(ms.int32)
        labels = (pair - roi * self.num_classes).astype(ms.int32)
        boxes = self.coder.decode(
            ops.gather(deltas.reshape(batch, -1, 4), pair, 1, 1), ops.gather(rois, roi, 1, 1))
        scale_y, scale_x = image_metas[:, 2:3], image_metas[:, 3:]
        boxes = boxes / ops.expand_dims(ops.concat((scale_x, scale_y, scale_x, scale_y), 1), 1)
        boxes = clip_boxes(boxes, image_metas[:, :2])

        sides = boxes[..., 2:] - boxes[..., :2]
        has_area = ops.logical_and(sides[..., 0] > 0, sides[..., 1] > 0)
        is_candidate = ops.logical_and(has_area, scores > self.min_score)
        kept = self.suppress(boxes + self.shift(labels, image_metas), is_candidate)
        return self.best(boxes, scores * kept.astype(ms.float32), labels)

    def shift(self, labels: ms.Tensor, image_metas: ms.Tensor) -> ms.Tensor:
        """Puts each class into a field of its own, so that one suppression serves all: float32[N, K, 4], pixels.

        The fields lie in a square, not in a row, since large coordinates cost small boxes their last bits.
        """
        field = ops.expand_dims(image_metas[:, :2].max(axis=1, keepdims=True) + 1.0, 1)   # [N, 1, 1]
        row = labels // self.classes_in_a_row
        column = labels - row * self.classes_in_a_row
        return ops.stack((column, row, column, row), -1).astype(ms.float32) * field

    def best(
        self, boxes: ms.Tensor, scores: ms.Tensor, labels: ms.Tensor
    ) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Fills the slots with what has a score, best first; the others are 0."""
        limit = min(self.max_detections, scores.shape[1])
        scores, index = ops.topk(scores, limit)
        is_found = scores > 0
        boxes = ops.gather(boxes, index, 1, 1) * ops.expand_dims(is_found.astype(ms.float32), 2)
        labels = ops.gather(labels, index, 1, 1) * is_found.astype(ms.int32)
        missing = self.max_detections - limit
        if missing > 0:
            batch = scores.shape[0]
            boxes = ops.concat((boxes, ops.zeros((batch, missing, 4), ms.float32)), 1)
            scores = ops.concat((scores, ops.zeros((batch, missing), ms.float32)), 1)
            labels = ops.concat((labels, ops.zeros((batch, missing), ms.int32)), 1)
        return boxes, scores, labels
