"""The convolution with batch norm that backbone, pyramid and head are made of."""

from dataclasses import dataclass

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Initializer

from utils.cpu_kernels.convolution import Convolution
from utils.model_utils.errors import BadValueError

FROZEN, TRAINED = "frozen", "trained"


@dataclass(frozen=True)
class NormSettings:
    """How batch norm works.

    Attributes:
        momentum: share of the old average that is kept at each step, MindSpore's meaning (PyTorch's momentum is 1
            minus this).
        eps: added to the variance.
        statistics: "trained": training uses each batch's own statistics; "frozen": the moving statistics are used and
            never change, scale and shift are trained (to tune a pretrained network with few images per batch).

    Raises:
        BadValueError: `statistics` is neither of the two.
    """

    momentum: float = 0.9
    eps: float = 1e-5
    statistics: str = TRAINED

    def __post_init__(self) -> None:
        if self.statistics not in (FROZEN, TRAINED):
            raise BadValueError(
                f"norm statistics are '{self.statistics}', wanted '{FROZEN}' or '{TRAINED}'; set norm_statistics"
            )


def batch_norm(channels: int, settings: NormSettings, gamma_init: str = "ones") -> nn.BatchNorm2d:
    """Returns a batch norm over float32[N, channels, H, W]."""
    return nn.BatchNorm2d(
        channels,
        eps=settings.eps,
        momentum=settings.momentum,
        gamma_init=gamma_init,
        use_batch_statistics=False if settings.statistics == FROZEN else None,  # None: in training
    )


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: int,
    weight_init: Initializer,
    stride: int = 1,
    has_bias: bool = False,
    bias_init: float = 0.0,
) -> Convolution:
    """Returns a convolution that pads like PyTorch's `padding=kernel // 2`, on all four sides also with a stride."""
    return Convolution(
        in_channels,
        out_channels,
        kernel,
        stride,
        has_bias=has_bias,
        weight_init=weight_init,
        bias_init=Tensor([bias_init] * out_channels) if has_bias else None,
    )


class ConvNorm(nn.Cell):
    """Convolution without bias, then batch norm: float32[N, in, H, W] -> float32[N, out, H / stride, W / stride]."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        weight_init: Initializer,
        norm: NormSettings,
        stride: int = 1,
        gamma_init: str = "ones",
    ) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, kernel, weight_init, stride)
        self.norm = batch_norm(out_channels, norm, gamma_init)

    def construct(self, feature: Tensor) -> Tensor:
        """Applies both."""
        return self.norm(self.conv(feature))


class StemMaxPool(nn.Cell):
    """Max pool 3x3 with stride 2 and padding 1 of a feature that is nowhere negative and has even height and width.

    A row and a column of zeros before the first ones stand for the padding: exact after a ReLU, and made of operators
    that every export format has (a padded pool becomes MaxPool3DWithArgmax, which ONNX export refuses). With even
    sizes no window reaches over the last row or column.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2, pad_mode="valid")

    def construct(self, feature: Tensor) -> Tensor:
        """Pools float32[N, C, H, W] to float32[N, C, H / 2, W / 2]."""
        batch, channels, height, width = feature.shape
        feature = ops.concat((ops.zeros((batch, channels, 1, width), feature.dtype), feature), axis=2)
        feature = ops.concat((ops.zeros((batch, channels, height + 1, 1), feature.dtype), feature), axis=3)
        return self.pool(feature)
