"""A linear layer over the last axis."""

import functools
from pathlib import Path

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer

from utils.cpu_kernels.choice import chosen_kernel, fits_kernel, make_kernel


@functools.cache
def _linear_kernel(library: Path) -> ops.Custom:
    """Returns (x[..., C], weight[O, C], bias[O]) -> y[..., O]."""
    backward = make_kernel(library, "linear_backward", lambda x, weight, dy: (x, weight, [weight[0]]), 3)

    def bprop(x: Tensor, weight: Tensor, bias: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, ...]:
        return backward(x, weight, dout)

    return make_kernel(library, "linear_forward", lambda x, weight, bias: [*x[:-1], weight[0]], bprop=bprop)


class Linear(nn.Dense):
    """`nn.Dense` over the last axis, with parameters weight float32[out_channels, in_channels] and bias.

    Args:
        in_channels: length of the last axis of the input.
        out_channels: length of the last axis of the result.
        weight_init: initializer of the weight; the bias starts at 0.
    """

    def __init__(self, in_channels: int, out_channels: int, weight_init: Initializer) -> None:
        super().__init__(in_channels, out_channels, weight_init=weight_init, bias_init="zeros")
        self.kernel = chosen_kernel(_linear_kernel)

    def construct(self, x: Tensor) -> Tensor:
        """float32[..., in_channels] -> float32[..., out_channels]."""
        if self.kernel is not None and fits_kernel(x):
            return self.kernel(x, self.weight, self.bias)
        product = self.matmul(x.reshape(-1, self.in_channels), self.weight)
        return self.bias_add(product, self.bias).reshape(x.shape[:-1] + (self.out_channels,))
