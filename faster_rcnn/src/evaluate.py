"""The evaluation command: checkpoint in, COCO metrics out."""

from utils.detection.data.class_names import check_same_classes
from utils.detection.results.coco_metrics import format_per_class_table, format_result_block
from utils.detection.results.evaluation import evaluate_and_write
from utils.model_utils.config.loading import require
from utils.model_utils.device_adapter import set_up_device
from utils.model_utils.files import check_writable_folder
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import FasterRcnnConfig


def evaluate(config: FasterRcnnConfig) -> None:
    """Evaluates `checkpoint_path`; leaves result.json, predictions.json and pictures in `run_dir`.

    Raises:
        UserError: a path, the data or the checkpoint cannot be used.
    """
    set_up_logging()
    with open_job(config) as folder:
        config, stored = build.open_checkpoint(config, require(config, "checkpoint_path", "file"))
        check_writable_folder(folder)
        set_up_device(config.device_target, config.device_id, seed=config.seed)
        # Before the split, so that no MindRecord files are made for a checkpoint that is refused.
        network, classes = build.load_detector(config, stored)
        split = build.open_configured_split(config, is_training=False)
        build.num_classes(config, split)
        check_same_classes(classes, split.records, stored.path)
        evaluator = build.build_evaluator(config, network, split)
        evaluation = evaluate_and_write(evaluator, folder, config.num_pictures)
        print(format_per_class_table(evaluation.result))
        print(format_result_block(evaluation.result))
