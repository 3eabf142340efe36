"""What evaluation and inference detect with."""

from collections.abc import Sequence

from utils.canvas import Size
from utils.detection.builders import detectors
from utils.detection.canvases.detectors import CanvasDetectors
from utils.detection.network_detector import NetworkDetector
from utils.detection.results.evaluation import DetectionEvaluator
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.test_time.mirror import second_view
from utils.engines.cell_network import CellNetwork
from utils.model_utils.workers import ALONE, Workers

from ..config import NasFpnConfig
from ..retinanet_nasfpn import RetinaNetNasFpn
from ..score import build_selection
from .network import build_inference, build_selection_rule, input_settings

EVALUATION_BATCH_SIZE = 4  # images in a call of the network; no result depends on it


def build_detector(
    config: NasFpnConfig, network: RetinaNetNasFpn, class_names: Sequence[str] = (), *, is_repeated: bool = False
) -> CanvasDetectors:
    """Builds what evaluation and inference ask for detections; see `detectors.canvas_detectors`."""
    rule = detectors.detection_rule(
        config,
        class_names,
        min_score=config.min_score,
        nms_threshold=config.nms_threshold,
        max_boxes=config.max_boxes,
    )

    def make(canvas: Size) -> NetworkDetector:
        select = build_selection(build_selection_rule(config, canvas), rule)
        inference = CellNetwork(build_inference(config, network, canvas))
        return NetworkDetector(inference, select, second_view=second_view(rule))

    return detectors.canvas_detectors(config, input_settings(config), make, is_repeated=is_repeated)


def build_evaluator(
    config: NasFpnConfig,
    network: RetinaNetNasFpn,
    split: EvaluationSplit,
    workers: Workers = ALONE,
    *,
    is_repeated: bool = False,
) -> DetectionEvaluator:
    """Builds what evaluates the detector on a split, each worker its share; `is_repeated` in a training."""
    detector = build_detector(config, network, split.match.classes.names, is_repeated=is_repeated)
    return detectors.evaluator(config, detector, split, input_settings(config), EVALUATION_BATCH_SIZE, workers)


def build_picture_detector(
    config: NasFpnConfig,
    network: RetinaNetNasFpn,
    num_pictures: int,
    class_names: Sequence[str],
    *,
    is_repeated: bool = False,
) -> PictureDetector:
    """Builds what detects in image files; `is_repeated` where a canvas comes again after others."""
    detector = build_detector(config, network, class_names, is_repeated=is_repeated)
    return detectors.picture_detector(config, detector, num_pictures, input_settings(config), EVALUATION_BATCH_SIZE)
