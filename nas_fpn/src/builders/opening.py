"""A checkpoint as eval.py and infer.py use it."""

from functools import partial
from pathlib import Path

from utils.detection.builders.opened_model import LoadedModel, OpenedModel
from utils.model_utils.device_adapter import set_up_device

from ..config import NasFpnConfig
from .checkpoints import load_detector, open_checkpoint
from .data import open_evaluation_split
from .detection import build_evaluator, build_picture_detector


def open_checkpoint_model(config: NasFpnConfig, path: Path) -> OpenedModel[NasFpnConfig]:
    """Looks at a checkpoint; errors as `open_checkpoint` has them."""
    config, stored = open_checkpoint(config, path)

    def load() -> LoadedModel:
        set_up_device(config.device_target, config.device_id, seed=config.seed)
        network, classes = load_detector(config, stored)
        return LoadedModel(
            classes,
            partial(build_picture_detector, config, network, class_names=classes.names),
            partial(build_evaluator, config, network),
        )

    return OpenedModel(path, config, load, partial(open_evaluation_split, config, model=f"'{stored.path}'"), stored)
