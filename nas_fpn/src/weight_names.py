"""What other frameworks call the weights of this network: torchvision, timm, MindCV (ResNet), MMDetection (all of it).

MMDetection's names are those of mmdet v2 and v3 (`ResNet`, `NASFPN` with the merge cells of mmcv, `RetinaSepBNHead`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from utils.training.checkpoints.conversion_command import COUNTERS, MINDSPORE_REST, Content, Naming
from utils.training.checkpoints.weight_conversion import (
    MINDSPORE_NORM_VALUES,
    NORM_VALUES,
    WeightSource,
    batch_norm_sources,
    convolution_sources,
)

from .variants import LEVELS

# MMDetection's names of the seven merging cells, in the order of `nasfpn.NAS_FPN_CELLS`. Its cells gp_43_5 and gp_54_7
# have no convolution: sum_55_5 and sum_77_7 add the unconsumed input to them and have it.
MMDETECTION_CELLS = ("gp_64_4", "sum_44_4", "sum_43_3", "sum_34_4", "sum_55_5", "sum_77_7", "gp_75_6")
UNCHANGED_ORDER = (
    "order: anchors of a cell (ratio by ratio, sizes growing), classes within an anchor and (dx, dy, dw, dh) are "
    "MMDetection's here too: nothing is permuted"
)


@dataclass(frozen=True, kw_only=True)
class ResNetNaming(Naming):
    """One way to name the weights of a ResNet with bottleneck blocks.

    Attributes:
        shortcut: convolution and norm of a stage's first shortcut.
        norm_values: own name of each value of a batch norm to its name there.
        notes: what the report has to say about such weights.
    """

    block: str = "layer{number}.{block}"
    shortcut: str = "downsample"
    norm_values: Mapping[str, str] = field(default_factory=lambda: NORM_VALUES)
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> str:
        """The first convolution."""
        return "conv1"

    @property
    def marks(self) -> tuple[str, ...]:
        """The stem, and the last convolution of a bottleneck."""
        norm = self.norm_values["gamma"]
        return ("conv1.weight", f"bn1.{norm}", f"{self.block.format(stage=0, number=1, block=0)}.conv3.weight")

    def content(self, layers: Sequence[int], names: Sequence[str]) -> Content:
        """Returns what a file of these names holds, `layers` blocks in each stage."""
        sources = self.sources(layers, self.prefix_in(names) or "")
        return Content(title=self.title, sources=sources, dropped=self.dropped, notes=self.notes)

    def sources(self, layers: Sequence[int], prefix: str) -> dict[str, WeightSource]:
        """Returns the source of every parameter of the backbone."""
        sources = self._conv_norm("backbone.stem", f"{prefix}conv1", f"{prefix}bn1")
        for stage, num_blocks in enumerate(layers):
            for block in range(num_blocks):
                own = f"backbone.stages.{stage}.{block}"
                foreign = prefix + self.block.format(stage=stage, number=stage + 1, block=block)
                for index, part in enumerate(("reduce", "spatial", "expand"), start=1):
                    sources |= self._conv_norm(f"{own}.{part}", f"{foreign}.conv{index}", f"{foreign}.bn{index}")
                if block == 0:
                    shortcut = f"{foreign}.{self.shortcut}"
                    sources |= self._conv_norm(f"{own}.shortcut", f"{shortcut}.0", f"{shortcut}.1")
        return sources

    def _conv_norm(self, own: str, conv: str, norm: str) -> dict[str, WeightSource]:
        values = {f"{own}.norm.{here}": f"{norm}.{there}" for here, there in self.norm_values.items()}
        return {
            name: WeightSource((source,)) for name, source in {f"{own}.conv.weight": f"{conv}.weight", **values}.items()
        }


TORCH = ResNetNaming(
    title="a ResNet with the names of torchvision and timm",
    prefixes=("", "backbone."),
    dropped={**COUNTERS, r"(head\.)?fc\.(weight|bias)": "fc.*, the classifier of the ResNet"},
)
MINDCV = ResNetNaming(
    title="a ResNet with the names of MindCV",
    prefixes=("", "backbone."),
    shortcut="down_sample",
    norm_values=MINDSPORE_NORM_VALUES,
    dropped={**MINDSPORE_REST, r"classifier\.(weight|bias)": "classifier.*, the classifier of the ResNet"},
    notes=(
        "note: MindCV's network pads its max-pool at the right and bottom alone, this one on all sides as PyTorch's: "
        "the weights are a start for training, their features are not the same",
    ),
)
NAMINGS = (TORCH, MINDCV)


def mmdetection_content(layers: Sequence[int], stack_times: int, num_convs: int, num_classes: int) -> Content:
    """Returns what a file of the whole detector holds.

    Args:
        layers: blocks in each stage of the ResNet.
        stack_times: stacks of the pyramid.
        num_convs: convolutions in each tower of the head.
        num_classes: foreground classes.
    """
    sources = {
        **TORCH.sources(layers, "backbone."),
        **_neck_sources(stack_times),
        **_tower_sources("class_tower", "cls_convs", num_convs),
        **_tower_sources("box_tower", "reg_convs", num_convs),
        **convolution_sources("head.classify", "bbox_head.retina_cls", has_bias=True),
        **convolution_sources("head.regress", "bbox_head.retina_reg", has_bias=True),
    }
    return Content(
        title="MMDetection's RetinaNet with NAS-FPN",
        sources=sources,
        dropped=COUNTERS,
        num_classes=num_classes,
        notes=(UNCHANGED_ORDER,),
    )


def _neck_sources(stack_times: int) -> dict[str, WeightSource]:
    pairs = [(f"neck.laterals.{index}", f"neck.lateral_convs.{index}") for index in range(3)]
    pairs += [(f"neck.downsamples.{index}", f"neck.extra_downsamples.{index}.0") for index in range(2)]
    for stack in range(stack_times):
        pairs += [
            (f"neck.stacks.{stack}.merges.{row}.out_conv", f"neck.fpn_stages.{stack}.{cell}.out_conv")
            for row, cell in enumerate(MMDETECTION_CELLS)
        ]
    return {
        name: source
        for own, foreign in pairs
        for name, source in _conv_norm(own, f"{foreign}.conv", f"{foreign}.bn").items()
    }


def _tower_sources(own: str, foreign: str, num_convs: int) -> dict[str, WeightSource]:
    """Returns the sources of a tower; the file repeats the convolutions, which are one, for each level."""
    sources = {}
    for index in range(num_convs):
        layers = [f"bbox_head.{foreign}.{level}.{index}" for level in range(len(LEVELS))]
        sources[f"head.{own}.convs.{index}.weight"] = WeightSource(tuple(f"{layer}.conv.weight" for layer in layers))
        for level, layer in enumerate(layers):
            sources |= batch_norm_sources(f"head.{own}.norms.{level}.{index}", f"{layer}.bn", f"{layer}.conv.bias")
    return sources


def _conv_norm(own: str, conv: str, norm: str) -> dict[str, WeightSource]:
    """Returns the sources of a `ConvNorm`; the bias that mmcv's merge cells have before their norm is folded."""
    return {
        **convolution_sources(f"{own}.conv", conv),
        **batch_norm_sources(f"{own}.norm", norm, folded_bias=f"{conv}.bias"),
    }
