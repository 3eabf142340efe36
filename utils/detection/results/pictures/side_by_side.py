"""The annotated boxes of a picture beside those that were found in it."""

from collections.abc import Sequence

import numpy as np

from utils.detection.results.pictures.drawing import DEFAULT_MIN_SCORE, draw_detections, is_drawn
from utils.drawing.panels import side_by_side
from utils.words import counted


def draw_truth_beside(
    image: np.ndarray,
    truth_boxes: np.ndarray,
    truth_labels: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    class_names: Sequence[str],
    *,
    min_score: float | np.ndarray = DEFAULT_MIN_SCORE,
    may_enlarge: bool = True,
) -> np.ndarray:
    """Draws the truth on the left and the prediction on the right, each under a title with its number of boxes.

    Args:
        image: uint8[H, W, 3], RGB.
        truth_boxes: float32[M, 4], xyxy, pixels of `image`.
        truth_labels: int[M], class index from 0.
        boxes: float32[N, 4], those that were found, likewise.
        labels: int[N], likewise.
        scores: float[N] in [0, 1] of `boxes`.
        class_names: name of each class index.
        min_score: found boxes with a lower score are left out; float[N] for a limit of each.
        may_enlarge: a tiny image is enlarged, as `draw_detections` does it.

    Returns:
        uint8[H', W', 3], RGB.
    """
    num_found = int(is_drawn(scores, min_score).sum())
    return side_by_side(
        [
            draw_detections(image, truth_boxes, truth_labels, None, class_names, may_enlarge=may_enlarge),
            draw_detections(image, boxes, labels, scores, class_names, min_score=min_score, may_enlarge=may_enlarge),
        ],
        [f"truth: {counted(len(truth_labels), 'box')}", f"prediction: {counted(num_found, 'box')}"],
    )
