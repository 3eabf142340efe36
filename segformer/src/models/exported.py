"""What predicts with an exported file, whatever engine runs it. Needs no MindSpore."""

from functools import partial
from pathlib import Path

import numpy as np

from utils.engines.exported_keys import configure_as_exported, describe_exported
from utils.engines.network import Network
from utils.engines.opening import open_exported_network
from utils.exporting.description import ModelDescription
from utils.model_utils.device_adapter import set_up_device

from ..config import SegformerConfig
from ..labels.classes import class_colours
from ..results.canvases import UnturnedCanvas
from ..results.class_maps import ClassMapPredictor, gives_class_maps
from ..results.inference import Predictor
from ..score import SUITE
from .opening import OpenedModel

__all__ = ["build_exported_predictor", "class_colours", "open_exported"]

# They ask for inputs of other sizes than the one that the file takes.
OTHER_SIZES = ("canvas_sides", "size_divisor", "canvas_keep_ratio", "slide_crop", "slide_stride")


def build_exported_predictor(
    description: ModelDescription, network: Network, *, is_mirrored_too: bool = False
) -> Predictor:
    """Builds what applies an exported network to images.

    Args:
        description: of the file.
        network: float32[N, 3, H, W] to logits float32[N, C, h, w], or to classes uint8[N, H, W].
        is_mirrored_too: add the prediction of the mirrored image.
    """
    made = description.preprocessing

    def run(images: np.ndarray) -> np.ndarray:
        return network([images])[0]

    if gives_class_maps(description):
        return ClassMapPredictor(run, mean=made.mean, std=made.std, canvas=UnturnedCanvas((made.height, made.width)))
    return Predictor(
        run, mean=made.mean, std=made.std, canvas=UnturnedCanvas((made.height, made.width)), flip=is_mirrored_too
    )


def open_exported(config: SegformerConfig, path: Path) -> OpenedModel:
    """Looks at an exported model that a command is to run in place of a checkpoint.

    Raises:
        MissingPathError: there is no such file, or no description beside it.
        BadValueError: it is no model of this suite, or the command line has a key that cannot act on it.
    """
    description = describe_exported(path, SUITE)
    made = description.preprocessing
    idle = ("eval_flip",) if gives_class_maps(description) else ()  # which adds logits
    config, description = configure_as_exported(
        config,
        description,
        path,
        device_target=config.device_target,
        fixed={
            "base_size": (made.height, made.width),
            "class_num": len(description.class_names),
            "class_names": description.class_names,
            "eval_mode": "whole",
            "eval_scales": (1.0,),
        },
        baked=(*config.keys_in("FIXED_BY_WEIGHTS"), *OTHER_SIZES, *idle),
    )

    def load() -> Predictor:
        set_up = partial(set_up_device, config.device_target, config.device_id, seed=config.seed)
        network = open_exported_network(path, description, config.engine_settings(), set_up)
        return build_exported_predictor(description, network, is_mirrored_too=config.eval_flip)

    return OpenedModel(path, config, load)
