"""Tells from names and shapes what a file of weights, of PyTorch or MindSpore, holds."""

from dataclasses import dataclass

from utils.model_utils.config.base import COMMAND_LINE
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.conversion_command import COUNTERS, Content
from utils.training.checkpoints.foreign_weights import ForeignWeights

from .config import FasterRcnnConfig
from .variants import SCALES
from .weight_names import MMDETECTION, NAMINGS, Res2NetNaming, detector_sources

DETECTOR_STARTS = ("neck.lateral_convs.", "neck.fpn_convs.", "rpn_head.", "roi_head.")
CLASS_OUTPUTS, BOX_OUTPUTS = "roi_head.bbox_head.fc_cls.bias", "roi_head.bbox_head.fc_reg.bias"
UNCHANGED_ORDER = (
    "order: classes (background last), (dx, dy, dw, dh) within a class, anchors of a cell and the channels, rows and "
    "columns of a pooled RoI are MMDetection's here too: nothing is permuted"
)


@dataclass(frozen=True, kw_only=True)
class Res2NetContent(Content):
    """What a file turned out to hold.

    Attributes:
        layers: blocks of the backbone's stages.
        pools_stage1: what `res2net_stage1_pool` has to be for these weights.
    """

    layers: tuple[int, ...]
    pools_stage1: bool


def recognise(config: FasterRcnnConfig, weights: ForeignWeights, stored_pool: bool | None) -> Res2NetContent:
    """Tells what a file holds from its names and shapes.

    Args:
        config: the configuration.
        weights: the file.
        stored_pool: `res2net_stage1_pool` where the file itself says it.

    Raises:
        BadValueError: it holds no Res2Net v1b of four splits, or a detector of another kind.
    """
    names = weights.arrays
    is_detector = any(name.startswith(DETECTOR_STARTS) for name in names)
    naming, prefix = find_naming(weights, (MMDETECTION,) if is_detector else NAMINGS)
    layers = naming.blocks_in(prefix, names)
    check_blocks(config, weights, naming, prefix)
    if is_detector:
        return Res2NetContent(
            title="MMDetection's Faster R-CNN with Res2Net",
            layers=layers,
            pools_stage1=False,
            sources=detector_sources(layers),
            dropped=COUNTERS,
            num_classes=count_weight_classes(config, weights),
            notes=(UNCHANGED_ORDER,),
        )
    known = (stored_pool, naming.pools_stage1, config.res2net_stage1_pool, False)
    return Res2NetContent(
        title=naming.title,
        layers=layers,
        pools_stage1=next(value for value in known if value is not None),
        sources=naming.sources(prefix, layers),
        dropped=naming.dropped,
        notes=naming.notes,
    )


def find_naming(weights: ForeignWeights, namings: tuple[Res2NetNaming, ...]) -> tuple[Res2NetNaming, str]:
    """Returns whose names the backbone of a file has, and what stands before them.

    Raises:
        BadValueError: they are nobody's that is known, or of a Res2Net with a 7x7 stem.
    """
    for naming in namings:
        prefix = naming.prefix_in(weights.arrays)
        if prefix is not None:
            return naming, prefix
    names = weights.arrays
    if any(f"{prefix}conv1.weight" in names for prefix in ("", "backbone.")):
        raise BadValueError(
            f"'{weights.path}' has a stem of one 7x7 convolution, so it is a ResNet or a Res2Net v1 (timm's "
            "res2net50_26w_4s): wanted v1b with three 3x3 convolutions, timm's res2net50d or res2net101d"
        )
    raise BadValueError(
        f"'{weights.path}' has {len(names)} tensors ({', '.join(list(names)[:3])} ...), and none has the name of a "
        "Res2Net's first convolution in timm (conv1.0.weight), MMDetection (backbone.stem.0.weight) or MindSpore "
        "(conv1_0.weight); choose another file"
    )


def check_blocks(config: FasterRcnnConfig, weights: ForeignWeights, naming: Res2NetNaming, prefix: str) -> None:
    """Refuses blocks of another make, which would otherwise be hundreds of tensors that do not fit.

    Raises:
        BadValueError: it is a plain ResNet, the splits are of another number or width, or a shortcut has no pool.
    """
    arrays = weights.arrays
    splits = [name for index in range(64) if (name := naming.split_name(prefix, index)) in arrays]
    if not splits:
        raise BadValueError(
            f"'{weights.path}' has no {naming.split_name(prefix, 0)}, so it is no Res2Net, perhaps a "
            "ResNet-D; choose another file"
        )
    if f"{prefix}layer1.0.downsample.0.weight" in arrays:
        raise BadValueError(
            f"'{weights.path}' has shortcuts without an average pool (layer1.0.downsample.0 is a "
            "convolution), wanted Res2Net v1b, timm's res2net50d or res2net101d; choose another file"
        )
    width, inputs = (*arrays[splits[0]].shape, 0, 0)[:2]
    wanted = config.res2net_base_width
    if (len(splits), width, inputs) != (SCALES - 1, wanted, wanted):
        groups = f" in {width // inputs} groups" if 0 < inputs < width else ""
        raise BadValueError(
            f"'{weights.path}' has {len(splits) + 1} splits of {width} channels{groups} in its first block "
            f"({width}w x {len(splits) + 1}s), and this network {SCALES} of {wanted} ({wanted}w x {SCALES}s); choose a "
            "file of that kind, or set res2net_base_width where only the channels differ"
        )


def count_weight_classes(config: FasterRcnnConfig, weights: ForeignWeights) -> int:
    """Returns the number of foreground classes of a detector's file.

    Raises:
        BadValueError: it has no outputs of Faster R-CNN's RoI head, boxes are not by class, or the command line says
            another number.
    """
    outputs = [
        len(weights.arrays[name]) if name in weights.arrays and weights.arrays[name].ndim == 1 else 0
        for name in (CLASS_OUTPUTS, BOX_OUTPUTS)
    ]
    num_classes = outputs[0] - 1
    if num_classes < 1:
        raise BadValueError(
            f"'{weights.path}' has no {CLASS_OUTPUTS} for background and classes, so it is no whole "
            "Faster R-CNN of MMDetection v2 or v3; choose another file"
        )
    if outputs[1] != num_classes * 4:
        raise BadValueError(
            f"'{weights.path}' has {outputs[1]} box outputs and {num_classes} classes, wanted 4 for "
            f"each, {num_classes * 4}: boxes that all classes share are not built here"
        )
    if str(config.origin("num_classes")) == COMMAND_LINE and config.num_classes not in (
        None,
        num_classes,
        num_classes + 1,
    ):
        raise BadValueError(
            f"num_classes is {config.num_classes} and '{weights.path}' has {num_classes} classes: set "
            f"--num_classes={num_classes}, or leave it out"
        )
    return num_classes
