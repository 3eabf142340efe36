"""RetinaNet's loss: focal loss over all anchors, box regression over the positive ones."""

import mindspore as ms
from mindspore import nn, ops

from utils.cpu_kernels.focal_loss import SigmoidFocalLoss
from utils.detection.box_coder import smooth_l1
from utils.model_utils.workers import ALONE, Workers
from utils.training.step.reductions import sum_over_workers


class RetinaNetLoss(nn.Cell):
    """Focal loss plus box loss, both divided by the number of positive anchors of the batch (at least 1).

    Where several workers share a batch, each has the terms of its own images, divided by the number of all of them: the
    losses of the workers add up to the loss of the batch.

    Args:
        num_classes: foreground classes.
        alpha: see `SigmoidFocalLoss`.
        gamma: see `SigmoidFocalLoss`.
        box_beta: see `smooth_l1`; 0 for L1.
        box_weight: weight of the box loss.
        workers: the processes that share a batch.
    """

    loss_names = ("loss", "class_loss", "box_loss")

    def __init__(
        self,
        num_classes: int,
        *,
        alpha: float,
        gamma: float,
        box_beta: float,
        box_weight: float,
        workers: Workers = ALONE,
    ) -> None:
        super().__init__()
        self.focal_loss = SigmoidFocalLoss(num_classes, alpha, gamma)
        self.num_classes = num_classes
        self.box_beta = box_beta
        self.box_weight = box_weight
        self.total = sum_over_workers(workers)

    def construct(
        self, logits: ms.Tensor, deltas: ms.Tensor, classes: ms.Tensor, target_deltas: ms.Tensor
    ) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Computes the loss of this worker's images.

        Args:
            logits: float32[N, A, C].
            deltas: float32[N, A, 4].
            classes: int32[N, A], as `assignment.assign_anchors` gives them.
            target_deltas: float32[N, A, 4], likewise.

        Returns:
            float32 scalars: the sum, the class loss and the weighted box loss.
        """
        is_positive = ops.logical_and(classes >= 0, classes < self.num_classes).astype(ms.float32)
        num_positives = ops.maximum(self.total(is_positive.sum()), ms.Tensor(1.0, ms.float32))

        class_loss = self.focal_loss(logits.astype(ms.float32), classes).sum() / num_positives
        box_terms = smooth_l1(deltas.astype(ms.float32) - target_deltas, self.box_beta) * is_positive[:, :, None]
        box_loss = self.box_weight * box_terms.sum() / num_positives
        return class_loss + box_loss, class_loss, box_loss
