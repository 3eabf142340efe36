"""The weights that a training begins with, and those of a checkpoint."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from utils.detection.builders import weights
from utils.detection.data.class_names import ClassTable
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from utils.training.checkpoints.class_outputs import ClassOutputs
from utils.training.checkpoints.loading import Classes

from ..config import NasFpnConfig
from ..retinanet_nasfpn import RetinaNetNasFpn
from .network import SUITE, build_network


def load_pretrained(
    config: NasFpnConfig, network: RetinaNetNasFpn, pretrained: Checkpoint | None, class_names: Sequence[str]
) -> None:
    """Loads the weights that a training begins with; see `weights.load_pretrained`."""
    outputs = ClassOutputs("head.classify.", groups=config.anchors_per_cell, extra=config.unused_class_outputs)
    weights.load_pretrained(
        config,
        network,
        pretrained,
        classes=Classes(class_names, (outputs,)),
        beside_backbone=("neck.", "head."),
        frozen_stages=config.frozen_stages,
        norm_statistics=config.norm_statistics,
    )


def open_checkpoint(config: NasFpnConfig, path: Path) -> tuple[NasFpnConfig, Checkpoint]:
    """Reads a checkpoint, which says what network and classes its weights are of.

    Returns:
        The configuration of its network, and the checkpoint.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is no checkpoint of this suite, or a value on the command line does not fit it.
    """
    stored = load_checkpoint(path, SUITE)
    return configure(config, stored), stored


def configure(config: NasFpnConfig, stored: Checkpoint) -> NasFpnConfig:
    """Returns the configuration of a checkpoint's network; see `open_checkpoint`."""
    return weights.configure_detector(config, stored)


def load_detector(config: NasFpnConfig, stored: Checkpoint) -> tuple[RetinaNetNasFpn, ClassTable]:
    """Builds the detector of a checkpoint and takes the weights out of it; see `open_checkpoint`.

    Raises:
        BadValueError: it is no checkpoint of this network, or `num_classes` or `coco_classes` contradicts it.
    """
    anchors = stored.length("head.regress.bias") // 4
    count = stored.length("head.classify.bias") // max(anchors, 1) - config.unused_class_outputs
    if anchors != config.anchors_per_cell or count < 1:
        raise BadValueError(
            f"'{stored.path}' has {anchors} anchors per cell and {count} classes beside unused ones, the configuration "
            f"has {config.anchors_per_cell} anchors: give the --config_path that it was trained with"
        )
    return weights.load_detector(config, stored, count, partial(build_network, config))
