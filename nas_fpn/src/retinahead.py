"""RetinaNet's head: towers shared over the levels, batch norm per level (MMDetection's RetinaSepBNHead)."""

from mindspore import Tensor, nn, ops

from utils.cpu_kernels.convolution import Convolution
from utils.detection.layers import FROZEN, NormSettings

from .init_params import focal_prior_bias, head_init
from .variants import LEVELS


class Tower(nn.Cell):
    """A stack of 3x3 convolutions, one set of weights for all levels, each level with its own batch norm.

    Args:
        in_channels: channels of the pyramid.
        channels: channels of each convolution.
        num_convs: convolutions in the stack.
        norm: batch norm settings.
    """

    def __init__(self, in_channels: int, channels: int, num_convs: int, norm: NormSettings) -> None:
        super().__init__()
        self.convs = nn.CellList(
            [_convolution(in_channels if index == 0 else channels, channels) for index in range(num_convs)]
        )
        self.norms = nn.CellList(
            [nn.CellList([_batch_norm(channels, norm) for _ in range(num_convs)]) for _ in range(len(LEVELS))]
        )

    def construct(self, feature: Tensor, level: int) -> Tensor:
        """float32[N, in, H, W] of level index 0-4 -> float32[N, channels, H, W]."""
        for index, conv in enumerate(self.convs):
            feature = ops.relu(self.norms[level][index](conv(feature)))
        return feature


class RetinaHead(nn.Cell):
    """Class logits and box deltas of every anchor.

    Args:
        in_channels: channels of the pyramid.
        channels: channels of the towers.
        num_convs: convolutions in each tower; 4 in the paper.
        num_anchors: anchors in each cell of a level.
        num_classes: foreground classes; each has its own sigmoid, background is none of them.
        norm: batch norm settings.
    """

    def __init__(
        self, in_channels: int, channels: int, num_convs: int, num_anchors: int, num_classes: int, norm: NormSettings
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.class_tower = Tower(in_channels, channels, num_convs, norm)
        self.box_tower = Tower(in_channels, channels, num_convs, norm)
        tower_channels = channels if num_convs else in_channels
        self.classify = _convolution(tower_channels, num_anchors * num_classes, focal_prior_bias())
        self.regress = _convolution(tower_channels, num_anchors * 4, 0.0)

    def construct(self, pyramid: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """P3 to P7 -> class logits float32[N, A, num_classes] and deltas float32[N, A, 4].

        A runs over levels, rows, columns and the anchors of a cell, the order of `make_anchors`. Deltas are
        (dx, dy, dw, dh) as in `encode_boxes`.
        """
        logits: tuple[Tensor, ...] = ()
        deltas: tuple[Tensor, ...] = ()
        for level in range(len(LEVELS)):
            batch = pyramid[level].shape[0]
            class_map = self.classify(self.class_tower(pyramid[level], level))
            delta_map = self.regress(self.box_tower(pyramid[level], level))
            # [N, K * C, H, W] -> [N, H * W * K, C]
            logits = (*logits, ops.transpose(class_map, (0, 2, 3, 1)).reshape(batch, -1, self.num_classes))
            deltas = (*deltas, ops.transpose(delta_map, (0, 2, 3, 1)).reshape(batch, -1, 4))
        return ops.concat(logits, axis=1), ops.concat(deltas, axis=1)


def _batch_norm(channels: int, settings: NormSettings) -> nn.BatchNorm2d:
    """Returns a batch norm over float32[N, channels, H, W]."""
    return nn.BatchNorm2d(
        channels,
        eps=settings.eps,
        momentum=settings.momentum,
        use_batch_statistics=False if settings.statistics == FROZEN else None,  # None: in training
    )


def _convolution(in_channels: int, out_channels: int, bias: float | None = None) -> Convolution:
    """Returns a 3x3 convolution, with biases that begin at `bias` where it is given."""
    return Convolution(
        in_channels,
        out_channels,
        3,
        has_bias=bias is not None,
        weight_init=head_init(),
        bias_init=None if bias is None else Tensor([bias] * out_channels),
    )
