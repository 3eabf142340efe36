"""The pictures of predictions that a training leaves: the same pictures of the evaluation split each time."""

from collections.abc import Sequence

import numpy as np

from .drawing import overview
from .report import SegmentationEvaluation

NUM_PICTURES = 6  # rows of picture, truth and prediction, drawn within half a second


def draw_evaluation(evaluation: SegmentationEvaluation, class_names: Sequence[str]) -> np.ndarray:
    """Draws the pictures of an evaluation, truth beside prediction, above a legend; uint8[H, W, 3], RGB."""
    assert evaluation.colours is not None, "an evaluation with pictures has the colours of its classes"
    rows = [picture for _, picture in evaluation.pictures]
    return overview(rows, class_names, ~evaluation.matrix.is_absent(), evaluation.colours)
