"""Bilinear interpolation with half-pixel centres."""

import functools
from pathlib import Path

from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from utils.cpu_kernels.choice import chosen_library, fits_kernel, make_kernel


@functools.cache
def _resize_kernel(library: Path, size: tuple[int, int]) -> ops.Custom:
    """Returns x[N, C, h, w] -> y[N, C, *size]."""
    backward = make_kernel(library, "resize_backward", lambda dy, x: x)

    def bprop(x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        return (backward(dout, x),)

    return make_kernel(library, "resize_forward", lambda x: [x[0], x[1], *size], bprop=bprop, case=str(size))


@constexpr
def _kernel_for(library: str, size: tuple[int, int]) -> ops.Custom:
    """Returns the kernel while a graph is compiled, where the size is first known; a graph knows no Path."""
    return _resize_kernel(Path(library), size)


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
            return _kernel_for(self.library, size)(x)
        return self.resize(x, size)
