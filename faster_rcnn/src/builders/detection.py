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
from utils.detection.test_time.selection import Selection
from utils.engines.cell_network import CellNetwork
from utils.model_utils.workers import ALONE, Workers

from ..config import FasterRcnnConfig
from ..detect import detections_of, image_metas
from ..FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net
from .network import build_inference, input_settings


def build_detector(
    config: FasterRcnnConfig, network: FasterRcnnRes2net, class_names: Sequence[str] = (), *, is_repeated: bool = False
) -> CanvasDetectors:
    """Builds what evaluation and inference ask for detections; see `detectors.canvas_detectors`.

    The graph suppresses itself, but where a key of `TestTimeKeys` asks for something else.
    """
    rule = detectors.detection_rule(
        config,
        class_names,
        min_score=config.test_score_thr,
        nms_threshold=config.test_iou_thr,
        max_boxes=config.test_max_per_img,
    )

    def make(canvas: Size) -> NetworkDetector:
        inference = CellNetwork(build_inference(config, network, canvas, suppresses=rule.is_plain))
        select = detections_of if rule.is_plain else Selection(detections_of, rule)
        return NetworkDetector(inference, select, image_metas, second_view(rule))

    return detectors.canvas_detectors(config, input_settings(config), make, is_repeated=is_repeated)


def build_evaluator(
    config: FasterRcnnConfig,
    network: FasterRcnnRes2net,
    split: EvaluationSplit,
    workers: Workers = ALONE,
    *,
    is_repeated: bool = False,
) -> DetectionEvaluator:
    """Builds what evaluates the detector on a split, each worker its share; `is_repeated` in a training."""
    detector = build_detector(config, network, split.match.classes.names, is_repeated=is_repeated)
    return detectors.evaluator(config, detector, split, input_settings(config), config.test_batch_size, workers)


def build_picture_detector(
    config: FasterRcnnConfig,
    network: FasterRcnnRes2net,
    num_pictures: int,
    class_names: Sequence[str],
    *,
    is_repeated: bool = False,
) -> PictureDetector:
    """Builds what detects in image files; `is_repeated` where a canvas comes again after others."""
    detector = build_detector(config, network, class_names, is_repeated=is_repeated)
    return detectors.picture_detector(config, detector, num_pictures, input_settings(config), config.test_batch_size)
