"""The evaluation command: checkpoint in, COCO metrics out."""

import logging

from utils.detection.data.class_names import check_same_classes
from utils.detection.results.coco_metrics import format_per_class_table, format_result_block
from utils.detection.results.result_json import write_predictions, write_result
from utils.model_utils.config.loading import require
from utils.model_utils.device_adapter import set_up_device
from utils.model_utils.files import make_writable_folder
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import FasterRcnnConfig

logger = logging.getLogger(__name__)


def evaluate(config: FasterRcnnConfig) -> None:
    """Evaluates `checkpoint_path`; leaves result.json, predictions.json and pictures in `run_dir`.

    Raises:
        UserError: a path, the data or the checkpoint cannot be used.
    """
    set_up_logging()
    with open_job(config) as folder:
        checkpoint = require(config, "checkpoint_path", "file")
        make_writable_folder(folder)
        set_up_device(config.device_target, config.device_id, seed=config.seed)
        split = build.open_configured_split(config, is_training=False)
        build.num_classes(config, split)
        config, network, classes = build.load_detector(config, checkpoint)
        check_same_classes(
            classes, split.records.class_names, checkpoint=checkpoint, annotations=split.records.files[0]
        )
        evaluation = build.build_evaluator(config, network, split).evaluate(folder / "pictures", config.num_pictures)
        write_predictions(evaluation.detections, folder)
        write_result(evaluation.result, folder)
        print(format_per_class_table(evaluation.result))
        print(format_result_block(evaluation.result))
