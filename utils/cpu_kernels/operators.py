"""The operators that are slow on a CPU: as C kernels there, as MindSpore's own operators everywhere else.

The choice is made when a Cell is constructed. Results agree to about 1e-6 relative and parameters have the same names,
so that a checkpoint does not know which choice was made.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

_stock_only = False


@contextmanager
def stock_operators() -> Iterator[None]:
    """Lets every Cell constructed in a `with` block take MindSpore's own operators, as export needs."""
    global _stock_only
    before, _stock_only = _stock_only, True
    try:
        yield
    finally:
        _stock_only = before


class Gelu(nn.Cell):
    """Exact GELU, x * Phi(x), of float32[...]."""

    def construct(self, x: Tensor) -> Tensor:
        """Returns float32[...] of the same shape."""
        return ops.gelu(x, approximate="none")


class LayerNorm(nn.Cell):
    """Layer normalisation over the last axis of float32[..., channels], with parameters gamma and beta.

    Args:
        channels: length of the last axis.
        eps: added to the variance.
    """

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.gamma = Parameter(ops.ones((channels,), ms.float32), name="gamma")
        self.beta = Parameter(ops.zeros((channels,), ms.float32), name="beta")
        self.normalise = ops.LayerNorm(begin_norm_axis=-1, begin_params_axis=-1, epsilon=eps)

    def construct(self, x: Tensor) -> Tensor:
        """Returns float32[..., channels]."""
        return self.normalise(x, self.gamma, self.beta)[0]


class Attention(nn.Cell):
    """Softmax attention, softmax(scale * q k^T) v, of each head.

    Args:
        scale: factor of the scores, usually 1 / sqrt(head width).
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.scores = ops.BatchMatMul(transpose_b=True)
        self.weighted = ops.BatchMatMul()
        self.softmax = ops.Softmax(-1)

    def construct(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attends from every query to every key.

        Args:
            query: float32[N, heads, L, width].
            key: float32[N, heads, S, width].
            value: float32[N, heads, S, width].

        Returns:
            float32[N, heads, L, width].
        """
        scores = self.scores(query * self.scale, key)   # [N, heads, L, S]
        return self.weighted(self.softmax(scores), value)


class ResizeBilinear(nn.Cell):
    """Bilinear interpolation with half-pixel centres (align_corners=False) of float32[N, C, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.resize = ops.ResizeBilinearV2(align_corners=False, half_pixel_centers=True)

    def construct(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Returns float32[N, C, height, width] for size (height, width)."""
        return self.resize(x, size)


class SoftmaxCrossEntropy(nn.Cell):
    """Softmax cross entropy of each pixel; operators are chosen so that repetition gives the same bits on a CPU."""

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Computes -ln softmax(logits)[label].

        Args:
            logits: float32[N, C, H, W].
            labels: int32[N, H, W].

        Returns:
            float32[N, H, W], 0 where the label is not in [0, C).
        """
        num_classes = logits.shape[1]
        is_valid = ops.logical_and(labels >= 0, labels < num_classes).astype(ms.float32)
        shifted = logits - ops.stop_gradient(logits.max(axis=1, keepdims=True))
        # The largest term of the sum is 1; log1p repeats bit for bit on a CPU, log does not.
        log_sum = ops.log1p(ops.exp(shifted).sum(axis=1) - 1.0)
        classes = ops.arange(num_classes).astype(ms.int32).reshape(1, num_classes, 1, 1)
        is_label = (ops.expand_dims(labels, 1) == classes).astype(ms.float32)
        return (log_sum - (shifted * is_label).sum(axis=1)) * is_valid
