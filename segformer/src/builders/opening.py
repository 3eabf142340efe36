"""A checkpoint as eval.py and infer.py use it."""

from pathlib import Path

from utils.model_utils.device_adapter import set_up_device

from ..config import SegformerConfig
from ..models.opening import OpenedModel
from ..picture_scale import scale_of_training
from ..results.inference import Predictor
from .checkpoints import load_network, open_checkpoint
from .prediction import build_predictor


def open_checkpoint_model(config: SegformerConfig, path: Path) -> OpenedModel:
    """Looks at a checkpoint; errors as `open_checkpoint` has them."""
    config, stored = open_checkpoint(config, path)

    def load() -> Predictor:
        set_up_device(config.device_target, config.device_id, seed=config.seed)
        return build_predictor(config, load_network(config, stored))

    return OpenedModel(path, config, load, scale_of_training(stored))
