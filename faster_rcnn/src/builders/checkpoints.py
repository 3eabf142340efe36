"""The weights that a training begins with, and those of a checkpoint."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from utils.detection.builders import weights
from utils.detection.data.class_names import ClassTable
from utils.training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from utils.training.checkpoints.class_outputs import ClassOutputs
from utils.training.checkpoints.loading import Classes

from ..config import FasterRcnnConfig
from ..FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net
from ..stored_network import keys_of_weights, with_stored_network
from .network import SUITE, build_network

CLASS_OUTPUTS = (ClassOutputs("rcnn.classify.", extra=1), ClassOutputs("rcnn.regress.", values=4))


def load_pretrained(
    config: FasterRcnnConfig, network: FasterRcnnRes2net, pretrained: Checkpoint | None, class_names: Sequence[str]
) -> None:
    """Loads the weights that a training begins with; see `weights.load_pretrained`."""
    weights.load_pretrained(
        config,
        network,
        pretrained,
        classes=Classes(class_names, CLASS_OUTPUTS),
        beside_backbone=("neck.", "rpn.", "rcnn."),
        frozen_stages=config.frozen_stages,
        norm_statistics=config.norm_statistics,
    )


def open_checkpoint(config: FasterRcnnConfig, path: Path) -> tuple[FasterRcnnConfig, Checkpoint]:
    """Reads a checkpoint, which says what network and classes its weights are of.

    Returns:
        The configuration of its network, and the checkpoint.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is no checkpoint of this suite, or a value on the command line does not fit it.
    """
    stored = load_checkpoint(path, SUITE)
    return configure(config, stored), stored


def configure(config: FasterRcnnConfig, stored: Checkpoint) -> FasterRcnnConfig:
    """Returns the configuration of a checkpoint's network; see `open_checkpoint`."""
    config = weights.configure_detector(config, stored, keys_of_weights(stored))
    return with_stored_network(config, stored)


def load_detector(config: FasterRcnnConfig, stored: Checkpoint) -> tuple[FasterRcnnRes2net, ClassTable]:
    """Builds the detector of a checkpoint and takes the weights out of it; see `open_checkpoint`.

    Raises:
        BadValueError: it is no checkpoint of this network, or `num_classes` or `coco_classes` contradicts it.
    """
    count = stored.length("rcnn.classify.bias") - 1
    return weights.load_detector(config, stored, count, partial(build_network, config))
