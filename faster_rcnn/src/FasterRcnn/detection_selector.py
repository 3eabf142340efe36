"""From what the RoI head says about the proposals to the detections of each image, inside the graph."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from utils.cpu_kernels.nms import Nms
from utils.detection.box_coder import BoxCoder

from ..variants import RCNN_TARGET_STDS
from .graph_tools import clip_boxes, filled, has_sides_above, rows_of


@dataclass(frozen=True)
class DetectionRule:
    """Which pairs of a proposal and a class become detections.

    Attributes:
        min_score: pairs at or below this probability are dropped; not negative.
        nms_threshold: highest IoU that two detections of one class may have.
        candidates: the best so many pairs are compared with each other.
        max_boxes: slots of an image.
        target_means: see `BoxCoder`.
        target_stds: see `BoxCoder`.
        suppresses: False leaves suppression, and the choice of the best, to whoever asks: all candidates come out.
    """

    min_score: float = 0.05
    nms_threshold: float = 0.5
    candidates: int = 2000
    max_boxes: int = 100
    target_means: Sequence[float] = (0.0, 0.0, 0.0, 0.0)
    target_stds: Sequence[float] = RCNN_TARGET_STDS
    suppresses: bool = True


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
        self.candidates, self.max_boxes, self.suppresses = rule.candidates, rule.max_boxes, rule.suppresses
        self.coder, self.suppress = BoxCoder(rule.target_means, rule.target_stds), Nms(rule.nms_threshold)
        self.fields, self.top = ms.Tensor(_fields(num_classes)), ops.TopK(sorted=True)
        self.halves = ops.Split(1, 2)

    def construct(
        self, rois: ms.Tensor, is_valid: ms.Tensor, logits: ms.Tensor, deltas: ms.Tensor, image_metas: ms.Tensor
    ) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Selects the detections of a batch.

        Args:
            rois: float32[N, P, 4], xyxy input pixels.
            is_valid: bool[N, P], which slots of the rois are not empty.
            logits: float32[N * P, C + 1], background last.
            deltas: float32[N * P, C, 4].
            image_metas: float32[N, 4], see `image_metas` of detect.py.

        Returns:
            float32[N, D, 4]: boxes, xyxy pixels of the original, within it, best first;
            float32[N, D]: probabilities, 0 in empty slots; and
            int32[N, D]: class indices.
            Where the rule does not suppress, D is the number of candidates, and those that may not become detections
            have the probability 0.
        """
        batch, count = is_valid.shape
        scores = ops.softmax(logits, axis=-1)[:, : self.num_classes].reshape(batch, count, self.num_classes)
        scores = (scores * ops.expand_dims(is_valid.astype(ms.float32), 2)).reshape(batch, -1)
        scores, pair = self.top(scores, min(self.candidates, count * self.num_classes))  # [N, K]
        roi = (pair // self.num_classes).astype(ms.int32)
        labels = (pair - ops.mul(roi, self.num_classes)).astype(ms.int32)
        boxes = self.coder.decode(rows_of(deltas.reshape(batch, -1, 4), pair), rows_of(rois, roi))
        size, scale = self.halves(image_metas)  # [N, 2] each, vertical before horizontal
        scale_y, scale_x = self.halves(scale)
        boxes = clip_boxes(boxes / ops.expand_dims(ops.concat((scale_x, scale_y, scale_x, scale_y), 1), 1), size)
        is_candidate = ops.logical_and(has_sides_above(boxes, 0.0), scores > self.min_score)
        if not self.suppresses:
            return boxes, scores * is_candidate.astype(ms.float32), labels
        kept = self.suppress(boxes + self.shift(labels, size), is_candidate)
        return self.best(boxes, scores * kept.astype(ms.float32), labels)

    def shift(self, labels: ms.Tensor, size: ms.Tensor) -> ms.Tensor:
        """Puts each class into a field of its own, so that one suppression serves all: float32[N, K, 4], pixels."""
        side = ops.expand_dims(size.max(axis=1, keepdims=True) + 1.0, 1)  # [N, 1, 1]
        return ops.gather(self.fields, labels, 0) * side

    def best(self, boxes: ms.Tensor, scores: ms.Tensor, labels: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Fills the slots with what has a score, best first; the others are 0."""
        limit = min(self.max_boxes, scores.shape[1])
        scores, index = self.top(scores, limit)
        is_found = scores > 0
        boxes = rows_of(boxes, index) * ops.expand_dims(is_found.astype(ms.float32), 2)
        labels = rows_of(labels, index) * is_found.astype(ms.int32)
        missing = self.max_boxes - limit
        if missing > 0:
            batch = scores.shape[0]
            boxes = ops.concat((boxes, filled((batch, missing, 4), 0.0, ms.float32)), 1)
            scores = ops.concat((scores, filled((batch, missing), 0, ms.float32)), 1)
            labels = ops.concat((labels, filled((batch, missing), 0, ms.int32)), 1)
        return boxes, scores, labels


def _fields(num_classes: int) -> np.ndarray:
    """Returns float32[C, 4]: column, row, column, row of each class's field.

    The fields lie in a square, not in a row, since large coordinates cost small boxes their last bits.
    """
    row, column = np.divmod(np.arange(num_classes), math.ceil(math.sqrt(num_classes)))
    return np.stack((column, row, column, row), axis=1).astype(np.float32)
