"""What the backbones are made of: convolution with batch norm, and the padded pools."""

from collections.abc import Callable
from dataclasses import dataclass

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import HeNormal, Initializer

from utils.cpu_kernels.convolution_norm import ConvolutionNorm
from utils.model_utils.errors import BadValueError

FROZEN, TRAINED = "frozen", "trained"


@dataclass(frozen=True)
class NormSettings:
    """How batch norm works.

    Attributes:
        statistics: "frozen": the moving statistics are used and never change, scale and shift are trained (to tune a
            pretrained network with few images per batch); "trained": training uses each batch's own statistics.
        momentum: share of the old average that is kept at each step, MindSpore's meaning (PyTorch's momentum is 1
            minus this).
        eps: added to the variance.
        is_fused: take `ConvolutionNorm`'s kernel where there is one; its last bits differ from those of its parts.

    Raises:
        BadValueError: `statistics` is neither of the two.
    """

    statistics: str
    momentum: float = 0.9
    eps: float = 1e-5
    is_fused: bool = True

    def __post_init__(self) -> None:
        if self.statistics not in (FROZEN, TRAINED):
            raise BadValueError(
                f"norm statistics are '{self.statistics}', wanted '{FROZEN}' or '{TRAINED}'; set norm_statistics"
            )


class ConvNorm(ConvolutionNorm):
    """Convolution without bias, batch norm, and a ReLU if wanted; padded as PyTorch's `padding=kernel // 2`.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        kernel: side of the kernel, odd.
        norm: batch norm settings.
        weight_init: initializer of the convolution; None for He's before a ReLU (He et al. 2015, eq. 14).
        stride: 1 or 2.
        has_relu: whether a ReLU follows.
        gamma_init: the norm's first scale, "ones" or "zeros".
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        norm: NormSettings,
        *,
        weight_init: Initializer | None = None,
        stride: int = 1,
        has_relu: bool = True,
        gamma_init: str = "ones",
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel,
            stride,
            has_relu=has_relu,
            has_fixed_statistics=norm.statistics == FROZEN,
            eps=norm.eps,
            momentum=norm.momentum,
            gamma_init=gamma_init,
            weight_init=weight_init or HeNormal(mode="fan_out", nonlinearity="relu"),
        )
        if not norm.is_fused:
            self.kernel = self.kernel_with_residual = None


class PaddedPool(nn.Cell):
    """A 3x3 pool with padding 1, zeros that count, of stride 1 or 2; with stride 2 height and width must be even.

    For the maximum that is exact where nothing is negative. The zeros are laid around the feature before the pool: a
    pool's own padding becomes an operator that ONNX does not have, and MindSpore's "same" pads other sides. With
    stride 2 and even sizes no window reaches over the last row and column.

    Args:
        pool: `nn.MaxPool2d` or `nn.AvgPool2d`.
        stride: of the pool.
    """

    def __init__(self, pool: Callable[..., nn.Cell], stride: int) -> None:
        super().__init__()
        self.pads_all_sides = stride == 1
        self.pool = pool(kernel_size=3, stride=stride, pad_mode="valid")

    def construct(self, feature: Tensor) -> Tensor:
        """float32[N, C, H, W] -> float32[N, C, H / stride, W / stride]."""
        batch, channels, _, width = feature.shape
        feature = self.pad(feature, ops.zeros((batch, channels, 1, width), feature.dtype), 2)
        column = ops.zeros((batch, channels, feature.shape[2], 1), feature.dtype)
        return self.pool(self.pad(feature, column, 3))  # ops.Pad takes five times as long on a CPU

    def pad(self, feature: Tensor, zeros: Tensor, axis: int) -> Tensor:
        """Lays zeros before the feature, and after it where all sides are padded."""
        parts = (zeros, feature, zeros) if self.pads_all_sides else (zeros, feature)
        return ops.concat(parts, axis)


def freeze(cells: list[nn.Cell]) -> None:
    """Takes the weights out of training; batch norms use their moving statistics, which then do not drift either."""
    for cell in cells:
        for parameter in cell.get_parameters():
            parameter.requires_grad = False
        for _, part in cell.cells_and_names():
            if isinstance(part, ConvolutionNorm):
                part.fix_statistics()


def repeat_pixels(feature: Tensor, factor: int) -> Tensor:
    """Repeats every row and column: float32[N, C, H, W] -> float32[N, C, H * factor, W * factor]."""
    batch, channels, height, width = feature.shape
    feature = feature.reshape(batch, channels, height, 1, width, 1)
    feature = ops.broadcast_to(feature, (batch, channels, height, factor, width, factor))
    return feature.reshape(batch, channels, height * factor, width * factor)
