"""Predictions that a training leaves: the true boxes beside those that were found, when they are due."""

import numpy as np
import pytest

from utils.detection.results.pictures.drawing import class_color
from utils.detection.results.pictures.epoch_pictures import PANEL_WIDTH, evaluate_with_pictures
from utils.detection.tests.test_evaluation import evaluator_of
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import open_coco
from utils.drawing.panels import GAP
from utils.images import read_image
from utils.training.pictures.run_pictures import PicturePlan, RunPictures
from utils.training.record.run_folder import RunFolder


@pytest.fixture()
def evaluator(tmp_path):
    """Of three images, 100 to 102, with 0, 1 and 2 boxes of 40 pixels; the detector misses the last, a blue one."""
    split = open_coco(write_coco(tmp_path / "data", {"val2017": 3}), "val2017", num_shards=1)
    return evaluator_of(split, leave_out=(3,))


def test_predictions_are_drawn_after_the_epochs_that_are_due(evaluator, tmp_path):
    with RunFolder(tmp_path / "run") as run:
        run.begin("")
        pictures = RunPictures(run, PicturePlan(interval=2, first_epoch=1, epochs_between=1, last_epoch=9))
        evaluate = evaluate_with_pictures(evaluator, pictures)
        assert evaluate(1).metrics["mAP"] == pytest.approx(0.5)
        assert [path.name for path in (run.path / "predictions").iterdir()] == ["epoch_0001.jpg"]
    sheet = read_image(run.predictions_path(1))
    # three rows of pictures in two columns, 128 x 96 pixels enlarged by 3; the last one is below on the left
    width, height = 3 * 128, 3 * 96
    assert width < PANEL_WIDTH
    assert sheet.shape[1] == 2 * (2 * width + GAP) + 3 * GAP
    bottom, left = sheet.shape[0] - GAP, GAP
    (x, y, _, _), (x2, y2, _, _) = (
        row["bbox"] for row in evaluator.split.ground_truth["annotations"] if row["image_id"] == 102
    )
    labels = {name: label for label, name in enumerate(evaluator.split.match.classes.names)}
    for panel, is_drawn in ((0, True), (width + GAP, False)):
        edge = sheet[bottom - height + 3 * (y2 + 20), left + panel + 3 * x2].astype(int)
        is_blue_class = np.abs(edge - class_color(labels["blue"])).max() < 70
        assert is_blue_class == is_drawn
