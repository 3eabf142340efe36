"""The truth beside the prediction: boxes where they belong, on the side where they belong."""

import numpy as np

from utils.detection.results.pictures.drawing import class_color
from utils.detection.results.pictures.side_by_side import draw_truth_beside
from utils.drawing.panels import GAP

GREY = np.full((400, 500, 3), 128, np.uint8)


def test_truth_is_left_and_prediction_right():
    truth = np.array([[100, 100, 200, 200]], np.float32)
    found = np.array([[300, 150, 400, 350], [10, 10, 480, 390]], np.float32)
    sheet = draw_truth_beside(
        GREY, truth, np.array([0]), found, np.array([1, 0]), np.array([0.9, 0.2]), ["cat", "dog"], min_score=0.5
    )
    top = sheet.shape[0] - 400
    assert sheet.shape == (top + 400, 2 * 500 + GAP, 3)
    left, right = sheet[top:, :500], sheet[top:, 500 + GAP :]
    np.testing.assert_allclose(left[150, 100], class_color(0), atol=40)  # the left edge of the true box
    assert (left[250, 300] == 128).all()  # where only the found box has its edge
    np.testing.assert_allclose(right[250, 300], class_color(1), atol=40)
    assert (right[150, 100] == 128).all()
    assert (right[200, 10] == 128).all()  # the box below the score is not drawn


def test_no_box_at_all():
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, int)
    sheet = draw_truth_beside(GREY, *nothing, *nothing, np.zeros(0), ["cat"])
    top = sheet.shape[0] - 400
    assert np.array_equal(sheet[top:, :500], GREY)
    assert np.array_equal(sheet[top:, 500 + GAP :], GREY)
