"""The convolution and the batch norm that backbone, pyramid and head are made of."""

from mindspore import Tensor, nn
from mindspore.common.initializer import Initializer

from utils.cpu_kernels.convolution import Convolution
from utils.detection.layers import FROZEN, ConvNorm, NormSettings


def batch_norm(channels: int, settings: NormSettings) -> nn.BatchNorm2d:
    """Returns a batch norm over float32[N, channels, H, W]."""
    return nn.BatchNorm2d(
        channels,
        eps=settings.eps,
        momentum=settings.momentum,
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


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel: int,
    norm: NormSettings,
    *,
    stride: int = 1,
    weight_init: Initializer | None = None,
) -> ConvNorm:
    """Returns a convolution without bias, then batch norm, as two operators: detections stay the same to the bit."""
    return ConvNorm(
        in_channels, out_channels, kernel, norm, weight_init=weight_init, stride=stride, has_relu=False, is_fused=False
    )
