"""The conversion command: weights of PyTorch or MindSpore in, a checkpoint of this suite and a report out."""

import shlex
from dataclasses import replace
from pathlib import Path

from utils.detection.data.published_detector import converted_classes, with_recipe
from utils.model_utils.config.base import COMMAND_LINE
from utils.model_utils.config.loading import dump_config, require
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.conversion_command import Content, choose_output, read_weights, write_converted
from utils.training.checkpoints.foreign_weights import ForeignWeights
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import NasFpnConfig
from .weight_names import NAMINGS, mmdetection_content

RECIPE = "retinanet_nasfpn_mmdet.yaml"  # sizes, canvas and thresholds of MMDetection's detector
THRESHOLDS = {  # own key to names in its test_cfg
    "min_score": ("score_thr",),
    "nms_threshold": ("nms", "iou_threshold"),
    "nms_pre": ("nms_pre",),
    "max_boxes": ("max_per_img",),
}
PYRAMID = "neck.fpn_stages."
CLASS_OUTPUTS = "bbox_head.retina_cls.weight"
ADVICE = (
    "give the keys of its network: resnet_layers, resnet_width, nasfpn_out_channel, nasfpn_stack_times, "
    "head_stacked_convs, num_classes"
)


def convert(config: NasFpnConfig) -> Path:
    """Converts `checkpoint_path` and prints the report; returns the file written.

    Raises:
        UserError: the file cannot be read, does not fit the configured network, or the output is in the way.
    """
    set_up_logging()
    source = require(config, "checkpoint_path", "file")
    output = choose_output(config.output, source, Path(config.run_dir), config.overwrite)
    weights, _ = read_weights(source, build.SUITE, averaged=config.ema)
    content = recognise(config, weights)
    notes: tuple[str, ...] = ()
    if not content.part:
        config, notes = with_recipe(config, weights, RECIPE, config.SIZE_MULTIPLE, THRESHOLDS)
    classes = converted_classes(config, config.coco_classes, content.num_classes, weights)
    config = with_content(config, content)
    report = write_converted(
        output,
        weights,
        replace(content, notes=(*classes.notes, *content.notes, *notes)),
        build.build_network(config, content.num_classes or 1),
        flag="--output",
        suite=build.SUITE,
        config_text=dump_config(config),
        advice=ADVICE,
        class_names=classes.names,
        category_ids=classes.category_ids,
    )
    print(report)
    use = "train.py --coco_root=COCO --pre_trained" if content.part else "eval.py --coco_root=COCO --checkpoint_path"
    print(f"written: {output} (the {content.part or 'whole detector'}: {use}={shlex.quote(str(output))})")
    return output


def with_content(config: NasFpnConfig, content: Content) -> NasFpnConfig:
    """Returns the configuration of the network that the file is of."""
    if content.num_classes is None:
        return config
    names = config.coco_classes if len(config.coco_classes or ()) == content.num_classes else None
    return config.model_copy(update={"num_classes": content.num_classes, "coco_classes": names})


def recognise(config: NasFpnConfig, weights: ForeignWeights) -> Content:
    """Tells what a file holds from its names and shapes.

    Raises:
        BadValueError: it is of no network that is known, was trained with other attention cells, or has another number
            of classes.
    """
    names = weights.arrays
    if any(name.startswith(("neck.", "bbox_head.")) for name in names):
        if config.nasfpn_attention != "mmdetection":
            raise BadValueError(
                f"'{weights.path}' is of MMDetection and nasfpn_attention is {config.nasfpn_attention}, with which its "
                "weights give other outputs: set --nasfpn_attention=mmdetection, or leave --config_path out"
            )
        if not any(name.startswith(PYRAMID) for name in names):
            raise BadValueError(
                f"'{weights.path}' has no {PYRAMID}*, so it is of a detector without NAS-FPN's pyramid: wanted "
                "MMDetection's retinanet_r50_nasfpn, or a ResNet-50 alone"
            )
        num_classes = count_weight_classes(config, weights)
        return mmdetection_content(
            config.resnet_layers, config.nasfpn_stack_times, config.head_stacked_convs, num_classes
        )
    naming = next((naming for naming in NAMINGS if naming.prefix_in(names) is not None), None)
    if naming is not None:
        return naming.content(config.resnet_layers, list(names))
    raise BadValueError(
        f"'{weights.path}' has {len(names)} tensors ({', '.join(list(names)[:3])} ...), which are neither a ResNet-50 "
        "of torchvision, timm or MindCV (conv1.weight, layer1.0.conv3.weight ...) nor MMDetection's "
        "retinanet_r50_nasfpn (backbone.*, neck.*, bbox_head.*); choose another file"
    )


def count_weight_classes(config: NasFpnConfig, weights: ForeignWeights) -> int:
    """Returns the number of foreground classes of a detector's file after checking `num_classes` against it.

    Raises:
        BadValueError: the numbers differ, or the file has no class outputs.
    """
    arrays = weights.arrays
    if CLASS_OUTPUTS not in arrays or arrays[CLASS_OUTPUTS].ndim != 4:
        raise BadValueError(
            f"the file has no {CLASS_OUTPUTS}, so it is no whole detector; give the file of the "
            "detector, or of the backbone alone"
        )
    outputs = arrays[CLASS_OUTPUTS].shape[0]
    num_classes, rest = divmod(outputs, config.anchors_per_cell)
    if rest or num_classes <= config.unused_class_outputs:
        raise BadValueError(
            f"'{weights.path}' has {outputs} class outputs, no multiple of the {config.anchors_per_cell} anchors of a "
            "cell: set anchor_scales_per_octave and anchor_ratios as its network has them"
        )
    num_classes -= config.unused_class_outputs
    is_typed = str(config.origin("num_classes")) == COMMAND_LINE
    if is_typed and config.num_classes not in (None, num_classes, num_classes + 1):
        raise BadValueError(
            f"num_classes is {config.num_classes} and '{weights.path}' has {num_classes} classes: set "
            f"--num_classes={num_classes}, or leave it out"
        )
    return num_classes
