"""Layer normalisation over the last axis."""

import functools
from pathlib import Path

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from utils.cpu_kernels.choice import chosen_kernel, fits_kernel, make_kernel


@functools.cache
def _layer_norm_kernel(library: Path) -> ops.Custom:
    """Returns (x[..., C], gamma[C], beta[C], eps[1]) -> y[..., C]."""
    backward = make_kernel(library, "layer_norm_backward", lambda x, gamma, eps, dy: (x, gamma, gamma), 3)

    def bprop(x: Tensor, gamma: Tensor, beta: Tensor, eps: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, ...]:
        dx, dgamma, dbeta = backward(x, gamma, eps, dout)
        return dx, dgamma, dbeta, ops.zeros_like(eps)

    return make_kernel(library, "layer_norm_forward", lambda x, gamma, beta, eps: x, bprop=bprop)


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
        self.kernel = chosen_kernel(_layer_norm_kernel)

    def construct(self, x: Tensor) -> Tensor:
        """Returns float32[..., channels]."""
        if self.kernel is not None and fits_kernel(x):
            return self.kernel(x, self.gamma, self.beta, self.eps)
        return self.normalise(x, self.gamma, self.beta)[0]
