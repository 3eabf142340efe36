"""Region proposal network (Ren et al. 2015, section 3.1), one set of weights for all pyramid levels."""

from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from utils.cpu_kernels.convolution import Convolution

STANDARD_DEVIATION = 0.01  # of a Gaussian around 0 (Ren et al. 2015, section 3.1.3)


class Rpn(nn.Cell):
    """Objectness and box deltas of every anchor.

    Args:
        in_channels: channels of the pyramid.
        feat_channels: channels between.
        anchors_per_cell: anchors of one cell of a level.
    """

    def __init__(self, in_channels: int, feat_channels: int, anchors_per_cell: int) -> None:
        super().__init__()
        self.conv = _convolution(in_channels, feat_channels, 3)
        self.classify = _convolution(feat_channels, anchors_per_cell, 1)
        self.regress = _convolution(feat_channels, anchors_per_cell * 4, 1)

    def construct(self, pyramid: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """P2 to P6 -> objectness logits float32[N, A] and deltas (dx, dy, dw, dh) float32[N, A, 4].

        A runs over levels, rows, columns and the anchors of a cell, the order of `make_anchors`.
        """
        cells: tuple[Tensor, ...] = ()
        for feature in pyramid:
            hidden = ops.relu(self.conv(feature))
            cells = (*cells, hidden.reshape(hidden.shape[0], hidden.shape[1], 1, -1))
        joined = ops.concat(cells, axis=3)  # of all levels, so that the 1x1 convolutions run once
        batch = joined.shape[0]
        objectness = ops.transpose(self.classify(joined), (0, 2, 3, 1)).reshape(batch, -1)  # [N, K, 1, L] -> [N, L * K]
        deltas = ops.transpose(self.regress(joined), (0, 2, 3, 1)).reshape(batch, -1, 4)  # [N, 4K, 1, L] -> [N, L*K, 4]
        return objectness, deltas


def _convolution(in_channels: int, out_channels: int, kernel: int) -> Convolution:
    return Convolution(
        in_channels, out_channels, kernel, has_bias=True, weight_init=Normal(STANDARD_DEVIATION), bias_init="zeros"
    )
