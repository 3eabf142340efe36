"""NAS-FPN: the feature pyramid that architecture search found, as a table and one loop.

Two features are merged in one of two ways (paper, section 3.2, figure 5), after both have got the size of the result.
"""

from mindspore import Tensor, nn, ops

from utils.detection.layers import ConvNorm, NormSettings, repeat_pixels

from .init_params import pyramid_init
from .variants import LEVELS

# (output level, merge, two inputs). Inputs 0-4 are P3-P7; each row appends one feature. The 7-merging-cell pyramid
# found in NAS-FPN (CVPR 2019, figure 6f); the same rows as tensorflow/tpu nasfpn.py NASFPN_BLOCK_SPECS and
# MMDetection's NASFPN. An attention row names the finer feature first. An input that no row consumes is added to its
# level's output before the convolution.
NAS_FPN_CELLS = (
    (4, "attention", 1, 3),
    (4, "sum", 1, 5),
    (3, "sum", 0, 6),
    (4, "sum", 6, 7),
    (5, "attention", 7, 8),
    (7, "attention", 6, 9),
    (6, "attention", 9, 10),
)
FEATURE_LEVELS = LEVELS + tuple(row[0] for row in NAS_FPN_CELLS)


def unconsumed_inputs() -> tuple[int, ...]:
    """Returns for each row of the table the input that is added to it because no row consumes it, or -1."""
    consumed = {index for row in NAS_FPN_CELLS for index in row[2:]}
    left = {FEATURE_LEVELS[index]: index for index in range(len(LEVELS)) if index not in consumed}
    return tuple(left.get(row[0], -1) for row in NAS_FPN_CELLS)


def output_features() -> tuple[int, ...]:
    """Returns the indices of the last feature made at each level, P3 to P7."""
    return tuple(max(i for i, level in enumerate(FEATURE_LEVELS) if level == wanted) for wanted in LEVELS)


class ResizeToLevel(nn.Cell):
    """Brings a feature from one pyramid level to another: nearest up, max pool with kernel = stride = ratio down.

    Args:
        from_level: the feature's level; level l has stride 2**l.
        to_level: the level wanted.
    """

    def __init__(self, from_level: int, to_level: int) -> None:
        super().__init__()
        self.up = 2 ** max(from_level - to_level, 0)
        down = 2 ** max(to_level - from_level, 0)
        self.pool = nn.MaxPool2d(down, down, pad_mode="valid") if down > 1 else nn.Identity()

    def construct(self, feature: Tensor) -> Tensor:
        """float32[N, C, H, W] -> float32[N, C, H * up / down, W * up / down]."""
        return self.pool(feature) if self.up == 1 else repeat_pixels(feature, self.up)


class SumMerge(nn.Cell):
    """Adds two features of one size."""

    def construct(self, first: Tensor, second: Tensor) -> Tensor:
        """float32[N, C, H, W] twice -> float32[N, C, H, W]."""
        return first + second


class AttentionMerge(nn.Cell):
    """One feature plus the other, weighted by channel with the sigmoid of the first one's global pool.

    Args:
        style: "mmdetection": the finer feature is pooled, by its mean; "tpu", the code of the paper's authors: the
            coarser one, by its maximum.
    """

    def __init__(self, style: str = "mmdetection") -> None:
        super().__init__()
        self.is_tpu = style == "tpu"

    def construct(self, finer: Tensor, coarser: Tensor) -> Tensor:
        """float32[N, C, H, W] twice, already of one size -> float32[N, C, H, W]."""
        if self.is_tpu:
            return coarser + ops.sigmoid(ops.amax(coarser, (2, 3), True)) * finer  # pooled: [N, C, 1, 1]
        return finer + ops.sigmoid(ops.mean(finer, (2, 3), True)) * coarser


class MergingCell(nn.Cell):
    """One row of the table: resize two features, merge them, ReLU, 3x3 convolution, batch norm.

    Args:
        levels: pyramid levels of the first input, of the second input and of the output.
        merge: "sum" or "attention".
        channels: channels of every pyramid feature.
        norm: batch norm settings.
        attention: style of `AttentionMerge`.
    """

    def __init__(
        self, levels: tuple[int, int, int], merge: str, channels: int, norm: NormSettings, attention: str
    ) -> None:
        super().__init__()
        first_level, second_level, out_level = levels
        self.resize_first = ResizeToLevel(first_level, out_level)
        self.resize_second = ResizeToLevel(second_level, out_level)
        self.merge = SumMerge() if merge == "sum" else AttentionMerge(attention)
        self.out_conv = ConvNorm(channels, channels, 3, norm, has_relu=False, weight_init=pyramid_init())

    def construct(self, first: Tensor, second: Tensor, unconsumed: Tensor | None) -> Tensor:
        """float32[N, C, H, W] of each input's own level -> float32[N, C, H, W] of the output level."""
        merged = self.merge(self.resize_first(first), self.resize_second(second))
        if unconsumed is not None:
            merged = merged + unconsumed
        return self.out_conv(ops.relu(merged))


class NasFpnStack(nn.Cell):
    """The seven merging cells once: P3-P7 in, P3-P7 out."""

    def __init__(self, channels: int, norm: NormSettings, attention: str) -> None:
        super().__init__()
        self.merges = nn.CellList(
            [
                MergingCell((FEATURE_LEVELS[first], FEATURE_LEVELS[second], level), merge, channels, norm, attention)
                for level, merge, first, second in NAS_FPN_CELLS
            ]
        )
        self.inputs = tuple((first, second) for _, _, first, second in NAS_FPN_CELLS)
        self.unconsumed = unconsumed_inputs()
        self.outputs = output_features()

    def construct(self, pyramid: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Five float32[N, C, H/2**l, W/2**l], l = 3..7 -> the same shapes."""
        features = list(pyramid)
        for index, merge in enumerate(self.merges):
            first, second = self.inputs[index]
            unconsumed = features[self.unconsumed[index]] if self.unconsumed[index] >= 0 else None
            features.append(merge(features[first], features[second], unconsumed))
        return tuple([features[index] for index in self.outputs])


class NasFpn(nn.Cell):
    """Laterals of C3-C5, P6 and P7 by pooling, then the stacked pyramid (NAS-FPN paper, section 3).

    Args:
        in_channels: channels of C3, C4 and C5.
        channels: channels of every pyramid feature; 256 in the paper.
        stack_times: how often the seven cells are repeated; 7 in the paper's main model.
        norm: batch norm settings.
        attention: style of `AttentionMerge`.
    """

    def __init__(
        self,
        in_channels: tuple[int, int, int],
        channels: int,
        stack_times: int,
        norm: NormSettings,
        attention: str = "mmdetection",
    ) -> None:
        super().__init__()
        self.laterals = nn.CellList(
            [ConvNorm(count, channels, 1, norm, has_relu=False, weight_init=pyramid_init()) for count in in_channels]
        )
        self.downsamples = nn.CellList(
            [ConvNorm(channels, channels, 1, norm, has_relu=False, weight_init=pyramid_init()) for _ in range(2)]
        )
        self.pool = nn.MaxPool2d(2, 2, pad_mode="valid")
        self.stacks = nn.CellList([NasFpnStack(channels, norm, attention) for _ in range(stack_times)])

    def construct(self, features: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
        """C3, C4, C5 -> P3 to P7, float32[N, channels, H/2**l, W/2**l], l = 3..7."""
        pyramid: tuple[Tensor, ...] = ()
        for index, lateral in enumerate(self.laterals):
            pyramid = (*pyramid, lateral(features[index]))
        for downsample in self.downsamples:
            pyramid = (*pyramid, self.pool(downsample(pyramid[-1])))
        for stack in self.stacks:
            pyramid = stack(pyramid)
        return pyramid
