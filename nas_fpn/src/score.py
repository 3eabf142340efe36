"""The post-processing command: result files of an exported model in, COCO metrics out. Needs no MindSpore."""

import logging
from dataclasses import replace
from functools import partial

from utils.detection.detections import Select
from utils.detection.results.coco_metrics import format_map_line, format_result_block
from utils.detection.results.result_scoring import score_run
from utils.detection.suppression import SelectionRule, find_candidates, select_detections
from utils.detection.test_time.rules import suppression_rule, tools_of
from utils.detection.test_time.selection import Selection, SuppressionRule
from utils.exporting.description import ModelDescription
from utils.exporting.postprocess_command import PostprocessArguments, lengths, threshold
from utils.training.record.logging_setup import set_up_logging

SUITE = "nas_fpn"

logger = logging.getLogger(__name__)


def score(arguments: PostprocessArguments) -> None:
    """Selects detections with the thresholds of the model's description and scores them.

    Raises:
        UserError: as `score_run`.
    """
    set_up_logging()
    result = score_run(arguments, SUITE, _selection_of_results)
    print(format_result_block(result))
    print(format_map_line(result))


def _selection_of_results(description: ModelDescription) -> Select:
    if tools_of(description).flip_test:
        logger.warning(
            "flip_test has no effect here: the results are those of the pictures alone, not of their mirror images"
        )
        settings = {key: value for key, value in description.postprocessing.items() if key != "flip_test"}
        description = replace(description, postprocessing=settings)
    return selection(description)[0]


def selection(description: ModelDescription) -> tuple[Select, SuppressionRule]:
    """Returns what selects detections with a model's thresholds, limits and tools, and the rule of the latter.

    Raises:
        BadValueError: one is missing, or cannot be.
    """
    candidates = SelectionRule(
        min_score=threshold(description, "min_score"),
        nms_threshold=threshold(description, "nms_threshold"),
        nms_pre=int(threshold(description, "nms_pre")),
        max_boxes=int(threshold(description, "max_boxes")),
        anchors_per_level=lengths(description, "anchors_per_level"),
    )
    rule = suppression_rule(
        tools_of(description),
        description.class_names,
        min_score=candidates.min_score,
        nms_threshold=candidates.nms_threshold,
        max_boxes=candidates.max_boxes,
    )
    return build_selection(candidates, rule), rule


def build_selection(candidates: SelectionRule, rule: SuppressionRule) -> Select:
    """Returns what selects detections of the network's outputs: of which candidates, and what becomes of them."""
    if rule.is_plain:
        return partial(select_detections, rule=candidates)
    return Selection(partial(find_candidates, rule=candidates), rule)
