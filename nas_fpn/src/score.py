"""The post-processing command: result files of an exported model in, COCO metrics out. Needs no MindSpore."""

from functools import partial

from utils.detection.detections import Select
from utils.detection.results.coco_metrics import format_map_line, format_result_block
from utils.detection.results.result_scoring import score_run
from utils.detection.suppression import SelectionRule, select_detections
from utils.exporting.description import ModelDescription
from utils.exporting.postprocess_command import PostprocessArguments, lengths, threshold
from utils.training.record.logging_setup import set_up_logging

SUITE = "nas_fpn"


def score(arguments: PostprocessArguments) -> None:
    """Selects detections with the thresholds of the model's description and scores them.

    Raises:
        UserError: as `score_run`.
    """
    set_up_logging()
    result = score_run(arguments, SUITE, selection)
    print(format_result_block(result))
    print(format_map_line(result))


def selection(description: ModelDescription) -> Select:
    """Returns what selects detections with a model's thresholds and limits.

    Raises:
        BadValueError: one is missing.
    """
    rule = SelectionRule(
        min_score=threshold(description, "min_score"),
        nms_threshold=threshold(description, "nms_threshold"),
        nms_pre=int(threshold(description, "nms_pre")),
        max_boxes=int(threshold(description, "max_boxes")),
        anchors_per_level=lengths(description, "anchors_per_level"),
    )
    return partial(select_detections, rule=rule)
