"""The conversion command: weights of PyTorch in, a checkpoint of this suite and a report out."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from utils.model_utils.config.loading import dump_config, require
from utils.model_utils.errors import BadStateError, BadValueError
from utils.model_utils.files import make_writable_folder
from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint
from utils.training.checkpoints.foreign_weights import ForeignWeights, read_foreign_weights
from utils.training.checkpoints.weight_conversion import convert_weights, format_conversion
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import NasFpnConfig
from .weight_names import WeightTable, mmdetection_table, resnet_table

logger = logging.getLogger(__name__)

CLASS_OUTPUTS = "bbox_head.retina_cls.weight"
UNCHANGED_ORDER = (
    "order: anchors of a cell (ratio by ratio, sizes growing), classes within an anchor and (dx, dy, dw, dh) are "
    "MMDetection's here too: nothing is permuted"
)


def convert(config: NasFpnConfig) -> Path:
    """Converts `checkpoint_path` and prints the report; returns the file written.

    Raises:
        UserError: the file cannot be read, does not fit the configured network, or the output is in the way.
    """
    set_up_logging()
    source = require(config, "checkpoint_path", "file")
    output = Path(config.output) if config.output else Path(config.run_dir) / f"{source.stem}.ckpt"
    _check_output(output, config.overwrite)
    weights = read_foreign_weights(source)
    table = choose_table(config, weights)
    num_classes = 1 if table.part else count_classes(config, weights)
    network = build.build_network(config, num_classes)
    conversion = convert_weights(
        weights.arrays,
        table.sources,
        {item.name: tuple(item.shape) for item in network.get_parameters()},
        table.dropped,
        file=str(source),
        advice="give the keys of its network: resnet_layers, resnet_width, "
        "nasfpn_out_channel, nasfpn_stack_times, head_stacked_convs, num_classes",
    )
    make_writable_folder(output.parent, "--output")
    save_checkpoint(
        output, TrainingState(conversion.arrays, suite=build.SUITE, part=table.part, config_text=dump_config(config))
    )
    print(f"{source.name}: {table.title}" + (f", from its '{weights.wrapper}'" if weights.wrapper else ""))
    print(format_conversion(conversion, () if table.part else (f"classes: {num_classes}", UNCHANGED_ORDER)))
    use = f"--pre_trained={output} of train.py" if table.part else f"--checkpoint_path={output} or --pre_trained"
    print(f"written: {output} ({table.part or 'the whole detector'}; {use})")
    return output


def choose_table(config: NasFpnConfig, weights: ForeignWeights) -> WeightTable:
    """Returns the table of the kind of file that the names belong to.

    Raises:
        BadValueError: they belong to none that is known, or were trained with other attention cells.
    """
    names = weights.arrays
    if any(name.startswith(("neck.", "bbox_head.")) for name in names):
        if config.nasfpn_attention != "mmdetection":
            raise BadValueError(
                f"'{weights.path}' is of MMDetection and nasfpn_attention is {config.nasfpn_attention}, with which its "
                "weights give other outputs: set --nasfpn_attention=mmdetection, or leave --config_path out"
            )
        return mmdetection_table(config.resnet_layers, config.nasfpn_stack_times, config.head_stacked_convs)
    if "conv1.weight" in names and any(name.startswith("layer1.") for name in names):
        return resnet_table(config.resnet_layers)
    raise BadValueError(
        f"'{weights.path}' has {len(names)} tensors ({', '.join(list(names)[:3])} ...), which are neither a ResNet-50 "
        "of torchvision or timm (conv1.weight, layer1.0.conv1.weight ...) nor MMDetection's retinanet_r50_nasfpn "
        "(backbone.*, neck.*, bbox_head.*); choose another file"
    )


def count_classes(config: NasFpnConfig, weights: ForeignWeights) -> int:
    """Returns the number of foreground classes of a detector's file after checking `num_classes` against it.

    Raises:
        BadValueError: the numbers differ, or the file has no class outputs.
    """
    outputs = _class_outputs(weights.arrays)
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


def _class_outputs(arrays: Mapping[str, np.ndarray]) -> int:
    if CLASS_OUTPUTS not in arrays or arrays[CLASS_OUTPUTS].ndim != 4:
        raise BadValueError(
            f"the file has no {CLASS_OUTPUTS}, so it is no whole detector; give the file of the "
            "detector, or of the backbone alone"
        )
    return arrays[CLASS_OUTPUTS].shape[0]


def _check_output(output: Path, overwrite: bool) -> None:
    if output.is_dir():
        raise BadStateError(f"output '{output}' is a folder; give the name of a file, e.g. --output={output}/net.ckpt")
    if output.exists() and not overwrite:
        raise BadStateError(f"output '{output}' is there already; choose another --output, or --overwrite=True")
