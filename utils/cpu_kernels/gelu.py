"""GELU without approximation."""

import functools
from pathlib import Path

from mindspore import Tensor, nn, ops

from utils.cpu_kernels.choice import chosen_kernel, fits_kernel, make_kernel


@functools.cache
def _gelu_kernel(library: Path) -> ops.Custom:
    """Returns x[...] -> gelu(x)."""
    backward = make_kernel(library, "gelu_backward", lambda x, dy: x)

    def bprop(x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        return (backward(x, dout),)

    return make_kernel(library, "gelu_forward", lambda x: x, bprop=bprop)


class Gelu(nn.Cell):
    """Exact GELU, x * Phi(x), of float32[...]."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = chosen_kernel(_gelu_kernel)

    def construct(self, x: Tensor) -> Tensor:
        """Returns float32[...] of the same shape."""
        if self.kernel is not None and fits_kernel(x):
            return self.kernel(x)
        return ops.gelu(x, approximate="none")
