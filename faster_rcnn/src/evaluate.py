"""The evaluation command: checkpoint or exported model in, COCO metrics out."""

from utils.detection.results.coco_metrics import format_result_block
from utils.detection.results.detection_counts import format_tables
from utils.detection.results.evaluation import DetectionEvaluation, evaluate_and_write
from utils.detection.results.evaluation_split import BEST_METRIC
from utils.detection.results.report.extras import extras_of
from utils.detection.results.result_json import metrics_of
from utils.model_utils.config.leaving import leave_config
from utils.model_utils.config.loading import require
from utils.model_utils.files import check_writable_folder
from utils.model_utils.moxing_adapter import open_job
from utils.training.ends.expected import check_metric
from utils.training.record.logging_setup import set_up_logging

from .config import FasterRcnnConfig
from .models.opening import open_model


def evaluate(config: FasterRcnnConfig) -> None:
    """Evaluates `checkpoint_path`; `run_dir` gets result.json, predictions.json, pictures, report.html, config.yaml.

    Raises:
        UserError: a path, the data or the checkpoint cannot be used, or the metric is not the expected one.
    """
    set_up_logging()
    with open_job(config) as folder:
        model = open_model(config, require(config, "checkpoint_path", "file"))
        config = model.config
        check_writable_folder(folder, "--run_dir")
        extras = extras_of(config, model.path, model.stored, folder)
        loaded = model.load()  # before the split, so that no MindRecord files are made for a checkpoint that is refused
        evaluator = loaded.evaluator(model.open_split(loaded.classes))
        leave_config(folder, config)
        evaluation = evaluate_and_write(evaluator, folder, config.num_pictures, _show, extras)
    check_metric(config, BEST_METRIC, metrics_of(evaluation.result)[BEST_METRIC])


def _show(evaluation: DetectionEvaluation) -> None:
    print(format_tables(evaluation.result, evaluation.detections))
    print(format_result_block(evaluation.result))
