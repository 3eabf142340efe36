"""The evaluation command: checkpoint or exported model in, IoU of each class and their mean out."""

import logging
from collections.abc import Sequence

from utils.model_utils.config.leaving import leave_config
from utils.model_utils.config.loading import require
from utils.model_utils.errors import BadValueError
from utils.model_utils.files import check_writable_folder
from utils.model_utils.moxing_adapter import open_job
from utils.training.ends.expected import check_metric
from utils.training.record.logging_setup import set_up_logging

from .builders.classes import colours_of_classes, names_of_classes
from .builders.data import open_split
from .builders.evaluation import build_evaluator
from .builders.scales import log_scales
from .config import SegformerConfig
from .labels.classes import CITYSCAPES_CLASS_NAMES
from .models.opening import open_model
from .results.evaluation import format_total, write_pictures
from .results.extremes import Extremes
from .results.page import write_page
from .results.report import write_and_print

NUM_WORST, NUM_BEST = 8, 4  # pictures of the report: more would make the file too large to send

logger = logging.getLogger(__name__)


def evaluate(config: SegformerConfig) -> None:
    """Evaluates `eval_ckpt_path`.

    `run_dir` gets config.yaml (eval_config.yaml in the folder of a training run), result.json, confusion_matrix.png,
    pictures, report.html (`make_report`) and, with `save_predictions`, predictions.

    Raises:
        UserError: a path, the data or the checkpoint cannot be used, or the metric is not the expected one.
    """
    set_up_logging()
    for note in config.notes():
        logger.info("%s", note)
    with open_job(config) as folder:
        checkpoint = require(config, "eval_ckpt_path", "file")
        model = open_model(config, checkpoint)
        config = model.config
        class_names = names_of_classes(config)
        if config.save_predictions:
            refuse_other_classes(class_names)
        check_writable_folder(folder, "--run_dir")
        pairs = open_split(config, is_training=False)
        log_scales(config, [pair.image for pair in pairs], "evaluation", model.trained)
        evaluator = build_evaluator(config, model.load(), pairs, class_names)
        leave_config(folder, config)
        predictions = folder / "predictions" if config.save_predictions else None
        extremes = Extremes(NUM_WORST, NUM_BEST) if config.make_report else None
        evaluation = evaluator.evaluate(config.num_pictures, predictions, extremes)
        how = evaluator.predictor.describe()
        write_and_print(evaluation, evaluator.class_names, how, checkpoint, folder, name=checkpoint.name)
        write_pictures(evaluation, evaluator.class_names, folder)
        if extremes is not None:
            about = {"checkpoint": str(checkpoint), "data": str(config.data_path), "how": how}
            colours = colours_of_classes(config)
            write_page(evaluation, extremes, evaluator.class_names, colours, about, folder)
        print(format_total(evaluation.seconds))
    check_metric(config, "mIoU", evaluation.matrix.mean_iou())


def refuse_other_classes(class_names: Sequence[str]) -> None:
    """Refuses classes that have no label ids.

    Raises:
        BadValueError: the classes are not the 19 of Cityscapes.
    """
    if tuple(class_names) != CITYSCAPES_CLASS_NAMES:
        raise BadValueError(
            f"save_predictions writes the label ids of Cityscapes' {len(CITYSCAPES_CLASS_NAMES)} classes, but the "
            f"classes here are {', '.join(class_names)}: set --save_predictions=False"
        )
