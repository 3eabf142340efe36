"""The RoI head: two fully connected layers that classification and box regression share (Lin et al. 2017, 4.2)."""

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal, XavierUniform

from utils.cpu_kernels.linear import Linear

CLASSIFY_DEVIATION, REGRESS_DEVIATION = 0.01, 0.001  # of a Gaussian around 0 (Girshick 2015, section 2.3)


class Rcnn(nn.Cell):
    """Class logits and box deltas of every RoI.

    Args:
        in_channels: channels of the pooled features.
        roi_size: their height and width.
        fc_channels: channels of the two layers.
        num_classes: foreground classes C; background is one more output, the last.
    """

    def __init__(self, in_channels: int, roi_size: int = 7, fc_channels: int = 1024, *, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.shared = nn.CellList(
            [
                Linear(in_channels * roi_size**2, fc_channels, XavierUniform()),
                Linear(fc_channels, fc_channels, XavierUniform()),
            ]
        )
        self.classify = Linear(fc_channels, num_classes + 1, Normal(CLASSIFY_DEVIATION))
        self.regress = Linear(fc_channels, num_classes * 4, Normal(REGRESS_DEVIATION))

    def construct(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """float32[M, in, size, size] -> logits float32[M, C + 1] and deltas (dx, dy, dw, dh) float32[M, C, 4]."""
        hidden = pooled.reshape(pooled.shape[0], -1)  # [M, in, size, size] -> [M, in * size * size]
        for layer in self.shared:
            hidden = ops.relu(layer(hidden))
        return self.classify(hidden), self.regress(hidden).reshape(-1, self.num_classes, 4)
