"""What both detectors detect with: in evaluation, in pictures, by the rule that the keys ask for.

Each `config` is the configuration of a detector, which has the keys of utils.detection.keys.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from utils.canvas import Size, follows_pictures, log_fixed_on_ascend
from utils.detection.canvases.detectors import CanvasDetectors
from utils.detection.detections import Detector
from utils.detection.inputs import InputSettings
from utils.detection.keys import CanvasKeys, DetectionDataKeys, RecordKeys, ResultKeys
from utils.detection.network_detector import NetworkDetector
from utils.detection.results.evaluation import DetectionEvaluator
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.test_time.keys import keys_at_test_time
from utils.detection.test_time.rules import suppression_rule, wanted_labels
from utils.detection.test_time.selection import SuppressionRule
from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.workers import ALONE, Workers

logger = logging.getLogger(__name__)


def evaluation_inputs(config: CanvasKeys, inputs: InputSettings) -> InputSettings:
    """Returns what the network takes in evaluation and inference; `inputs` are those of training and of an export."""
    return replace(inputs, rule=config.canvas_rule(inputs.size) if follows_pictures(config) else None)


def canvas_detectors(
    config: CanvasKeys, inputs: InputSettings, make: Callable[[Size], NetworkDetector], *, is_repeated: bool
) -> CanvasDetectors:
    """Builds what evaluation and inference ask for detections.

    Args:
        config: the configuration.
        inputs: those of training.
        make: makes the detector of a (height, width).
        is_repeated: a training comes back to every canvas; else each is done with when the next one comes.
    """
    log_fixed_on_ascend(config, inputs.size)
    if not is_repeated and (idle := config.format_idle_keys()):
        logger.warning("%s", idle)
    return CanvasDetectors(make, config.max_canvases if is_repeated else 1)


def evaluator(
    config: RecordKeys,
    detector: Detector,
    split: EvaluationSplit,
    inputs: InputSettings,
    batch_size: int,
    workers: Workers = ALONE,
) -> DetectionEvaluator:
    """Builds what evaluates a detector on a split, each worker its share."""
    assert isinstance(config, ResultKeys), "a detector has the keys of its results"
    return DetectionEvaluator(
        detector=detector,
        split=split,
        inputs=evaluation_inputs(config, inputs),
        batch_size=min(batch_size, split.images.num_images),
        num_loaders=clamp_loaders(config.num_parallel_workers),
        picture_min_score=config.picture_min_score,
        workers=workers,
    )


def picture_detector(
    config: DetectionDataKeys, detector: Detector, num_pictures: int, inputs: InputSettings, batch_size: int
) -> PictureDetector:
    """Builds what detects in image files."""
    assert isinstance(config, CanvasKeys), "a detector has the keys of its canvas"
    return PictureDetector(
        detector,
        evaluation_inputs(config, inputs),
        min(batch_size, num_pictures),
        clamp_loaders(config.num_parallel_workers),
    )


def detection_rule(
    config: CanvasKeys, class_names: Sequence[str], *, min_score: float, nms_threshold: float, max_boxes: int
) -> SuppressionRule:
    """Returns how candidates become detections, and says which keys are without effect.

    Args:
        config: the configuration.
        class_names: of the detector.
        min_score: the suite's key for the lowest score.
        nms_threshold: its key for the IoU of suppression.
        max_boxes: its key for the boxes of a picture.
    """
    tools = keys_at_test_time(config)
    for sentence in tools.idle_tools():
        logger.warning("%s", sentence)
    labels = wanted_labels(tools, class_names)
    return suppression_rule(tools, labels, min_score=min_score, nms_threshold=nms_threshold, max_boxes=max_boxes)
