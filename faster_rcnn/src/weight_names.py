"""What other programs call the weights of this network: timm, MMDetection, MindCV, MindSpore's zoo.

MMDetection's names are those of v2 and v3 (`Res2Net`, `FPN`, `RPNHead`, `Shared2FCBBoxHead`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from utils.training.checkpoints.conversion_command import COUNTERS, MINDSPORE_REST, Naming
from utils.training.checkpoints.weight_conversion import (
    MINDSPORE_NORM_VALUES,
    NORM_VALUES,
    WeightSource,
    convolution_sources,
)

from .variants import NUM_STAGES, SCALES

Pair = tuple[str, str]  # names of a convolution and of the batch norm behind it


@dataclass(frozen=True, kw_only=True)
class Res2NetNaming(Naming):
    """One way to name the weights of a Res2Net v1b.

    Attributes:
        stem: the three convolutions of the stem.
        reduce: first 1x1 convolution of a block.
        split: 3x3 convolution of split `{index}`.
        expand: last 1x1 convolution.
        first_shortcuts: convolution of the first stage's shortcut; several where there are several names for it.
        shortcuts: the same of the other stages.
        norm_values: own name of each value of a batch norm to its name there.
        pools_stage1: whether the networks of these weights average-pool the last split of stage 1's first block; None
            where the names do not tell.
        notes: what the report has to say about such weights.
    """

    stem: tuple[Pair, Pair, Pair]
    block: str = "layer{number}.{block}"
    reduce: Pair = ("conv1", "bn1")
    split: Pair = ("convs.{index}", "bns.{index}")
    expand: Pair = ("conv3", "bn3")
    first_shortcuts: tuple[Pair, ...] = (("downsample.1", "downsample.2"),)
    shortcuts: tuple[Pair, ...] = (("downsample.1", "downsample.2"),)
    norm_values: Mapping[str, str] = field(default_factory=lambda: NORM_VALUES)
    pools_stage1: bool | None = True
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> str:
        """The first convolution of the stem."""
        return self.stem[0][0]

    @property
    def marks(self) -> tuple[str, ...]:
        """The stem's first convolution and norm."""
        return (f"{self.first}.weight", f"{self.stem[0][1]}.{self.norm_values['gamma']}")

    def split_name(self, prefix: str, index: int) -> str:
        """Returns the name of the weight of a 3x3 convolution of the first block."""
        return f"{prefix}{self.block.format(stage=0, number=1, block=0)}.{self.split[0].format(index=index)}.weight"

    def sources(self, prefix: str, layers: Sequence[int]) -> dict[str, WeightSource]:
        """Returns the source of every parameter of the backbone, `layers` blocks in its stages."""
        sources: dict[str, WeightSource] = {}
        for index, pair in enumerate(self.stem):
            sources |= self._conv_norm(f"backbone.stem.{index}", prefix, (pair,))
        for stage, num_blocks in enumerate(layers):
            for block in range(num_blocks):
                foreign = f"{prefix}{self.block.format(stage=stage, number=stage + 1, block=block)}."
                sources |= self._block_sources(f"backbone.stages.{stage}.{block}", foreign)
            shortcuts = self.shortcuts if stage else self.first_shortcuts
            foreign = f"{prefix}{self.block.format(stage=stage, number=stage + 1, block=0)}."
            sources |= self._conv_norm(f"backbone.stages.{stage}.0.shortcut", foreign, shortcuts)
        return sources

    def _block_sources(self, own: str, foreign: str) -> dict[str, WeightSource]:
        sources = self._conv_norm(f"{own}.reduce", foreign, (self.reduce,))
        for index in range(SCALES - 1):
            conv, norm = (name.format(index=index) for name in self.split)
            sources |= self._conv_norm(f"{own}.splits.{index}", foreign, ((conv, norm),))
        return sources | self._conv_norm(f"{own}.expand", foreign, (self.expand,))

    def _conv_norm(self, own: str, prefix: str, pairs: Sequence[Pair]) -> dict[str, WeightSource]:
        """Returns the sources of a `ConvNorm`."""
        sources = {f"{own}.conv.weight": WeightSource(tuple(f"{prefix}{conv}.weight" for conv, _ in pairs))}
        for here, there in self.norm_values.items():
            sources[f"{own}.norm.{here}"] = WeightSource(tuple(f"{prefix}{norm}.{there}" for _, norm in pairs))
        return sources


TIMM = Res2NetNaming(
    title="a Res2Net v1b with the names of timm and of its authors",
    prefixes=("", "backbone."),
    stem=(("conv1.0", "conv1.1"), ("conv1.3", "conv1.4"), ("conv1.6", "bn1")),
    dropped={**COUNTERS, r"fc\.(weight|bias)": "fc.*, the classifier"},
)
MMDETECTION = Res2NetNaming(
    title="a Res2Net v1b with MMDetection's names",
    prefixes=("backbone.", ""),
    stem=(("stem.0", "stem.1"), ("stem.3", "stem.4"), ("stem.6", "stem.7")),
    pools_stage1=False,
    dropped={**COUNTERS, r"(head\.)?fc\.(weight|bias)": "fc.*, the classifier"},
)
MINDCV = Res2NetNaming(
    title="a Res2Net v1b with the names of MindCV",
    prefixes=("", "backbone."),
    stem=(("conv1.0", "conv1.1"), ("conv1.3", "conv1.4"), ("conv1.6", "bn1")),
    first_shortcuts=(("down_sample.0", "down_sample.1"),),
    shortcuts=(("down_sample.1", "down_sample.2"),),
    norm_values=MINDSPORE_NORM_VALUES,
    dropped={**MINDSPORE_REST, r"classifier\.(weight|bias)": "classifier.*, the classifier"},
    notes=(
        "note: MindCV's first releases pad at the right and bottom alone and take the maximum in their shortcuts, its "
        "later ones do as PyTorch and this network: of the first ones the weights are a start for training alone",
    ),
)
MINDSPORE = Res2NetNaming(
    title="a Res2Net of MindSpore's model zoo",
    prefixes=("", "backbone."),
    stem=(("conv1_0", "bn1_0"), ("conv1_1", "bn1_1"), ("conv1_2", "bn1")),
    first_shortcuts=(("down_sample_layer.0", "down_sample_layer.1"), ("conv_down_sample", "bn_down_sample")),
    shortcuts=(("down_sample_layer.1", "down_sample_layer.2"), ("conv_down_sample", "bn_down_sample")),
    norm_values=MINDSPORE_NORM_VALUES,
    dropped={
        **MINDSPORE_REST,
        r"end_point\.(weight|bias)": "end_point.*, the classifier",
        r"(fpn_ncek|rpn_with_loss|rcnn)\..*": "neck, RPN and RoI head of MindSpore's detector, which are others",
    },
    notes=(
        "note: that network pads at the right and bottom alone and takes the maximum in its shortcuts, this one as "
        "PyTorch's: the weights are a start for training, their features are not the same",
    ),
)
OWN = Res2NetNaming(
    title="a checkpoint with this suite's own names",
    prefixes=("backbone.", ""),
    stem=(("stem.0.conv", "stem.0.norm"), ("stem.1.conv", "stem.1.norm"), ("stem.2.conv", "stem.2.norm")),
    block="stages.{stage}.{block}",
    reduce=("reduce.conv", "reduce.norm"),
    split=("splits.{index}.conv", "splits.{index}.norm"),
    expand=("expand.conv", "expand.norm"),
    first_shortcuts=(("shortcut.conv", "shortcut.norm"),),
    shortcuts=(("shortcut.conv", "shortcut.norm"),),
    norm_values=MINDSPORE_NORM_VALUES,
    pools_stage1=None,
    dropped={**MINDSPORE_REST, r"(neck|rpn|rcnn)\..*": "neck, RPN and RoI head: the backbone alone is taken"},
)
NAMINGS = (TIMM, MMDETECTION, MINDCV, MINDSPORE, OWN)


def detector_sources(layers: Sequence[int]) -> dict[str, WeightSource]:
    """Returns the source of every parameter of the whole detector in MMDetection's file."""
    pairs = {
        "rpn.conv": "rpn_head.rpn_conv",
        "rpn.classify": "rpn_head.rpn_cls",
        "rpn.regress": "rpn_head.rpn_reg",
        "rcnn.shared.0": "roi_head.bbox_head.shared_fcs.0",
        "rcnn.shared.1": "roi_head.bbox_head.shared_fcs.1",
        "rcnn.classify": "roi_head.bbox_head.fc_cls",
        "rcnn.regress": "roi_head.bbox_head.fc_reg",
    }
    for level in range(NUM_STAGES):
        pairs[f"neck.laterals.{level}"] = f"neck.lateral_convs.{level}.conv"
        pairs[f"neck.outputs.{level}"] = f"neck.fpn_convs.{level}.conv"
    sources = MMDETECTION.sources("backbone.", layers)
    for own, foreign in pairs.items():
        sources |= convolution_sources(own, foreign, has_bias=True)
    return sources
