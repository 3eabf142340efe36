"""The inference command: pictures and videos in; these with boxes, and all detections as JSON, out."""

from utils.detection.results.inference import BoxLimit, infer_pictures, open_inputs
from utils.model_utils.config.loading import require
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging

from .config import FasterRcnnConfig
from .models.opening import open_model


def infer(config: FasterRcnnConfig) -> None:
    """Detects in `image_path`; leaves pictures, videos and detections in `infer_output_path`.

    Raises:
        UserError: a path or the checkpoint cannot be used, or none of the pictures or videos can be read.
    """
    set_up_logging()
    with open_job(config, "infer_output_path") as folder:
        model = open_model(config, require(config, "checkpoint_path", "file"))
        config = model.config
        inputs = open_inputs(require(config, "image_path"), folder)
        loaded = model.load()
        detector = loaded.picture_detector(inputs.num_images)
        limit = BoxLimit("test_max_per_img", config.test_max_per_img)
        infer_pictures(detector, inputs, folder, loaded.classes, config.picture_min_score, limit)
