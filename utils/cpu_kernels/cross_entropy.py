"""Softmax cross entropy of pixels, with logits that are enlarged on the way."""

import functools
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn, ops

from utils.cpu_kernels.choice import chosen_kernel, fits_kernel, make_kernel
from utils.cpu_kernels.resize import ResizeBilinear


@functools.cache
def _cross_entropy_kernel(library: Path) -> ops.Custom:
    """Returns (logits[N, C, h, w], labels int32[N, H, W]) -> loss[N, H, W], log_sums[N, H, W]."""
    backward = make_kernel(library, "cross_entropy_backward", lambda logits, *rest: logits)

    def bprop(
        logits: Tensor, labels: Tensor, out: tuple[Tensor, Tensor], dout: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        return backward(logits, labels, out[1], dout[0]), ops.zeros_like(labels)

    return make_kernel(library, "cross_entropy_forward", lambda logits, labels: (labels, labels), 2, bprop)


class SoftmaxCrossEntropy(nn.Cell):
    """Softmax cross entropy of each pixel, the logits being enlarged to the labels' size first if they have another.

    Operators are chosen so that repetition gives the same bits on a CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resize = ResizeBilinear()
        self.kernel = chosen_kernel(_cross_entropy_kernel)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Computes -ln softmax(logits)[label].

        Logits float32[N, C, h, w], labels int32[N, H, W] -> float32[N, H, W], 0 where the label is not in [0, C).
        """
        if self.kernel is not None and fits_kernel(logits) and labels.dtype == ms.int32:
            return self.kernel(logits, labels)[0]
        if logits.shape[2:] != labels.shape[1:]:
            logits = self.resize(logits, labels.shape[1:])
        num_classes = logits.shape[1]
        is_valid = ops.logical_and(labels >= 0, labels < num_classes).astype(ms.float32)
        shifted = logits - ops.stop_gradient(logits.max(axis=1, keepdims=True))
        # The largest term of the sum is 1; log1p repeats bit for bit on a CPU, log does not.
        log_sum = ops.log1p(ops.exp(shifted).sum(axis=1) - 1.0)
        classes = ops.arange(num_classes).astype(ms.int32).reshape(1, num_classes, 1, 1)
        is_label = (ops.expand_dims(labels, 1) == classes).astype(ms.float32)
        return (log_sum - (shifted * is_label).sum(axis=1)) * is_valid
