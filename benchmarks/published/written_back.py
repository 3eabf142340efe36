"""Writes a checkpoint that was trained here as a file of MMDetection, by the converters' tables of names."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from faster_rcnn.src.weight_names import detector_sources
from nas_fpn.src.weight_names import mmdetection_content
from utils.training.checkpoints.checkpoint import load_checkpoint
from utils.training.checkpoints.weight_conversion import WeightSource


def write_back(suite: str, checkpoint: Path, file: Path) -> dict:
    """Writes a detector's weights under MMDetection's names.

    Args:
        suite: `faster_rcnn` or `nas_fpn`.
        checkpoint: the file of this repository.
        file: the .pth file to write.

    Returns:
        The configuration of the training, with the names of the classes as `class_names`.
    """
    import torch

    state = load_checkpoint(checkpoint, suite)
    keys = yaml.safe_load(state.config_text) | {"class_names": list(state.class_names)}
    arrays = foreign_arrays(state.weights(), _sources(suite, keys))
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    torch.save({"meta": {"dataset_meta": {"classes": keys["class_names"]}}, "state_dict": tensors}, file)
    return keys


def foreign_arrays(weights: Mapping[str, np.ndarray], sources: Mapping[str, WeightSource]) -> dict[str, np.ndarray]:
    """Returns the weights under every name that they have in the other program; folded biases are 0 there."""
    arrays = {name: weights[own] for own, source in sources.items() for name in source.names}
    folded = {
        source.subtracted: np.zeros_like(weights[own])
        for own, source in sources.items()
        if source.subtracted.startswith("neck.fpn_stages")  # mmcv's merging cells alone have such a bias
    }
    return arrays | folded


def _sources(suite: str, keys: Mapping) -> Mapping[str, WeightSource]:
    if suite == "faster_rcnn":
        return detector_sources(keys["res2net_layers"])
    return mmdetection_content(
        keys["resnet_layers"], keys["nasfpn_stack_times"], keys["head_stacked_convs"], len(keys["class_names"])
    ).sources
