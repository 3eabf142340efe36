"""What applies the network to images, and evaluates it."""

from collections.abc import Callable

import mindspore as ms

from utils.exporting.description import ModelDescription
from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.workers import ALONE, Workers

from ..config import SegformerConfig
from ..labels.files import ImagePair
from ..results.canvases import UnturnedCanvas
from ..results.evaluation import SegmentationEvaluator
from ..results.inference import Predictor
from ..segformer import Segformer
from .classes import colours_of_classes, names_of_classes
from .scales import build_canvas


def build_predictor(config: SegformerConfig, network: Segformer) -> Predictor:
    """Builds what applies the network to images as the evaluation keys say."""
    return Predictor(
        network,
        mean=config.img_norm_mean,
        std=config.img_norm_std,
        canvas=build_canvas(config),
        mode=config.eval_mode,
        slide_crop=config.slide_crop,
        slide_stride=config.slide_stride,
        flip=config.eval_flip,
        scales=config.eval_scales,
        max_canvases=config.max_canvases,
    )


def build_exported_predictor(description: ModelDescription, network: Callable[[ms.Tensor], ms.Tensor]) -> Predictor:
    """Builds what applies an exported file to images; `network` is what was read of it."""
    made = description.preprocessing
    return Predictor(network, mean=made.mean, std=made.std, canvas=UnturnedCanvas((made.height, made.width)))


def build_evaluator(
    config: SegformerConfig,
    network: Segformer,
    pairs: tuple[ImagePair, ...],
    names: tuple[str, ...] | None = None,
    workers: Workers = ALONE,
) -> SegmentationEvaluator:
    """Builds what evaluates the network on images and labels, each worker its share.

    `names` are those of the checkpoint where it has any.
    """
    return SegmentationEvaluator(
        predictor=build_predictor(config, network),
        pairs=pairs,
        class_names=names or names_of_classes(config),
        colours=colours_of_classes(config),
        ignore_label=config.dataset_ignore_label,
        num_loaders=clamp_loaders(config.dataset_eval_num_parallel_workers),
        log_interval=config.eval_log_interval,
        workers=workers,
    )
