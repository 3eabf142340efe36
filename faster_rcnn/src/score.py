"""The post-processing command: result files of an exported model in, COCO metrics out. Needs no MindSpore."""

import numpy as np

from utils.detection.detections import Detections, Select
from utils.detection.results.coco_metrics import format_result_block
from utils.detection.results.result_scoring import score_run
from utils.detection.test_time.rules import tools_of, wanted_labels
from utils.detection.test_time.selection import of_classes
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


def selection(description: ModelDescription) -> Select:
    """Returns what takes the detections of the wanted classes out of the model's slots.

    Raises:
        BadValueError: the description asks for a class that the model does not have.
    """
    labels = wanted_labels(tools_of(description), description.class_names)

    def select(*outputs: np.ndarray, **place: object) -> Detections:
        return of_classes(detections_of(*outputs, **place), labels)

    return select
