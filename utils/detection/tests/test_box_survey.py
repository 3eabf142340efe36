"""What is counted of the boxes of batches, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from utils.detection.show.survey import BoxSurvey
from utils.detection.training_sample import FedBoxes

# A picture of 80 x 60 on an input of 100 x 80: 4800 of 8000 pixels, and one that fills it.
PLANES = np.ones((2, 3, 80, 100), np.float32)
PLANES[0, :, 60:], PLANES[0, :, :, 80:] = 0, 0
ANCHORS = np.array([[0, 0, 20, 20], [40, 40, 80, 80]], np.float32)
# IoU with the best anchor: 1; 10 x 20 of 20 x 20 is 0.5; 4 x 4 of 20 x 20 is 0.04
BOXES = np.array([[0, 0, 20, 20], [0, 0, 10, 20], [2, 2, 6, 6]], np.float32)
NOTHING = FedBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))


class FakeSample:
    inputs = SimpleNamespace(size=(80, 100))
    anchors = ANCHORS

    def fed_boxes(self, _arrays):
        return [FedBoxes(BOXES, np.array([0, 0, 2])), NOTHING]


@pytest.fixture()
def survey():
    counted = BoxSurvey(FakeSample(), ("cat", "dog", "bird"), pos_iou=0.5, min_pos_iou=0.3)
    counted.add((PLANES,))
    return counted


def test_the_lines(survey):
    assert survey.lines() == [
        "2 pictures of 100 x 80 pixels (width x height), 20 % of that is padding",
        "3 boxes, at most 3 in a picture; 1 picture has none",
        "  cat        2 in 1 picture",
        "  bird       1 in 1 picture",
        "  dog        0 in 0 pictures",
        "box sides (square root of the area): 4 to 20 pixels, half of them below 14.1; 33 % below 8",
        "anchor sides: 20 to 40 pixels; 67 % of the boxes have anchors with an IoU of 0.5 or more, the others are "
        "learned by the one that fits best, but for 33 %, where its IoU is below 0.3",
    ]


def test_boxes_that_no_anchor_fits_are_said_where_there_are_any(survey):
    survey._min_pos_iou = 0.0
    assert survey.lines()[-1].endswith("the others are learned by the one that fits best")


def test_without_a_box_the_classes_alone_are_drawn():
    empty = BoxSurvey(FakeSample(), ("$_$", "dog"), pos_iou=0.5)
    empty._sample.fed_boxes = lambda _: [NOTHING]
    empty.add((PLANES[1:],))
    assert len(empty.lines()) == 4
    (figure,) = empty.figures().values()
    assert figure.startswith(b"\x89PNG")
