"""What encoder and head are made of: layers with the initial weights of the paper, and the two layouts of a feature.

A feature is either a map float32[N, C, H, W], for convolutions, or tokens float32[N, H * W, C], for linear layers.
"""

import math

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer, Normal, TruncatedNormal

from utils.cpu_kernels.linear import Linear

LINEAR_STANDARD_DEVIATION = 0.02  # of the first weights, as in the first release
NORM_EPS = 1e-5  # of every layer and batch norm, as in transformers; MMSegmentation has 1e-6 in layer norms


def linear_init() -> Initializer:
    """Returns N(0, 0.02^2) for linear layers; truncated at -2 and 2 themselves, which hardly ever cuts, as in timm."""
    return TruncatedNormal(sigma=LINEAR_STANDARD_DEVIATION)


def linear(in_channels: int, out_channels: int) -> Linear:
    """Returns a linear layer over the last axis, weight float32[out_channels, in_channels], bias 0."""
    return Linear(in_channels, out_channels, linear_init())


def convolution_init(kernel: int, out_channels: int = 1) -> Initializer:
    """Returns the initializer N(0, 2 / fan-out) (He et al. 2015, eq. 14) for `out_channels` of one group."""
    return Normal(sigma=math.sqrt(2.0 / (kernel * kernel * out_channels)))


def convolution(in_channels: int, out_channels: int, kernel: int, stride: int = 1, has_bias: bool = True) -> nn.Conv2d:
    """Returns a convolution without padding, weight initialised by `convolution_init`, bias 0."""
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride,
        pad_mode="valid",
        has_bias=has_bias,
        weight_init=convolution_init(kernel, out_channels),
        bias_init="zeros" if has_bias else None,
    )


def to_tokens(feature: Tensor) -> Tensor:
    """float32[N, C, H, W] -> float32[N, H * W, C]."""
    batch, channels, height, width = feature.shape
    return feature.reshape(batch, channels, height * width).transpose(0, 2, 1)


def to_map(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """float32[N, H * W, C] -> float32[N, C, H, W] for size (H, W)."""
    batch, _, channels = tokens.shape
    return tokens.transpose(0, 2, 1).reshape(batch, channels, *size)


def scaled(residual: Tensor, scales: Tensor | None, index: int) -> Tensor:
    """Multiplies each item of float32[N, L, C] with its number in column `index` of float32[N, ...]; None keeps it."""
    if scales is None:
        return residual
    return residual * ops.cast(scales[:, index], residual.dtype).reshape(-1, 1, 1)
