"""Res2Net v1b (Gao et al. 2019): deep stem, bottlenecks that pass on within themselves, average-pool shortcuts.

Function and order as in MMDetection's `Res2Net` and timm's `res2net50d`.
"""

from mindspore import Tensor, nn, ops

from utils.detection.layers import ConvNorm, NormSettings, PaddedPool, freeze

from ..variants import EXPANSION, SCALES


class Res2NetBlock(nn.Cell):
    """1x1 convolution, its channels split, 3x3 convolutions on all splits but the last, 1x1 convolution; a shortcut.

    Each split but a stage's first block adds the result of the split before it (figure 2b of the paper); a stage's
    first block keeps the splits apart and brings the last one to the new size by average pooling.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        split_channels: channels of one split.
        scales: number of splits, at least 2.
        norm: batch norm settings.
        is_first: whether it is its stage's first block.
        stride: of the 3x3 convolutions and of the shortcut, 2 only in a first block.
        pools_last: whether a first block of stride 1 average-pools its last split too.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        split_channels: int,
        scales: int,
        norm: NormSettings,
        *,
        is_first: bool,
        stride: int,
        pools_last: bool,
    ) -> None:
        super().__init__()
        self.is_first = is_first
        self.reduce = ConvNorm(in_channels, split_channels * scales, 1, norm)
        self.split = ops.Split(axis=1, output_num=scales)
        self.splits = nn.CellList(
            [ConvNorm(split_channels, split_channels, 3, norm, stride=stride) for _ in range(scales - 1)]
        )
        self.concat = ops.Concat(axis=1)
        pools_last = is_first and (pools_last or stride == 2)
        self.pool_last = PaddedPool(nn.AvgPool2d, stride) if pools_last else nn.Identity()
        self.expand = ConvNorm(split_channels * scales, out_channels, 1, norm, gamma_init="zeros")
        self.shortcut_pool = nn.AvgPool2d(stride, stride, pad_mode="valid") if stride == 2 else nn.Identity()
        has_shortcut = stride != 1 or in_channels != out_channels
        self.shortcut = ConvNorm(in_channels, out_channels, 1, norm, has_relu=False) if has_shortcut else nn.Identity()

    def construct(self, feature: Tensor) -> Tensor:
        """float32[N, in, H, W] -> float32[N, out, H / stride, W / stride]."""
        parts = self.split(self.reduce(feature))
        results: tuple[Tensor, ...] = ()
        for index in range(len(self.splits)):
            part = parts[index]
            if index > 0 and not self.is_first:
                part = part + results[-1]
            results = (*results, self.splits[index](part))
        joined = self.concat((*results, self.pool_last(parts[-1])))
        return self.expand(joined, self.shortcut(self.shortcut_pool(feature)))


class Res2Net(nn.Cell):
    """The backbone: image to features C2 to C5 at strides 4, 8, 16 and 32.

    Args:
        layers: blocks in each of the four stages, a value of `RES2NET_LAYERS`.
        width: channels of the stem; stage s = 0..3 puts out `width * 4 * 2**s`.
        base_width: channels of a split in the first stage, doubled in each further one.
        norm: batch norm settings.
        frozen_stages: 0 trains everything, 1 freezes the stem and stage 1, and so on up to 4.
        stage1_pool: whether stage 1's first block average-pools its last split, as timm's ImageNet weights were
            trained; MMDetection's detectors pass it on.
    """

    def __init__(
        self,
        layers: tuple[int, int, int, int],
        width: int = 64,
        base_width: int = 26,
        *,
        norm: NormSettings,
        frozen_stages: int = 1,
        stage1_pool: bool = False,
    ) -> None:
        super().__init__()
        self.stem = nn.SequentialCell(
            ConvNorm(3, width // 2, 3, norm, stride=2),
            ConvNorm(width // 2, width // 2, 3, norm),
            ConvNorm(width // 2, width, 3, norm),
        )
        self.pool = PaddedPool(nn.MaxPool2d, 2)
        in_channels, stages = width, []
        for stage, num_blocks in enumerate(layers):
            out_channels, blocks = width * EXPANSION * 2**stage, []
            for block in range(num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(
                    Res2NetBlock(
                        in_channels,
                        out_channels,
                        base_width * 2**stage,
                        SCALES,
                        norm,
                        is_first=block == 0,
                        stride=stride,
                        pools_last=stage1_pool,
                    )
                )
                in_channels = out_channels
            stages.append(nn.SequentialCell(blocks))
        self.stages = nn.CellList(stages)
        self.frozen_stages = frozen_stages
        self.out_channels = tuple(width * EXPANSION * 2**stage for stage in range(len(layers)))
        if frozen_stages:
            freeze([self.stem, *stages[:frozen_stages]])

    def construct(self, images: Tensor) -> tuple[Tensor, ...]:
        """float32[N, 3, H, W], multiples of 32 -> C2 [N, 4 * width, H/4, W/4] to C5 [N, 32 * width, H/32, W/32]."""
        feature = self.pool(self.stem(images))
        features: tuple[Tensor, ...] = ()
        for index in range(len(self.stages)):
            feature = self.stages[index](feature)
            if index < self.frozen_stages:
                feature = ops.stop_gradient(feature)  # no gradient is computed below
            features = (*features, feature)
        return features
