"""The four parts of the loss, with operators that repeat bit for bit on a CPU."""

import mindspore as ms
from mindspore import nn, ops

from utils.detection.box_coder import smooth_l1

from .graph_tools import int_range


class RpnLoss(nn.Cell):
    """Binary cross entropy of the sampled anchors and smooth L1 of the positive ones, both divided by a count.

    Args:
        cls_weight: factor of the cross entropy.
        reg_weight: factor of the box loss.
        beta: see `smooth_l1`.
    """

    def __init__(self, *, cls_weight: float = 1.0, reg_weight: float = 1.0, beta: float = 1 / 9) -> None:
        super().__init__()
        self.cls_weight, self.reg_weight, self.beta = cls_weight, reg_weight, beta

    def construct(
        self,
        objectness: ms.Tensor,
        deltas: ms.Tensor,
        index: ms.Tensor,
        label: ms.Tensor,
        targets: ms.Tensor,
        count: ms.Tensor,
    ) -> tuple[ms.Tensor, ms.Tensor]:
        """Computes the share of the images here in the loss of a batch.

        Args:
            objectness: float32[N, A], logits.
            deltas: float32[N, A, 4].
            index: int32[N, S], the sampled anchors.
            label: int32[N, S], 1 for an object, 0 for background, -1 for an empty slot.
            targets: float32[N, S, 4], regression targets of the positives.
            count: float32 scalar, anchors sampled in the whole batch, see `num_sampled`; 0 counts as 1.

        Returns:
            float32 scalars: classification and box loss, weighted.
        """
        index_of_deltas = ops.broadcast_to(ops.expand_dims(index, 2), targets.shape)
        logits = ops.gather_elements(objectness, 1, index)
        deltas = ops.gather_elements(deltas, 1, index_of_deltas)
        is_sampled, is_positive = (label >= 0).astype(ms.float32), (label > 0).astype(ms.float32)
        count = ops.maximum(count, 1.0)
        class_terms = binary_cross_entropy(logits, is_positive) * is_sampled
        box_terms = smooth_l1(deltas - targets, self.beta) * ops.expand_dims(is_positive, 2)
        return self.cls_weight * class_terms.sum() / count, self.reg_weight * box_terms.sum() / count


class RcnnLoss(nn.Cell):
    """Softmax cross entropy of the sampled regions and smooth L1 of the positive ones, both divided by a count.

    The boxes are compared for the right class only.

    Args:
        num_classes: foreground classes C; also the label of background.
        cls_weight: factor of the cross entropy.
        reg_weight: factor of the box loss.
        beta: see `smooth_l1`.
    """

    def __init__(
        self, num_classes: int, *, cls_weight: float = 1.0, reg_weight: float = 1.0, beta: float = 1.0
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.cls_weight, self.reg_weight, self.beta = cls_weight, reg_weight, beta

    def construct(
        self, logits: ms.Tensor, deltas: ms.Tensor, labels: ms.Tensor, targets: ms.Tensor, count: ms.Tensor
    ) -> tuple[ms.Tensor, ms.Tensor]:
        """Computes the share of the images here in the loss of a batch.

        Args:
            logits: float32[N * R, C + 1].
            deltas: float32[N * R, C, 4].
            labels: int32[N, R], class index, C for background, -1 for an empty slot.
            targets: float32[N, R, 4], regression targets of the positives.
            count: float32 scalar, regions sampled in the whole batch, see `num_sampled`; 0 counts as 1.

        Returns:
            float32 scalars: classification and box loss, weighted.
        """
        labels, targets = labels.reshape(-1), targets.reshape(-1, 4)
        is_sampled = (labels >= 0).astype(ms.float32)
        is_positive = is_sampled * (labels < self.num_classes).astype(ms.float32)
        count = ops.maximum(count, 1.0)
        class_terms = softmax_cross_entropy(logits, labels) * is_sampled
        own_class = ops.minimum(ops.maximum(labels, 0), self.num_classes - 1).reshape(-1, 1, 1)
        deltas = ops.gather_elements(deltas, 1, ops.broadcast_to(own_class, (labels.shape[0], 1, 4))).reshape(-1, 4)
        box_terms = smooth_l1(deltas - targets, self.beta) * ops.expand_dims(is_positive, 1)
        return self.cls_weight * class_terms.sum() / count, self.reg_weight * box_terms.sum() / count


def num_sampled(labels: ms.Tensor) -> ms.Tensor:
    """Returns how many labels, int32[N, S], are not those of empty slots, -1; float32 scalar."""
    return (labels >= 0).astype(ms.float32).sum()


def binary_cross_entropy(logits: ms.Tensor, targets: ms.Tensor) -> ms.Tensor:
    """Computes -ln of the probability of each target, 0 or 1; float32[...], stable for logits of any size."""
    magnitude = ops.abs(logits)
    # Half of x + |x| is relu(x), and its gradient at 0, where a layer that is off puts all logits, is 1/2 and not 0.
    return 0.5 * (logits + magnitude) - logits * targets + ops.log1p(ops.exp(-magnitude))


def softmax_cross_entropy(logits: ms.Tensor, labels: ms.Tensor) -> ms.Tensor:
    """Computes -ln softmax(logits)[label], float32[M], of float32[M, K] and int32[M]."""
    shifted = logits - ops.stop_gradient(logits.max(axis=1, keepdims=True))
    # The largest term of the sum is 1; log1p repeats bit for bit on a CPU, log does not.
    log_sum = ops.log1p(ops.exp(shifted).sum(axis=1) - 1.0)
    is_label = (ops.expand_dims(labels, 1) == int_range(logits.shape[1])).astype(ms.float32)
    return log_sum - (shifted * is_label).sum(axis=1)
