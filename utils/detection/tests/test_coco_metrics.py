"""Metrics against COCO's own table of its example results, and small cases worked by hand."""

import json
import logging

import numpy as np
import pytest

from utils.detection.results import coco_metrics as cm
from utils.model_utils.errors import BadValueError, MissingPathError


def ground_truth(num_images: int = 2, **annotation) -> dict:
    """One 50 x 50 'cat' box at (10, 10) in each image; 'dog' has none."""
    return {
        "images": [
            {"id": index, "file_name": f"{index}.jpg", "height": 100, "width": 100} for index in range(num_images)
        ],
        "annotations": [
            {"id": index, "image_id": index, "category_id": 5, "bbox": [10, 10, 50, 50], **annotation}
            for index in range(num_images)
        ],
        "categories": [{"id": 9, "name": "dog"}, {"id": 5, "name": "cat"}],
    }


def detect(image_id: int = 0, box=(10, 10, 60, 60), score: float = 0.9, label: int = 0) -> list[dict]:
    return cm.detections_to_coco(image_id, np.array([box], np.float32), np.array([score]), np.array([label]), (5, 9))


def read_official_table(path) -> list[float]:
    lines = path.read_text().split("type=bbox")[1].splitlines()
    return [float(line.rsplit("=", 1)[1]) for line in lines if "@[" in line][:12]


def test_official_fixture_to_three_digits(shared_data):
    folder = shared_data / "coco_eval_fixture"
    detections = json.loads((folder / "instances_val2014_fakebbox100_results.json").read_text())
    result = cm.evaluate_coco(folder / "instances_val2014_100.json", detections)
    expected = read_official_table(folder / "val2014_fake_eval_res.txt")
    assert [round(value, 3) for value in result.stats.tolist()] == expected
    assert (result.num_images, result.num_detections) == (100, len(detections))
    known = [row.average_precision for row in result.per_class if row.average_precision is not None]
    assert np.mean(known) == pytest.approx(result.stats[0])  # the mean over classes is COCO's number


def test_block_is_that_of_the_page():
    """The lines of the documented log, to the character."""
    stats = np.array([0.417, 0.607, 0.457, 0.223, 0.450, 0.554, 0.358, 0.573, 0.620, 0.414, 0.666, 0.754])
    result = cm.CocoResult(stats, cm.STAT_NAMES, (), 5000, 1)
    block = (
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.417\n"
        " Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 0.607\n"
        " Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 0.457\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.223\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.450\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.554\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.358\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.573\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.620\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.414\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.666\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.754"
    )
    assert cm.format_result_block(result) == block
    assert cm.format_nas_fpn_result(result) == (f"\n{block}\n\n========================================\n\nmAP: 0.417")


def test_page_and_block_agree(shared_data):
    page = shared_data.parent / "spec" / "nas_fpn.md"
    if not page.is_file():
        pytest.skip("the page is not here")
    stats = np.array([0.4170593194142041, 0.607, 0.457, 0.223, 0.450, 0.554, 0.358, 0.573, 0.620, 0.414, 0.666, 0.754])
    assert cm.format_nas_fpn_result(cm.CocoResult(stats, cm.STAT_NAMES, (), 1, 1)) in page.read_text(encoding="utf-8")


def test_perfect_detections_are_one():
    result = cm.evaluate_coco(ground_truth(), detect(0) + detect(1))
    assert result.stats[[0, 1, 2, 4, 6, 8]].tolist() == pytest.approx([1.0] * 6)
    assert result.stats[3] == result.stats[5] == -1  # 50 x 50 is medium: there are no small and no large ones


def test_first_annotation_may_have_id_zero():
    """pycocotools takes a match with annotation 0 for no match; ids are renumbered, so both images count."""
    assert cm.evaluate_coco(ground_truth(1), detect(0)).stats[0] == pytest.approx(1.0)


def test_one_of_two_found_is_51_of_101_recall_points():
    """Precision is 1 up to recall 0.5: 51 of COCO's 101 recall points."""
    assert cm.evaluate_coco(ground_truth(), detect(0)).stats[0] == pytest.approx(51 / 101)


def test_iou_decides_at_which_thresholds_a_box_counts():
    """50 x 50 against 50 x 31 inside it: IoU 0.62, so it counts at 0.50, 0.55 and 0.60, three of ten thresholds."""
    result = cm.evaluate_coco(ground_truth(1), detect(0, (10, 10, 60, 41)))
    assert result.stats[:3].tolist() == pytest.approx([0.3, 1.0, 0.0])


def test_detections_in_a_crowd_are_neither_right_nor_wrong():
    truth = ground_truth(2)
    truth["annotations"][1]["iscrowd"] = 1
    result = cm.evaluate_coco(truth, detect(0, score=0.5) + detect(1, (12, 12, 30, 30), score=0.9))
    assert result.stats[0] == pytest.approx(1.0)
    assert {row.name: row.num_ground_truth for row in result.per_class} == {"cat": 1, "dog": 0}


def test_no_detections_is_zero_with_a_sentence(caplog):
    caplog.set_level(logging.WARNING)
    result = cm.evaluate_coco(ground_truth(), [])
    assert result.stats[0] == 0
    assert "there are no detections on the 2 images of the ground truth, so every AP is 0" in caplog.text
    assert cm.format_map_line(result) == "mAP: 0.0"


def test_no_ground_truth_is_undefined_with_a_sentence(caplog):
    caplog.set_level(logging.WARNING)
    truth = {**ground_truth(), "annotations": []}
    result = cm.evaluate_coco(truth, detect(0))
    assert result.stats[0] == -1
    assert "has no boxes to find" in caplog.text
    assert cm.evaluate_coco(truth, []).stats[0] == -1


def test_classes_without_ground_truth_are_a_dash_and_not_in_the_mean():
    table = cm.format_per_class_table(cm.evaluate_coco(ground_truth(), detect(0) + detect(1) + detect(1, label=1)))
    assert table == (
        "class     AP   AP50  boxes\n"
        "cat    1.000  1.000      2\n"
        "dog        -      -      0\n"
        "--------------------------\n"
        "mean   1.000  1.000      2\n"
        "2 images, 3 detections"
    )


def test_only_the_images_and_categories_asked_for_count():
    detections = detect(0) + detect(1, (70, 70, 90, 90))
    result = cm.evaluate_coco(ground_truth(), detections, image_ids=[0], category_ids=[5])
    assert (result.stats[0], result.num_images, result.num_detections) == (pytest.approx(1.0), 1, 1)
    assert [row.name for row in result.per_class] == ["cat"]


def test_detections_are_left_as_they_are(capsys):
    detections, truth = detect(0), ground_truth()
    cm.evaluate_coco(truth, detections)
    assert set(detections[0]) == {"image_id", "category_id", "bbox", "score"}
    assert "area" not in truth["annotations"][0]
    assert capsys.readouterr().out == ""  # pycocotools prints a lot


def test_detections_to_coco_by_hand():
    rows = cm.detections_to_coco(
        np.int64(3),
        np.array([[1, 2, 4, 8], [0, 0, 1, 1]], np.float32),
        np.array([0.5, 0.25], np.float32),
        [1, 0],
        (5, 9),
    )
    assert rows == [
        {"image_id": 3, "category_id": 9, "bbox": [1.0, 2.0, 3.0, 6.0], "score": 0.5},
        {"image_id": 3, "category_id": 5, "bbox": [0.0, 0.0, 1.0, 1.0], "score": 0.25},
    ]
    assert json.loads(json.dumps(rows)) == rows
    assert cm.detections_to_coco(3, np.zeros((0, 4)), np.zeros(0), np.zeros(0), (5,)) == []


@pytest.mark.parametrize(
    ("detections", "options", "sentence"),
    [
        (
            detect(77),
            {},
            r"1 of 1 image ids of the detections are not in the ground truth: detections have 77, the .* 0, 1;",
        ),
        (
            [{**detect(0)[0], "category_id": 3}],
            {},
            "category ids 3 that the ground truth does not have, its ids are 5, 9",
        ),
        (
            detect(0, score=float("nan")),
            {},
            "1 of 1 detection has a box or score that is not finite, first on image 0",
        ),
        (detect(0), {"image_ids": [8]}, "image id 8 is not in the ground truth, whose ids are like 0, 1"),
        (detect(0), {"image_ids": []}, "has no images to evaluate on"),
    ],
)
def test_ids_that_do_not_fit_are_refused(detections, options, sentence):
    with pytest.raises(BadValueError, match=sentence):
        cm.evaluate_coco(ground_truth(), detections, **options)


def test_detections_on_none_of_the_images_are_warned_about(caplog):
    caplog.set_level(logging.WARNING)
    assert cm.evaluate_coco(ground_truth(), detect(1), image_ids=[0]).stats[0] == 0
    assert (
        "no detection is on any of the 1 image evaluated: detections have image ids like 1, evaluated are 0"
        in caplog.text
    )


def test_ground_truth_file_is_checked(tmp_path):
    with pytest.raises(MissingPathError, match="does not exist"):
        cm.evaluate_coco(tmp_path / "none.json", [])
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({**ground_truth(), "annotations": [{"id": 1, "image_id": 0, "category_id": 5}]}))
    with pytest.raises(BadValueError, match="annotation 1 in .* has bbox None"):
        cm.evaluate_coco(path, [])
