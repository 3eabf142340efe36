"""Feature pyramid (Lin et al. 2017): laterals, top-down additions, 3x3 outputs, one coarser level by subsampling."""

from mindspore import Tensor, nn
from mindspore.common.initializer import XavierUniform

from utils.cpu_kernels.convolution import Convolution
from utils.detection.layers import repeat_pixels


class FpnNeck(nn.Cell):
    """The pyramid over the backbone's features.

    Args:
        in_channels: channels of each of the backbone's features.
        out_channels: channels of every pyramid level.
        num_outs: levels put out; those beyond the backbone's take every second row and column of the one before.
    """

    def __init__(self, in_channels: tuple[int, ...], out_channels: int, num_outs: int = 5) -> None:
        super().__init__()
        self.laterals = nn.CellList([_convolution(channels, out_channels, 1) for channels in in_channels])
        self.outputs = nn.CellList([_convolution(out_channels, out_channels, 3) for _ in in_channels])
        self.num_extra = num_outs - len(in_channels)
        self.subsample = nn.MaxPool2d(kernel_size=1, stride=2, pad_mode="valid")

    def construct(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """C2 to C5, each half the size of the one before -> P2 to P6, float32[N, out, H/4, W/4] and halves of it."""
        last = len(self.laterals) - 1
        merged: tuple[Tensor, ...] = (self.laterals[last](features[last]),)
        for step in range(last):
            index = last - 1 - step
            merged = (self.laterals[index](features[index]) + repeat_pixels(merged[0], 2), *merged)
        pyramid: tuple[Tensor, ...] = ()
        for index in range(len(self.outputs)):
            pyramid = (*pyramid, self.outputs[index](merged[index]))
        for _ in range(self.num_extra):
            pyramid = (*pyramid, self.subsample(pyramid[-1]))
        return pyramid


def _convolution(in_channels: int, out_channels: int, kernel: int) -> Convolution:
    return Convolution(in_channels, out_channels, kernel, has_bias=True, weight_init=XavierUniform(), bias_init="zeros")
