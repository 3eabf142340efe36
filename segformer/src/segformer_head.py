"""The all-MLP head of SegFormer (Xie et al. 2021, section 3.2, eq. 4).

Names of parameters are a file format: projections.L.{weight,bias} for level L in 0..3, fuse.weight,
norm.{gamma,beta,moving_mean,moving_variance}, classifier.{weight,bias}.
"""

from mindspore import Tensor, nn, ops

from utils.cpu_kernels.resize import ResizeBilinear

from .layers import NORM_EPS, convolution, linear, linear_init


class SegformerHead(nn.Cell):
    """Projects the four features to one width, fuses them at the size of the first, and classifies.

    As in the paper, features are projected, enlarged and concatenated (the smallest first) and then fused by a linear
    layer. All of these are linear and interpolation acts on each channel alike, so that the head computes the same by
    multiplying the two linear layers of a level first and fusing before it enlarges: the result is equal up to
    rounding, and the layer over 4 * channels at a quarter of the image's size, most of the network's work, is gone.

    Args:
        widths: channels of the four features.
        channels: width of the head.
        num_classes: number of classes.
        has_frozen_statistics: batch norm uses its moving statistics in training too, and never changes them.
    """

    def __init__(
        self, widths: tuple[int, int, int, int], channels: int, num_classes: int, has_frozen_statistics: bool = False
    ) -> None:
        super().__init__()
        self.channels = channels
        self.projections = nn.CellList([linear(width, channels) for width in widths])
        self.fuse = convolution(channels * len(widths), channels, 1, has_bias=False)
        self.norm = nn.BatchNorm2d(
            channels, eps=NORM_EPS, momentum=0.9, use_batch_statistics=False if has_frozen_statistics else None
        )
        self.resize = ResizeBilinear()
        self.classifier = nn.Conv2d(
            channels, num_classes, 1, has_bias=True, weight_init=linear_init(), bias_init="zeros"
        )

    def fused_level(self, level: int, feature: Tensor) -> Tensor:
        """Projects a level and applies its part of the fusing layer: float32[N, C, H, W] -> float32[N, D, H, W]."""
        projection = self.projections[level]
        first = (len(self.projections) - 1 - level) * self.channels  # the smallest feature comes first
        part = self.fuse.weight[:, first : first + self.channels, 0, 0]  # [D, D]
        weight = ops.expand_dims(ops.expand_dims(ops.matmul(part, projection.weight), -1), -1)  # [D, C, 1, 1]
        bias = ops.matmul(part, projection.bias).reshape(1, -1, 1, 1)
        return ops.conv2d(feature, weight.astype(feature.dtype)) + bias.astype(feature.dtype)

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
