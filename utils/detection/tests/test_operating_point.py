"""The score of the best F1, worked by hand, and the lines about it."""

import math
from pathlib import Path

import numpy as np
import pytest

from utils.detection.builders.exports import describe_detector
from utils.detection.data.class_names import ClassTable
from utils.detection.inputs import InputSettings
from utils.detection.results.coco_metrics import evaluate_coco
from utils.detection.results.pictures.min_score import MinScore
from utils.detection.results.pictures.operating_point import (
    OperatingPoint,
    best_f1,
    choose_min_score,
    choose_stored_min_score,
    stored_min_score,
)
from utils.exporting.export import ExportedModel


def point_of(scores, is_right, num_truths):
    return best_f1(np.array(scores, np.float64), np.array(is_right, bool), num_truths)


def test_the_best_f1_of_known_detections():
    """Of 4 boxes: right, wrong, right, right, wrong give F1 2/5, 2/6, 4/7, 6/8, 6/9; in any order of the rows."""
    point = point_of([0.2, 0.9, 0.5, 0.8, 0.3], [False, True, True, False, True], 4)
    assert point == OperatingPoint(0.3, pytest.approx(6 / 8))


def test_equal_scores_count_together_and_of_equal_f1_the_highest_score_is_taken():
    """One box: right at 0.5 with three wrong of the same score is 2 * 1 / (4 + 1), whatever their order."""
    assert point_of([0.5] * 4, [True, False, False, False], 1) == OperatingPoint(0.5, pytest.approx(0.4))
    assert point_of([0.9, 0.2], [True, True], 2).min_score == 0.2
    assert point_of([0.9, 0.8, 0.7], [True, False, True], 2).min_score == 0.7  # 2/3, 2/4, 4/5
    assert point_of([0.9, 0.8, 0.7, 0.6], [True, False, False, True], 1) == OperatingPoint(0.9, 1.0)


def test_without_a_right_detection_or_a_box_there_is_none():
    assert point_of([0.9], [False], 3) is None
    assert point_of([], [], 3) is None
    assert point_of([0.9], [True], 0) is None


def box(identity, image, category, x, **more):
    return {"id": identity, "image_id": image, "category_id": category, "bbox": [x, 0, 10, 10], **more}


def test_an_evaluation_finds_it_over_all_classes_and_images():
    """Five boxes in two images and two classes, and a crowd, which is neither to be found nor a mistake."""
    truth = {
        "images": [{"id": 1, "height": 100, "width": 300}, {"id": 2, "height": 100, "width": 300}],
        "categories": [{"id": 3, "name": "a"}, {"id": 7, "name": "b"}],
        "annotations": [
            *(box(number, image, category, x) for number, image, category, x in
              [(1, 1, 3, 0), (2, 1, 7, 20), (3, 2, 3, 40), (4, 2, 3, 60), (5, 2, 7, 80)]),
            box(6, 1, 3, 100, iscrowd=1),
        ],
    }  # fmt: skip
    found = [
        {"image_id": image, "category_id": category, "bbox": [x, 0, 10, 10], "score": score}
        for image, category, x, score in [
            (1, 3, 0, 0.9),  # right
            (1, 7, 200, 0.8),  # nowhere
            (2, 3, 40, 0.7),  # right
            (1, 3, 100, 0.65),  # the crowd: does not count
            (2, 7, 60, 0.6),  # another class
            (2, 7, 83, 0.5),  # right: moved by 3 of 10 pixels, IoU 7 / 13
            (1, 7, 24, 0.4),  # moved by 4, IoU 6 / 14: wrong
        ]
    ]
    # right, wrong, right, wrong, right, wrong of 5 boxes: 2/6, 2/7, 4/8, 4/9, 6/10, 6/11
    assert evaluate_coco(truth, found).operating_point == OperatingPoint(0.5, pytest.approx(0.6))
    # of image 1 alone, with 2 boxes: 0.9 right, 0.8 wrong, 0.4 wrong
    assert evaluate_coco(truth, found, [1]).operating_point == OperatingPoint(0.9, pytest.approx(2 / 3))
    assert evaluate_coco(truth, found[1:2]).operating_point is None
    assert evaluate_coco(truth, []).operating_point is None


def test_lines_of_eval():
    point = OperatingPoint(0.11649, 0.52)
    assert choose_min_score(None, point) == (0.11649, "boxes from score 0.116 (best F1 0.520) are drawn")
    score, line = choose_min_score(0.4, point)
    assert (score, line) == (
        0.4,
        "boxes from score 0.4 (picture_min_score) are drawn; the best F1 0.520 is from score 0.116",
    )
    assert choose_min_score(None, None)[0] == 0.4
    assert choose_min_score(0.0, None) == (0.0, "boxes from score 0 (picture_min_score) are drawn")


def test_lines_of_infer():
    assert choose_stored_min_score(0.7, 0.1)[0] == MinScore(0.7)
    assert choose_stored_min_score(None, 0.1) == (
        MinScore(0.1),
        "boxes from score 0.1 are drawn, that of the best F1 in the training's best evaluation",
    )
    assert choose_stored_min_score(None, None)[0] == MinScore(0.4)
    assert choose_stored_min_score(None, 0.1, (0.2, 0.6))[0] == MinScore(0.1, (0.2, 0.6))
    assert choose_stored_min_score(0.7, 0.1, (0.2, 0.6))[0] == MinScore(0.7)


def test_each_class_has_its_own_score():
    own = MinScore(0.3, (0.2, 0.6))
    assert own.of(np.array([1, 0, 1])).tolist() == [0.6, 0.2, 0.6]
    assert MinScore(0.3).of(np.array([1, 0])).tolist() == [0.3, 0.3]
    assert (str(own), str(MinScore(0.3))) == ("0.2 to 0.6", "0.3")


@pytest.mark.parametrize(
    ("best", "wanted"),
    [
        (None, None),
        ({"epoch": 1, "metrics": {"mAP": 0.5}}, None),
        ({"epoch": 1, "metrics": {"mAP": 0.0, "F1_threshold": math.nan}}, None),
        ({"epoch": 1, "metrics": {"mAP": 0.0, "F1_threshold": None}}, None),
        ({"epoch": 1, "metrics": {"mAP": 0.5, "F1_threshold": 0.25}}, 0.25),
    ],
)
def test_what_a_checkpoint_stores_of_it(best, wanted):
    assert stored_min_score(best) == wanted


@pytest.mark.parametrize(
    ("stored", "own", "wanted"),
    [
        (0.25, (), {"picture_min_score": 0.25}),
        (None, (), {}),
        (0.25, (0.5,), {"picture_min_score": 0.25, "class_min_scores": [0.5]}),
    ],
)
def test_an_exported_model_is_described_with_it(stored, own, wanted):
    inputs = InputSettings(128, 256, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), keep_ratio=True)
    described = describe_detector(
        "nas_fpn",
        ExportedModel(Path("net.mindir"), "MINDIR", (), 1, 0.0),
        ClassTable(("car",), (3,), picture_min_score=stored, class_min_scores=own),
        inputs,
        tensors=(),
        postprocessing={"min_score": 0.05},
    )
    assert described.postprocessing == {"min_score": 0.05} | wanted
