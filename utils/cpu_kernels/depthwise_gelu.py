"""Depthwise 3x3 convolution of tokens, and GELU after it, in one kernel."""

import functools
from pathlib import Path

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer

from utils.cpu_kernels.choice import chosen_kernel, fits_kernel, make_kernel
from utils.cpu_kernels.gelu import Gelu


@functools.cache
def _depthwise_gelu_kernel(library: Path) -> ops.Custom:
    """Returns (x[N, H, W, C], weight[C, 1, 3, 3], bias[C]) -> y[N, H, W, C]."""
    backward = make_kernel(library, "depthwise_gelu_backward", lambda x, weight, bias, dy: (x, weight, bias), 3)

    def bprop(x: Tensor, weight: Tensor, bias: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, ...]:
        return backward(x, weight, bias, dout)

    return make_kernel(library, "depthwise_gelu_forward", lambda x, weight, bias: x, bprop=bprop)


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
        self.kernel = chosen_kernel(_depthwise_gelu_kernel)

    def construct(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """float32[N, H * W, C] of a map of size (H, W) -> float32[N, H * W, C]."""
        batch, length, channels = tokens.shape
        if self.kernel is not None and fits_kernel(tokens):
            feature = tokens.reshape(batch, size[0], size[1], channels)
            return self.kernel(feature, self.weight, self.bias).reshape(tokens.shape)
        feature = tokens.transpose(0, 2, 1).reshape(batch, channels, *size)  # [N, H * W, C] -> [N, C, H, W]
        feature = self.gelu(self.bias_add(self.conv2d(feature, self.weight), self.bias))
        return feature.reshape(batch, channels, length).transpose(0, 2, 1)
