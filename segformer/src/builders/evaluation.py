"""What evaluates a network. No MindSpore import."""

from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.workers import ALONE, Workers

from ..config import SegformerConfig
from ..labels.files import ImagePair
from ..results.evaluation import SegmentationEvaluator
from ..results.inference import Predictor
from .classes import colours_of_classes, names_of_classes


def build_evaluator(
    config: SegformerConfig,
    predictor: Predictor,
    pairs: tuple[ImagePair, ...],
    names: tuple[str, ...] | None = None,
    workers: Workers = ALONE,
) -> SegmentationEvaluator:
    """Builds what evaluates a network on images and labels, each worker its share.

    `names` are those of the checkpoint where it has any.
    """
    return SegmentationEvaluator(
        predictor=predictor,
        pairs=pairs,
        class_names=names or names_of_classes(config),
        colours=colours_of_classes(config),
        ignore_label=config.dataset_ignore_label,
        num_loaders=clamp_loaders(config.dataset_eval_num_parallel_workers),
        log_interval=config.eval_log_interval,
        workers=workers,
    )
