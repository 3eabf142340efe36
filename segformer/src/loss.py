"""Cross entropy of the pixels of a batch."""

import math
from collections.abc import Sequence

import mindspore as ms
from mindspore import nn, ops

from utils.cpu_kernels.cross_entropy import SoftmaxCrossEntropy
from utils.model_utils.workers import ALONE, Workers
from utils.training.step.reductions import sum_over_workers

# Stands in for a sum of weights that is 0 because no pixel is valid: the loss is 0 then, not a division by it.
_SMALLEST_WEIGHT = 1e-12


class SegmentationLoss(nn.Cell):
    """Softmax cross entropy of the enlarged logits, averaged over the pixels that have a class.

    The average is weighted: the sum of weight * cross entropy over the sum of the weights. A batch without any valid
    pixel has loss 0. Of several workers, each has its own share of the loss, divided by the weights of them all: the
    loss of the whole batch is the sum of their shares, however unevenly the labelled pixels are spread.

    Args:
        num_classes: number of classes; labels outside 0 to num_classes - 1 are ignored.
        ignore_label: another label to ignore.
        class_weights: positive weight of each class, num_classes numbers; None for 1.
        ohem_threshold: online hard example mining: only pixels whose right class has a lower probability than this
            count, (0, 1]; None for all.
        ohem_min_kept: with `ohem_threshold`: where fewer are below it, so many pixels with the largest loss count; each
            of several workers keeps its share of that number, of its own pixels.
        workers: the workers of the job.
    """

    loss_names = ("loss",)

    def __init__(
        self,
        num_classes: int,
        *,
        ignore_label: int = 255,
        class_weights: Sequence[float] | None = None,
        ohem_threshold: float | None = None,
        ohem_min_kept: int = 100000,
        workers: Workers = ALONE,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.class_weights = None if class_weights is None else ms.Tensor(class_weights, ms.float32)
        self.hard_loss = None if ohem_threshold is None else -math.log(ohem_threshold)
        self.min_kept = -(-ohem_min_kept // workers.count)
        self.cross_entropy = SoftmaxCrossEntropy()
        self.total = sum_over_workers(workers)

    def construct(self, logits: ms.Tensor, labels: ms.Tensor) -> tuple[ms.Tensor]:
        """Computes this worker's share of the loss of a batch.

        Args:
            logits: float[N, num_classes, h, w], any h and w.
            labels: int32[N, H, W].

        Returns:
            The share, a float32 scalar.
        """
        terms = self.cross_entropy(logits.astype(ms.float32), labels)  # [N, H, W], logits enlarged to it
        has_class = ops.logical_and(labels >= 0, labels < self.num_classes)
        weights = ops.logical_and(has_class, labels != self.ignore_label).astype(ms.float32)
        if self.hard_loss is not None:
            weights = weights * self.is_hard(ops.stop_gradient(terms) * weights)
        if self.class_weights is not None:
            weights = weights * ops.gather(self.class_weights, ops.clip(labels, 0, self.num_classes - 1), 0)
        return ((terms * weights).sum() / ops.maximum(self.total(weights.sum()), _SMALLEST_WEIGHT),)

    def is_hard(self, terms: ms.Tensor) -> ms.Tensor:
        """Returns float32[N, H, W]: 1 for the pixels that count, given the loss of each valid pixel, 0 elsewhere."""
        flat = terms.reshape(-1)
        largest = ops.topk(flat, min(self.min_kept, flat.shape[0]))[0]
        return (terms >= ops.minimum(largest[-1], self.hard_loss)).astype(ms.float32)
