"""The operators that are slow on a CPU: as C kernels there, as MindSpore's own operators everywhere else.

The choice is made when a Cell is constructed, here and nowhere else. Results agree to about 1e-6 relative and
parameters have the same names, so that a checkpoint does not know which choice was made. Kernels compute float32
of a shape that is known when a graph is compiled; other input takes MindSpore's operators.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Initializer
from mindspore.ops import constexpr

from utils.cpu_kernels.custom import (
    attention_kernel,
    cross_entropy_kernel,
    depthwise_gelu_kernel,
    gelu_kernel,
    layer_norm_kernel,
    linear_kernel,
    resize_kernel,
)
from utils.cpu_kernels.library import kernel_library

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


def chosen_library() -> Path | None:
    """Returns the library of kernels if Cells constructed now are to use it."""
    if _stock_only or ms.get_context("device_target") != "CPU":
        return None
    return kernel_library()


def fits_kernel(x: Tensor) -> bool:
    """Returns whether a kernel can take the input: float32, of a shape known when the graph is compiled."""
    return x.dtype == ms.float32 and not ops.functional.is_sequence_value_unknown(x.shape)


@constexpr
def _resize_kernel(library: str, size: tuple[int, int]) -> ops.Custom:
    return resize_kernel(library, size)


class Gelu(nn.Cell):
    """Exact GELU, x * Phi(x), of float32[...]."""

    def __init__(self) -> None:
        super().__init__()
        library = chosen_library()
        self.kernel = gelu_kernel(library) if library else None

    def construct(self, x: Tensor) -> Tensor:
        """Returns float32[...] of the same shape."""
        if self.kernel is not None and fits_kernel(x):
            return self.kernel(x)
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
        self.eps = Tensor([eps], ms.float32)
        library = chosen_library()
        self.kernel = layer_norm_kernel(library) if library else None

    def construct(self, x: Tensor) -> Tensor:
        """Returns float32[..., channels]."""
        if self.kernel is not None and fits_kernel(x):
            return self.kernel(x, self.gamma, self.beta, self.eps)
        return self.normalise(x, self.gamma, self.beta)[0]


class Linear(nn.Dense):
    """`nn.Dense` over the last axis, with parameters weight float32[out_channels, in_channels] and bias.

    Args:
        in_channels: length of the last axis of the input.
        out_channels: length of the last axis of the result.
        weight_init: initializer of the weight; the bias starts at 0.
    """

    def __init__(self, in_channels: int, out_channels: int, weight_init: Initializer) -> None:
        super().__init__(in_channels, out_channels, weight_init=weight_init, bias_init="zeros")
        library = chosen_library()
        self.kernel = linear_kernel(library) if library else None

    def construct(self, x: Tensor) -> Tensor:
        """float32[..., in_channels] -> float32[..., out_channels]."""
        if self.kernel is not None and fits_kernel(x):
            return self.kernel(x, self.weight, self.bias)
        product = self.matmul(x.reshape(-1, self.in_channels), self.weight)
        return self.bias_add(product, self.bias).reshape(x.shape[:-1] + (self.out_channels,))


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
        scores = self.scores(query * self.scale, key)  # [N, heads, L, S]
        return self.weighted(self.softmax(scores), value)


class TokenAttention(nn.Cell):
    """Softmax attention of tokens, softmax(scale * q k^T) v in each head.

    Args:
        num_heads: heads that the channels are cut into.
        scale: factor of the scores, usually 1 / sqrt(head width).
    """

    def __init__(self, num_heads: int, scale: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attend = Attention(scale)
        self.scale = Tensor([scale], ms.float32)
        library = chosen_library()
        self.kernel = attention_kernel(library) if library else None

    def construct(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attends from every query to every key.

        Args:
            query: float32[N, L, C].
            key: float32[N, S, C].
            value: float32[N, S, C].

        Returns:
            float32[N, L, C].
        """
        q, k, v = self.split(query), self.split(key), self.split(value)  # [N, L or S, heads, width]
        if self.kernel is not None and fits_kernel(query):
            return self.kernel(q, k, v, self.scale)[0].reshape(query.shape)
        order = (0, 2, 1, 3)  # [N, L, heads, width] -> [N, heads, L, width] and back
        return (
            self.attend(q.transpose(order), k.transpose(order), v.transpose(order))
            .transpose(order)
            .reshape(query.shape)
        )

    def split(self, tokens: Tensor) -> Tensor:
        """float32[N, L, C] -> float32[N, L, heads, C / heads]."""
        batch, length, channels = tokens.shape
        return tokens.reshape(batch, length, self.num_heads, channels // self.num_heads)


class DepthwiseGelu(nn.Conv2d):
    """Depthwise 3x3 convolution with zero padding and exact GELU after it, on tokens, with parameters weight and bias.

    Args:
        channels: channels of the tokens.
        weight_init: initializer of the weight, float32[channels, 1, 3, 3]; the bias starts at 0.
    """

    def __init__(self, channels: int, weight_init: Initializer) -> None:
        super().__init__(
            channels,
            channels,
            3,
            pad_mode="pad",
            padding=1,
            group=channels,
            has_bias=True,
            weight_init=weight_init,
            bias_init="zeros",
        )
        self.gelu = Gelu()
        library = chosen_library()
        self.kernel = depthwise_gelu_kernel(library) if library else None

    def construct(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """float32[N, H * W, C] of a map of size (H, W) -> float32[N, H * W, C]."""
        batch, length, channels = tokens.shape
        if self.kernel is not None and fits_kernel(tokens):
            feature = tokens.reshape(batch, size[0], size[1], channels)
            return self.kernel(feature, self.weight, self.bias).reshape(tokens.shape)
        feature = tokens.transpose(0, 2, 1).reshape(batch, channels, *size)  # [N, H * W, C] -> [N, C, H, W]
        feature = self.gelu(self.bias_add(self.conv2d(feature, self.weight), self.bias))
        return feature.reshape(batch, channels, length).transpose(0, 2, 1)


class ResizeBilinear(nn.Cell):
    """Bilinear interpolation with half-pixel centres (align_corners=False) of float32[N, C, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.resize = ops.ResizeBilinearV2(align_corners=False, half_pixel_centers=True)
        library = chosen_library()
        self.library = str(library) if library else None

    def construct(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Returns float32[N, C, height, width] for size (height, width)."""
        if self.library is not None and fits_kernel(x):
            return _resize_kernel(self.library, size)(x)
        return self.resize(x, size)


class SoftmaxCrossEntropy(nn.Cell):
    """Softmax cross entropy of each pixel, the logits being enlarged to the labels' size first if they have another.

    Operators are chosen so that repetition gives the same bits on a CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resize = ResizeBilinear()
        library = chosen_library()
        self.kernel = cross_entropy_kernel(library) if library else None

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Computes -ln softmax(logits)[label].

        Args:
            logits: float32[N, C, h, w].
            labels: int32[N, H, W].

        Returns:
            float32[N, H, W], 0 where the label is not in [0, C).
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
