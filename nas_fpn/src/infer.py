"""The inference command: pictures and a checkpoint in; pictures with boxes and detections.json out."""

from utils.detection.results.inference import BoxLimit, find_pictures, infer_pictures
from utils.model_utils.config.loading import require
from utils.model_utils.device_adapter import set_up_device
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import NasFpnConfig


def infer(config: NasFpnConfig) -> None:
    """Detects in `image_path`; leaves pictures and detections.json in `infer_output_path`.

    Raises:
        UserError: a path or the checkpoint cannot be used, or none of the pictures can be read.
    """
    set_up_logging()
    with open_job(config, "infer_output_path") as folder:
        config, stored = build.open_checkpoint(config, require(config, "checkpoint_path", "file"))
        files = find_pictures(require(config, "image_path"), folder)
        set_up_device(config.device_target, config.device_id, seed=config.seed)
        network, classes = build.load_detector(config, stored)
        detector = build.build_picture_detector(config, network, len(files))
        limit = BoxLimit("max_boxes", config.max_boxes)
        infer_pictures(detector, files, folder, classes, config.picture_min_score, limit)
