"""The conversion command: weights of PyTorch in, a checkpoint of this suite and a report out."""

from pathlib import Path

from utils.model_utils.config.loading import dump_config, require
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.conversion_command import Content, choose_output, write_converted
from utils.training.checkpoints.foreign_weights import ForeignWeights, read_foreign_weights
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import NasFpnConfig
from .weight_names import mmdetection_content, resnet_content

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
    weights = read_foreign_weights(source)
    content = recognise(config, weights)
    network = build.build_network(config, content.num_classes or 1)
    print(
        write_converted(
            output,
            weights,
            content,
            network,
            flag="--output",
            suite=build.SUITE,
            config_text=dump_config(config),
            advice=ADVICE,
        )
    )
    use = f"--pre_trained={output} of train.py" if content.part else f"--checkpoint_path={output} or --pre_trained"
    print(f"written: {output} ({content.part or 'the whole detector'}; {use})")
    return output


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
        num_classes = count_weight_classes(config, weights)
        return mmdetection_content(
            config.resnet_layers, config.nasfpn_stack_times, config.head_stacked_convs, num_classes
        )
    if "conv1.weight" in names and any(name.startswith("layer1.") for name in names):
        return resnet_content(config.resnet_layers)
    raise BadValueError(
        f"'{weights.path}' has {len(names)} tensors ({', '.join(list(names)[:3])} ...), which are neither a ResNet-50 "
        "of torchvision or timm (conv1.weight, layer1.0.conv1.weight ...) nor MMDetection's retinanet_r50_nasfpn "
        "(backbone.*, neck.*, bbox_head.*); choose another file"
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
    if config.num_classes not in (None, num_classes, num_classes + 1):
        raise BadValueError(
            f"num_classes is {config.num_classes} and '{weights.path}' has {num_classes} classes: set "
            f"--num_classes={num_classes}, or null to take the file's"
        )
    return num_classes
