"""ResNet with bottleneck blocks (He et al. 2016, table 1), strides on the 3x3 convolutions as in torchvision."""

from mindspore import Tensor, nn, ops

from utils.detection.layers import ConvNorm, NormSettings, PaddedPool, freeze

from .variants import EXPANSION


class Bottleneck(nn.Cell):
    """1x1, 3x3 and 1x1 convolutions around a shortcut.

    Args:
        in_channels: channels of the input.
        width: channels of the 3x3 convolution; the block puts out `width * 4`.
        stride: stride of the 3x3 convolution and of the shortcut.
        norm: batch norm settings.
    """

    def __init__(self, in_channels: int, width: int, stride: int, norm: NormSettings) -> None:
        super().__init__()
        out_channels = width * EXPANSION
        self.reduce = ConvNorm(in_channels, width, 1, norm, has_relu=False)
        self.spatial = ConvNorm(width, width, 3, norm, has_relu=False, stride=stride)
        self.expand = ConvNorm(width, out_channels, 1, norm, has_relu=False)
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = ConvNorm(in_channels, out_channels, 1, norm, has_relu=False, stride=stride)

    def construct(self, feature: Tensor) -> Tensor:
        """float32[N, in, H, W] -> float32[N, width * 4, H / stride, W / stride]."""
        residual = ops.relu(self.reduce(feature))
        residual = ops.relu(self.spatial(residual))
        return ops.relu(self.expand(residual) + self.shortcut(feature))


class ResNet(nn.Cell):
    """The backbone: image to features C3, C4 and C5 at strides 8, 16 and 32.

    Args:
        layers: blocks in each of the four stages; ResNet-50 is (3, 4, 6, 3).
        width: channels of the stem and of the first stage's 3x3 convolutions; 64 in the paper.
        norm: batch norm settings.
        frozen_stages: 0 trains everything, 1 freezes the stem and stage 1, and so on up to 4.
    """

    def __init__(
        self, layers: tuple[int, int, int, int], width: int, norm: NormSettings, frozen_stages: int = 0
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(3, width, 7, norm, has_relu=False, stride=2)
        self.pool = PaddedPool(nn.MaxPool2d, 2)
        in_channels = width
        stages = []
        for index, num_blocks in enumerate(layers):
            stage_width = width * 2**index
            blocks = [Bottleneck(in_channels, stage_width, 1 if index == 0 else 2, norm)]
            in_channels = stage_width * EXPANSION
            blocks += [Bottleneck(in_channels, stage_width, 1, norm) for _ in range(num_blocks - 1)]
            stages.append(nn.SequentialCell(blocks))
        self.stages = nn.CellList(stages)
        if frozen_stages:
            freeze([self.stem, *stages[:frozen_stages]])

    def construct(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """float32[N, 3, H, W] -> C3 [N, 8 * width, H/8, W/8], C4 and C5 with twice the channels, half the size each."""
        feature = self.pool(ops.relu(self.stem(images)))
        features = []
        for stage in self.stages:
            feature = stage(feature)
            features.append(feature)
        return features[1], features[2], features[3]
