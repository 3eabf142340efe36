"""Evaluation around a detector that knows the boxes: COCO numbers, files and times."""

import json
from dataclasses import replace

import numpy as np
import pytest

from utils.detection.results.evaluation import evaluate_and_write
from utils.detection.results.result_json import metrics_of
from utils.detection.tests.known_evaluation import evaluator_of
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import open_coco
from utils.drawing.panels import GAP
from utils.images import read_image
from utils.model_utils.errors import BadStateError
from utils.tests.replayed_workers import run_workers


@pytest.fixture()
def split(tmp_path):
    """Three images with 0, 1 and 2 boxes of 40 pixels."""
    root = write_coco(tmp_path / "coco data", {"val2017": 3})
    return open_coco(root, "val2017", num_shards=1)


def test_a_detector_that_finds_every_box_has_an_ap_of_one(split):
    evaluation = evaluator_of(split).evaluate()
    wanted = {"mAP": 1.0, "AP50": 1.0, "AP75": 1.0, "F1": 1.0, "F1_threshold": np.float32(0.9)}
    assert metrics_of(evaluation.result) == pytest.approx(wanted)
    assert [row.average_precision for row in evaluation.result.per_class] == pytest.approx([1.0, 1.0])
    assert evaluation.result.num_images == 3
    assert {row["category_id"] for row in evaluation.detections} == {7, 3}


def test_a_class_whose_only_box_is_missed_has_an_ap_of_zero(split):
    """The third annotation is the only blue box; red's stays at 1, so the mean is one half."""
    evaluation = evaluator_of(split, leave_out=(3,)).evaluate()
    assert {row.name: row.average_precision for row in evaluation.result.per_class} == pytest.approx(
        {"red": 1.0, "blue": 0.0}
    )
    assert metrics_of(evaluation.result)["mAP"] == pytest.approx(0.5)


def test_every_batch_has_one_shape_and_is_timed(split):
    evaluator = evaluator_of(split)
    evaluation = evaluator.evaluate()
    assert evaluator.detector.shapes == [(2, 3, 64, 64)] * 2
    assert evaluator.detector.num_begun == 1
    assert (evaluation.network_seconds, evaluation.selection_seconds) == (1.0, 0.5)


def nothing(_evaluation):
    pass


def test_numbers_are_shown_where_they_cannot_be_written(split, tmp_path):
    shown = []
    for name in ("result.json", "predictions.json"):
        folder = tmp_path / name
        (folder / name / "in the way").mkdir(parents=True)
        with pytest.raises(BadStateError, match=f"{name}' cannot be written"):
            evaluate_and_write(evaluator_of(split), folder, 2, shown.append)
    assert [evaluation.result.stats[0] for evaluation in shown] == pytest.approx([1.0, 1.0])
    assert json.loads((tmp_path / "predictions.json" / "result.json").read_text())["mAP"] == pytest.approx(1.0)


def test_pictures_predictions_and_result_are_written(split, tmp_path, caplog):
    """The detector scores every box 0.9: that is the best F1. The first image has no box."""
    caplog.set_level("INFO")
    evaluation = evaluate_and_write(evaluator_of(split), tmp_path, 2, nothing)
    assert "boxes from score 0.9 (best F1 1.000) are drawn" in caplog.messages
    assert f"2 pictures are in {tmp_path / 'pictures'}, 1 of them with detections" in caplog.messages
    assert [picture.image_id for picture in evaluation.pictures] == [100, 102], "the first and the last of three"
    assert [picture.truth_labels.tolist() for picture in evaluation.pictures] == [[], [1, 0]], "red is the second class"
    np.testing.assert_array_equal(evaluation.pictures[1].truth_boxes, evaluation.pictures[1].found.boxes)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [
        "000_000.jpg",
        "001_002.jpg",
        "overview.jpg",
    ]
    height, width, _ = read_image(tmp_path / "pictures" / "001_002.jpg").shape
    panel = (width - GAP) // 2  # the truth on the left, as wide as what was found
    assert 0 < height - panel * 96 // 128 < 60, "under a line of titles"
    rows = json.loads((tmp_path / "predictions.json").read_text())
    assert len(rows) == 3
    assert set(rows[0]) == {"image_id", "category_id", "bbox", "score"}
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["mAP"] == result["AP"] == pytest.approx(1.0)
    assert result["per_class"] == pytest.approx({"red": 1.0, "blue": 1.0})
    assert (result["num_images"], result["num_detections"]) == (3, 3)
    assert (result["F1"], result["F1_threshold"]) == (1.0, pytest.approx(0.9))
    assert len(evaluation.pictures) == 2


@pytest.mark.parametrize("score", [0.95, 0.5])
def test_a_score_that_is_set_counts_instead(split, tmp_path, caplog, score):
    caplog.set_level("INFO")
    evaluate_and_write(replace(evaluator_of(split), picture_min_score=score), tmp_path, 3, nothing)
    wanted = f"boxes from score {score} (picture_min_score) are drawn; the best F1 1.000 is from score 0.9"
    assert wanted in caplog.messages
    with_boxes = 0 if score > 0.9 else 2
    assert f"3 pictures are in {tmp_path / 'pictures'}, {with_boxes} of them with detections" in caplog.messages


def test_numbers_are_there_whatever_happens_to_the_pictures(split, tmp_path, caplog, monkeypatch):
    def no_font(*_arguments, **_options):
        raise OSError("cannot open resource")

    (tmp_path / "pictures").touch()  # a file where the folder is to be
    evaluate_and_write(evaluator_of(split), tmp_path, 2, nothing)
    monkeypatch.setattr("utils.detection.results.pictures.evaluation_pictures.draw_truth_beside", no_font)
    evaluate_and_write(evaluator_of(split), tmp_path, 2, nothing)
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 2
    assert all(line.startswith(f"the pictures in '{tmp_path / 'pictures'}' could not be drawn") for line in warnings)
    assert json.loads((tmp_path / "result.json").read_text())["mAP"] == pytest.approx(1.0)
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 3


def test_without_a_right_detection_there_is_no_threshold(split, tmp_path, caplog):
    caplog.set_level("INFO")
    evaluate_and_write(evaluator_of(split, leave_out=(1, 2, 3)), tmp_path, 1, nothing)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["F1"], result["F1_threshold"]) == (0.0, None)
    assert any(line.startswith("boxes from score 0.4 are drawn: no detection is right") for line in caplog.messages)


@pytest.mark.parametrize("count", [2, 4])
def test_several_workers_come_to_what_one_comes_to(split, count):
    """Four workers for three images: one has nothing to do. The predictions keep the order of the images."""
    alone = evaluator_of(split).evaluate()

    def evaluate(workers):
        return evaluator_of(split, workers=workers).evaluate()

    for evaluation in run_workers(count, evaluate):
        assert evaluation.detections == alone.detections
        assert evaluation.result.stats.tolist() == alone.result.stats.tolist()
        assert evaluation.result.per_class == alone.result.per_class
        assert (evaluation.result.num_images, evaluation.result.num_detections) == (3, 3)
