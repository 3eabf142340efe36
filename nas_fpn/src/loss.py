"""RetinaNet's loss: focal loss over all anchors, box regression over the positive ones."""

import mindspore as ms
from mindspore import nn, ops


def focal_loss(logits: ms.Tensor, targets: ms.Tensor, alpha: float, gamma: float) -> ms.Tensor:
    """Computes the sigmoid focal loss of each element (Lin et al. 2017, eq. 5), stable for logits of any size.

    Args:
        logits: float32[...].
        targets: float32[...], 1 where the class is present, else 0.
        alpha: weight of present classes; the others get 1 - alpha.
        gamma: focusing exponent; 0 gives weighted cross entropy.

    Returns:
        float32[...], not negative.
    """
    signed = logits * (1.0 - 2.0 * targets)  # -x for a present class, x for an absent one
    cross_entropy = ops.relu(signed) + ops.log1p(ops.exp(-ops.abs(signed)))  # -ln(p_t) = softplus(signed)
    weight = (1.0 - alpha) + (2.0 * alpha - 1.0) * targets
    log_miss = signed - cross_entropy  # ln(1 - p_t); exp and log1p repeat bit for bit on a CPU, pow does not
    return weight * ops.exp(gamma * log_miss) * cross_entropy


def smooth_l1(difference: ms.Tensor, beta: float) -> ms.Tensor:
    """Computes the smooth L1 loss of each element (Fast R-CNN, eq. 3), quadratic below `beta`; `beta` 0 is L1."""
    magnitude = ops.abs(difference)
    if beta == 0:
        return magnitude
    inner = ops.minimum(magnitude, ops.full_like(magnitude, beta))
    return 0.5 * inner * inner / beta + (magnitude - inner)


class RetinaNetLoss(nn.Cell):
    """Focal loss plus box loss, both divided by the number of positive anchors of the batch (at least 1).

    Args:
        num_classes: foreground classes.
        alpha: see `focal_loss`.
        gamma: see `focal_loss`.
        box_beta: see `smooth_l1`; 0 for L1.
        box_weight: weight of the box loss.
    """

    loss_names = ("loss", "class_loss", "box_loss")

    def __init__(self, num_classes: int, *, alpha: float, gamma: float, box_beta: float, box_weight: float) -> None:
        super().__init__()
        self.class_range = ops.arange(num_classes).astype(ms.int32)
        self.num_classes = num_classes
        self.alpha = alpha
        self.gamma = gamma
        self.box_beta = box_beta
        self.box_weight = box_weight

    def construct(
        self, logits: ms.Tensor, deltas: ms.Tensor, classes: ms.Tensor, target_deltas: ms.Tensor
    ) -> tuple[ms.Tensor, ms.Tensor, ms.Tensor]:
        """Computes the loss of a batch.

        Args:
            logits: float32[N, A, C].
            deltas: float32[N, A, 4].
            classes: int32[N, A], as `assignment.assign_anchors` gives them.
            target_deltas: float32[N, A, 4], likewise.

        Returns:
            float32 scalars: the sum, the class loss and the weighted box loss.
        """
        is_positive = ops.logical_and(classes >= 0, classes < self.num_classes).astype(ms.float32)
        num_positives = ops.maximum(is_positive.sum(), ms.Tensor(1.0, ms.float32))

        targets = (classes[:, :, None] == self.class_range).astype(ms.float32)  # [N, A, C]
        is_learned = (classes >= 0).astype(ms.float32)[:, :, None]
        class_terms = focal_loss(logits.astype(ms.float32), targets, self.alpha, self.gamma)
        class_loss = (class_terms * is_learned).sum() / num_positives

        box_terms = smooth_l1(deltas.astype(ms.float32) - target_deltas, self.box_beta) * is_positive[:, :, None]
        box_loss = self.box_weight * box_terms.sum() / num_positives
        return class_loss + box_loss, class_loss, box_loss
