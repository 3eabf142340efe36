"""Sigmoid focal loss as a C kernel on a CPU, where the plain operators keep a dozen arrays of the logits' size."""

import functools
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn, ops

from utils.cpu_kernels.choice import chosen_kernel, fits_kernel, make_kernel


@functools.cache
def _focal_loss_kernel(library: Path) -> ops.Custom:
    """Returns (logits[..., C], classes int32[...], (alpha, gamma)[2]) -> loss[...]."""
    backward = make_kernel(library, "focal_loss_backward", lambda logits, *rest: logits)

    def bprop(
        logits: Tensor, classes: Tensor, settings: Tensor, out: Tensor, dout: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        gradient = backward(logits, classes, settings, dout)
        return gradient, ops.zeros_like(classes), ops.zeros_like(settings)

    return make_kernel(library, "focal_loss_forward", lambda logits, classes, settings: classes, bprop=bprop)


class SigmoidFocalLoss(nn.Cell):
    """Focal loss of each anchor, summed over the classes (Lin et al. 2017, eq. 5), stable for logits of any size.

    Args:
        num_classes: foreground classes.
        alpha: weight of the class that is present; the others get 1 - alpha.
        gamma: focusing exponent; 0 gives weighted cross entropy.
    """

    def __init__(self, num_classes: int, alpha: float, gamma: float) -> None:
        super().__init__()
        self.class_range = ops.arange(num_classes).astype(ms.int32)
        self.alpha, self.gamma = alpha, gamma
        self.settings = Tensor([alpha, gamma], ms.float32)
        self.kernel = chosen_kernel(_focal_loss_kernel)

    def construct(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Computes the loss of each anchor.

        Args:
            logits: float32[N, A, num_classes].
            classes: int32[N, A], index of the class; `num_classes` for background, negative for anchors to ignore.

        Returns:
            float32[N, A], not negative, 0 for ignored anchors.
        """
        if self.kernel is not None and fits_kernel(logits):
            return self.kernel(logits, classes, self.settings)
        targets = (classes[:, :, None] == self.class_range).astype(ms.float32)  # [N, A, C]
        terms = sigmoid_focal_terms(logits, targets, self.alpha, self.gamma)
        return terms.sum(-1) * (classes >= 0).astype(ms.float32)


def sigmoid_focal_terms(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    """Computes the loss of each element with MindSpore's operators; `alpha` and `gamma` as for `SigmoidFocalLoss`.

    Logits float32[...], targets float32[...], 1 where the class is present, else 0 -> float32[...], not negative.
    """
    signed = logits * (1.0 - 2.0 * targets)  # -x for a present class, x for an absent one
    magnitude = ops.abs(signed)
    # -ln(p_t) = softplus(signed). Half of x + |x| is relu(x) with the gradient 1/2 of softplus at 0, not 0.
    cross_entropy = 0.5 * (signed + magnitude) + ops.log1p(ops.exp(-magnitude))
    weight = (1.0 - alpha) + (2.0 * alpha - 1.0) * targets
    log_miss = signed - cross_entropy  # ln(1 - p_t); exp and log1p repeat bit for bit on a CPU, pow does not
    return weight * ops.exp(gamma * log_miss) * cross_entropy
