"""The post-processing command: result files of an exported model in, COCO metrics out. Needs no MindSpore."""

from utils.detection.detections import Select
from utils.detection.results.coco_metrics import format_result_block
from utils.detection.results.result_scoring import score_run
from utils.exporting.description import ModelDescription
from utils.exporting.postprocess_command import PostprocessArguments
from utils.training.record.logging_setup import set_up_logging

from .detect import detections_of

SUITE = "faster_rcnn"


def score(arguments: PostprocessArguments) -> None:
    """Scores the detections, which the model has selected itself.

    Raises:
        UserError: as `score_run`.
    """
    set_up_logging()
    print(format_result_block(score_run(arguments, SUITE, selection)))


def selection(_description: ModelDescription) -> Select:
    """Returns what takes the detections out of the model's slots."""
    return detections_of
