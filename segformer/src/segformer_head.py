"""The two heads of SegFormer: that of the paper (Xie et al. 2021, section 3.2, eq. 4), and MMSegmentation's.

Names of parameters are a file format: fuse.weight, norm.{gamma,beta,moving_mean,moving_variance},
classifier.{weight,bias}, and for level L in 0..3 projections.L.{weight,bias} in the paper's head,
projections.L.{conv.weight,norm.{gamma,beta,moving_mean,moving_variance}} in MMSegmentation's.
"""

from collections.abc import Callable, Sequence

from mindspore import Tensor, nn, ops

from utils.cpu_kernels.convolution_norm import ConvolutionNorm
from utils.cpu_kernels.resize import ResizeBilinear

from .layers import NORM_EPS, convolution, convolution_init, linear, linear_init

NORM_MOMENTUM = 0.9  # share of the moving statistics that a step keeps, as in the paper's code


class FusingHead(nn.Cell):
    """What both heads have: features of one width are fused at the size of the first, and classified.

    As published, levels are projected, enlarged, concatenated and then fused by a linear layer. That layer is linear
    and interpolation acts on each channel alike, so that the head computes the same by fusing each level before it
    enlarges: the result is equal up to rounding, and the layer over 4 * channels at a quarter of the image's size, most
    of the network's work, is gone.

    Args:
        projections: what brings the features to one width.
        channels: that width.
        num_classes: number of classes.
        has_frozen_statistics: batch norm uses its moving statistics in training too, and never changes them.
    """

    def __init__(
        self, projections: Sequence[nn.Cell], channels: int, num_classes: int, has_frozen_statistics: bool
    ) -> None:
        super().__init__()
        self.channels = channels
        self.projections = nn.CellList(projections)
        self.fuse = convolution(channels * len(projections), channels, 1, has_bias=False)
        self.norm = nn.BatchNorm2d(
            channels,
            eps=NORM_EPS,
            momentum=NORM_MOMENTUM,
            use_batch_statistics=False if has_frozen_statistics else None,
        )
        self.resize = ResizeBilinear()
        self.classifier = nn.Conv2d(
            channels, num_classes, 1, has_bias=True, weight_init=linear_init(), bias_init="zeros"
        )

    def fused_level(self, level: int, feature: Tensor) -> Tensor:
        """Projects a level and applies its part of the fusing layer: float32[N, C, H, W] -> float32[N, D, H, W]."""
        raise NotImplementedError

    def construct(self, features: tuple[Tensor, Tensor, Tensor, Tensor], channel_scale: Tensor | None = None) -> Tensor:
        """Computes the logits.

        Args:
            features: float32[N, widths[i], H_i, W_i].
            channel_scale: float32[N, channels], what each channel is multiplied with before the classifier: 0 where
                it is dropped, else 1 / (1 - rate). None for inference.

        Returns:
            float32[N, num_classes, H_0, W_0].
        """
        size = features[0].shape[2:]
        fused = self.fused_level(0, features[0])
        for level in range(1, len(features)):
            fused = fused + self.resize(self.fused_level(level, features[level]), size)
        fused = ops.relu(self.norm(fused))
        if channel_scale is not None:
            fused = fused * ops.expand_dims(ops.expand_dims(channel_scale.astype(fused.dtype), -1), -1)
        return self.classifier(fused)


class SegformerHead(FusingHead):
    """The all-MLP head of the paper; a linear layer projects each level, and the smallest one comes first.

    Args:
        widths: channels of the four features.
        channels: width of the head.
        num_classes: number of classes.
        has_frozen_statistics: see `FusingHead`.
    """

    def __init__(
        self, widths: tuple[int, int, int, int], channels: int, num_classes: int, has_frozen_statistics: bool = False
    ) -> None:
        projections = [linear(width, channels) for width in widths]
        super().__init__(projections, channels, num_classes, has_frozen_statistics)

    def fused_level(self, level: int, feature: Tensor) -> Tensor:
        """Multiplies the two linear layers of a level first: float32[N, C, H, W] -> float32[N, D, H, W]."""
        projection = self.projections[level]
        first = (len(self.projections) - 1 - level) * self.channels  # the smallest feature comes first
        part = self.fuse.weight[:, first : first + self.channels, 0, 0]  # [D, D]
        weight = ops.expand_dims(ops.expand_dims(ops.matmul(part, projection.weight), -1), -1)  # [D, C, 1, 1]
        bias = ops.matmul(part, projection.bias).reshape(1, -1, 1, 1)
        return ops.conv2d(feature, weight.astype(feature.dtype)) + bias.astype(feature.dtype)


class MMSegmentationHead(FusingHead):
    """The head of MMSegmentation 1.x; 1x1 convolution, batch norm and ReLU project each level, the largest comes first.

    Args:
        widths: channels of the four features.
        channels: width of the head.
        num_classes: number of classes.
        has_frozen_statistics: see `FusingHead`; of the batch norms of all levels too.
    """

    def __init__(
        self, widths: tuple[int, int, int, int], channels: int, num_classes: int, has_frozen_statistics: bool = False
    ) -> None:
        projections = [
            ConvolutionNorm(
                width,
                channels,
                1,
                has_relu=True,
                has_fixed_statistics=has_frozen_statistics,
                weight_init=convolution_init(1, channels),
                eps=NORM_EPS,
                momentum=NORM_MOMENTUM,
            )
            for width in widths
        ]
        super().__init__(projections, channels, num_classes, has_frozen_statistics)

    def fused_level(self, level: int, feature: Tensor) -> Tensor:
        """Projects a level, then fuses it: float32[N, C, H, W] -> float32[N, D, H, W]."""
        first = level * self.channels
        projected = self.projections[level](feature)
        return ops.conv2d(projected, self.fuse.weight[:, first : first + self.channels].astype(projected.dtype))


HEADS: dict[str, Callable[[tuple[int, int, int, int], int, int, bool], FusingHead]] = {
    "paper": SegformerHead,
    "mmsegmentation": MMSegmentationHead,
}
