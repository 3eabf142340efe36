"""The inference command: pictures, videos and a checkpoint in; these with boxes, and all detections as JSON, out."""

from utils.detection.results.inference import BoxLimit, infer_pictures, open_inputs
from utils.model_utils.config.loading import require
from utils.model_utils.device_adapter import set_up_device
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import FasterRcnnConfig


def infer(config: FasterRcnnConfig) -> None:
    """Detects in `image_path`; leaves pictures, videos and detections in `infer_output_path`.

    Raises:
        UserError: a path or the checkpoint cannot be used, or none of the pictures or videos can be read.
    """
    set_up_logging()
    with open_job(config, "infer_output_path") as folder:
        config, stored = build.open_checkpoint(config, require(config, "checkpoint_path", "file"))
        inputs = open_inputs(require(config, "image_path"), folder)
        set_up_device(config.device_target, config.device_id, seed=config.seed)
        network, classes = build.load_detector(config, stored)
        detector = build.build_picture_detector(config, network, inputs.num_images, classes.names)
        limit = BoxLimit("test_max_per_img", config.test_max_per_img)
        infer_pictures(detector, inputs, folder, classes, config.picture_min_score, limit)
