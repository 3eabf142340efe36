"""The pictures of predictions that a training leaves: the same pictures of the evaluation split each time."""

from collections.abc import Callable

import numpy as np

from utils.detection.results.evaluation import DetectionEvaluation, DetectionEvaluator
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.pictures.operating_point import choose_min_score
from utils.detection.results.pictures.side_by_side import draw_truth_beside
from utils.detection.results.result_json import metrics_by_class, metrics_of
from utils.drawing.contact_sheet import contact_sheet
from utils.drawing.panels import GAP, scale_to_width, title_line
from utils.images import decode_image
from utils.training.pictures.run_pictures import RunPictures
from utils.training.record.records import Evaluated

NUM_PICTURES, COLUMNS = 6, 2  # a sheet that a screen shows at once, and that is drawn within half a second
PANEL_WIDTH, PANEL_HEIGHT = 470, 380  # pixels: truth and prediction of two pictures fill the width of a screen
HEADING_TEXT = 18  # pixels (taste)
MOST_BOXES = 50  # of a picture: a detector that has just begun finds hundreds, which would hide it


def evaluate_with_pictures(evaluator: DetectionEvaluator, pictures: RunPictures) -> Callable[[int], Evaluated]:
    """Returns what the training loop calls with an epoch: it evaluates, and draws predictions where they are due."""

    def evaluate(epoch: int) -> Evaluated:
        is_due = pictures.are_due(epoch)
        evaluation = evaluator.evaluate(NUM_PICTURES if is_due else 0, is_fast=True)
        if is_due and evaluation.pictures:
            pictures.add_predictions(epoch, lambda: draw_evaluation(evaluation, evaluator.split, f"epoch {epoch}"))
        return Evaluated(metrics_of(evaluation.result), metrics_by_class(evaluation.result))

    return evaluate


def draw_evaluation(evaluation: DetectionEvaluation, split: EvaluationSplit, what: str) -> np.ndarray:
    """Draws the pictures of an evaluation, truth beside prediction, from the score of its best F1 on.

    Args:
        evaluation: with pictures.
        split: that was evaluated.
        what: it is, for the heading.

    Returns:
        uint8[H, W, 3], RGB.
    """
    min_score, why = choose_min_score(None, evaluation.result.operating_point)
    names = split.match.classes.names
    rows = []
    for picture in evaluation.pictures:
        found = picture.found
        image = decode_image(picture.encoded, f"image {picture.image_id}")
        fitting = round(PANEL_HEIGHT * image.shape[1] / image.shape[0])  # as wide as an upright one may be
        image, scale = scale_to_width(image, max(1, min(PANEL_WIDTH, fitting)))
        best = np.argsort(-found.scores, kind="stable")[:MOST_BOXES]
        row = draw_truth_beside(
            image,
            picture.truth_boxes * scale,
            picture.truth_labels,
            found.boxes[best] * scale,
            found.labels[best],
            found.scores[best],
            names,
            min_score=min_score,
            may_enlarge=False,
        )
        rows.append(row)
    sheet = contact_sheet(rows, COLUMNS, cell_width=max(row.shape[1] for row in rows), gap=GAP)
    return np.vstack([title_line(f"{what}: {why}", sheet.shape[1], HEADING_TEXT), sheet])
