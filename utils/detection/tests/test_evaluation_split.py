"""One truth: the numbers of known detections do not depend on ids, on what a file lists, or on how the data came in.

The official numbers are pycocotools' own on the annotation file, without a line of ours.
"""

import contextlib
import io
import json
import logging
import shutil

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from utils.detection.data import mindrecord_writer
from utils.detection.data.class_names import ClassTable
from utils.detection.data.splits import open_split
from utils.detection.evaluated.splits import RecordSplit
from utils.detection.results.coco_metrics import detections_to_coco
from utils.detection.results.evaluation_split import best_metric, prepare_evaluation
from utils.detection.tests.edited_coco import annotations_of, change, make_crowds, remove_all
from utils.detection.tests.tiny_coco import write_coco, write_txt
from utils.detection.tests.tiny_splits import paths_of
from utils.model_utils.errors import BadValueError

TRAINED = ClassTable(("blue", "red"), (3, 7))
NUM_IMAGES = 24


@pytest.fixture()
def data(tmp_path):
    """Images with 0, 1 or 2 boxes of 40 pixels: the first red, the second blue."""
    return write_coco(tmp_path / "coco data", {"val2017": NUM_IMAGES})


def open_val(data, folder="records", class_names=None, **changes):
    changes = {"coco_root": str(data), **changes}
    paths = paths_of(None, "val2017", data.parent / folder, **changes)
    return open_split(paths, class_names, 2, for_training=False)


def prepared(split, trained=TRAINED, **options):
    return prepare_evaluation(RecordSplit(split), trained, model="a test", **options)


def found_boxes(content, shift=True):
    """What a detector finds: boxes, scores and labels by image; by a seed they are shifted or of a wrong class."""
    draws = np.random.default_rng(5)
    names = {category["id"]: category["name"] for category in content["categories"]}
    found = {}
    for image in content["images"]:
        rows = [row for row in content["annotations"] if row["image_id"] == image["id"]]
        boxes = np.array([row["bbox"] for row in rows], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = np.array([TRAINED.names.index(names[row["category_id"]]) for row in rows], np.int64)
        if shift:
            boxes = boxes + draws.normal(0, 4, boxes.shape)
            labels = np.where(draws.uniform(size=len(labels)) < 0.2, 1 - labels, labels)
        found[image["file_name"]] = boxes, draws.uniform(0.1, 1, len(labels)), labels
    return found


def results_of(evaluation, found):
    """The detections in COCO's form, with the ids of the split."""
    rows = []
    for image in evaluation.ground_truth["images"]:
        boxes, scores, labels = found[image["file_name"]]
        rows += detections_to_coco(image["id"], boxes, scores, labels, evaluation.match.classes.category_ids)
    return rows


def score(evaluation, found):
    return evaluation.score(results_of(evaluation, found))


def content_of(data):
    return json.loads(annotations_of(data, "val2017").read_text())


def official(data, detections):
    """pycocotools' twelve numbers on the file."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations_of(data, "val2017")))
        evaluator = COCOeval(truth, truth.loadRes(detections), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats.tolist()


# Classes of two files


def exchange_ids(content):
    other = {3: 7, 7: 3}
    for row in content["categories"]:
        row["id"] = other[row["id"]]
    for row in content["annotations"]:
        row["category_id"] = other[row["category_id"]]


def reverse_order(content):
    content["categories"].reverse()


def test_exchanged_ids_and_another_order_give_the_same_numbers(data, tmp_path):
    found = found_boxes(content_of(data))
    expected = score(prepared(open_val(data)), found)
    assert 0.2 < expected.stats[0] < 0.9
    by_name = {row.name: row for row in expected.per_class}
    assert by_name["red"].average_precision != by_name["blue"].average_precision
    for number, edit in enumerate((reverse_order, exchange_ids)):
        change(data, edit, "val2017")
        result = score(prepared(open_val(data, f"records {number}")), found)
        assert result.stats.tolist() == expected.stats.tolist()
        assert {row.name: row for row in result.per_class} == by_name
    assert [row.name for row in result.per_class] == ["red", "blue"]  # in the order of their ids, now 3 and 7


@pytest.mark.parametrize("class_names", [None, ("red", "blue"), ("blue", "red")])
def test_a_file_that_lists_only_what_occurs_gives_the_numbers_of_one_that_lists_all(data, class_names):
    def remove_blue(content):
        content["annotations"] = [row for row in content["annotations"] if row["category_id"] == 7]

    def list_red_alone(content):
        content["categories"] = [row for row in content["categories"] if row["id"] == 7]

    found = found_boxes(content_of(data))
    change(data, remove_blue, "val2017")
    expected = score(prepared(open_val(data, "all", class_names)), found)
    change(data, list_red_alone, "val2017")
    evaluation = prepared(open_val(data, "some", class_names))
    result = score(evaluation, found)
    assert result.stats.tolist() == expected.stats.tolist()
    assert [row.name for row in result.per_class] == ["red"]
    written = {row["category_id"] for row in results_of(evaluation, found)}
    assert written == {3, 7}  # blue keeps its id of training, which the file does not use
    assert result.num_detections < len(results_of(evaluation, found))


def test_an_unknown_class_is_refused_or_left_out(data, caplog):
    found = found_boxes(content_of(data))
    expected = {row.name: row for row in score(prepared(open_val(data)), found).per_class}
    ant_and_red = ClassTable(("ant", "red"), (1, 2))
    with pytest.raises(BadValueError, match="has 'blue', which a test does not have: it lists 'blue', 'red', a test"):
        prepared(open_val(data), ant_and_red)
    result = score(prepared(open_val(data), ant_and_red, ignore_unknown=True), found)
    assert {row.name: row for row in result.per_class} == {"red": expected["red"]}
    assert "left out of the metric" in caplog.text


def test_the_metric_takes_what_coco_classes_asks_for(data):
    found = found_boxes(content_of(data))
    expected = {row.name: row for row in score(prepared(open_val(data)), found).per_class}
    result = score(prepared(open_val(data, "red alone", ("red",))), found)
    assert {row.name: row for row in result.per_class} == {"red": expected["red"]}


# The file's own annotations


def odd_boxes(content):
    """Without area, outside the image, over its border, and one whose area is that of a segment."""
    for number, bbox in ((0, [10, 10, 0, 20]), (4, [500, 500, 20, 20]), (7, [100, 60, 60, 30]), (9, [5, 5, 30, 0])):
        content["annotations"][number]["bbox"] = bbox
    content["annotations"][2]["area"] = 123.456
    content["annotations"][3]["bbox"] = [7.3, 11.1, 33.7, 41.9]


@pytest.mark.parametrize("is_perfect", [True, False])
def test_json_and_mindrecord_and_pycocotools_give_the_same_numbers(data, is_perfect):
    change(data, odd_boxes, "val2017")
    found = found_boxes(content_of(data), shift=not is_perfect)
    ways = [open_val(data), open_val(data, coco_root=None)]
    assert [split.annotation_file is None for split in ways] == [False, True]
    of_file, of_records = (prepared(split) for split in ways)
    assert of_file.ground_truth["annotations"] == of_records.ground_truth["annotations"]
    expected = official(data, results_of(of_file, found))
    assert score(of_file, found).stats.tolist() == expected
    assert score(of_records, found).stats.tolist() == expected
    assert 0.2 < expected[0] < 1


def test_perfect_detections_miss_the_boxes_that_nobody_can_find_and_what_repairs_would_give_is_said(data, caplog):
    """A detector finds every box that training has, the one over the border as far as it is inside."""
    caplog.set_level(logging.INFO)
    change(data, odd_boxes, "val2017")
    content = content_of(data)
    hidden = [content["annotations"][number]["id"] for number in (0, 4, 9)]
    content["annotations"][7]["bbox"] = [100, 60, 28, 30]  # 128 pixels wide
    content["annotations"] = [row for row in content["annotations"] if row["id"] not in hidden]
    found = found_boxes(content, shift=False)
    evaluation = prepared(open_val(data))
    expected = official(data, results_of(evaluation, found))[0]
    caplog.clear()
    assert score(evaluation, found).stats[0] == expected < 0.9
    assert (
        "mAP counts the boxes as they are annotated; as training uses them (1 box clipped at the image border, 3 "
        "dropped (2 without area, 1 outside the image, 0 not finite); first: annotation 1, annotation 5, annotation 8) "
        f"it would be 1.000000 instead of {expected:.6f}"
    ) in caplog.text


def test_nothing_is_said_where_nothing_was_repaired(data, caplog):
    caplog.set_level(logging.INFO)
    score(prepared(open_val(data)), found_boxes(content_of(data)))
    assert "as training uses them" not in caplog.text


def write_as_before(monkeypatch):
    """MindRecord files as earlier versions wrote them."""
    schema = {name: kind for name, kind in mindrecord_writer.SCHEMA.items() if name != "as_annotated"}
    make_row, describe = mindrecord_writer._make_row, mindrecord_writer._describe

    def drop(name, values):
        return {key: value for key, value in values.items() if key != name}

    monkeypatch.setattr(mindrecord_writer, "SCHEMA", schema)
    monkeypatch.setattr(mindrecord_writer, "_make_row", lambda *given: drop("as_annotated", make_row(*given)))
    monkeypatch.setattr(mindrecord_writer, "_describe", lambda *given: drop("num_objects", describe(*given)))


def test_files_of_an_earlier_version_are_used_as_they_are(data, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    change(data, odd_boxes, "val2017")
    found = found_boxes(content_of(data))
    with monkeypatch.context() as patch:
        write_as_before(patch)
        before = open_val(data).records
    expected = official(data, results_of(prepared(open_val(data)), found))
    assert open_val(data).records.fingerprint == before.fingerprint  # not made anew
    assert "as_annotated" not in before.columns
    assert score(prepared(open_val(data)), found).stats.tolist() == expected
    caplog.clear()
    of_records = prepared(open_val(data, coco_root=None))
    assert len(of_records.ground_truth["annotations"]) == len(content_of(data)["annotations"]) - 3
    assert caplog.text.count("were made by an earlier version, which stored repaired boxes alone") == 1


def test_lines_of_text_count_as_the_json_does(data):
    change(data, odd_boxes, "val2017")
    change(data, lambda content: [row.pop("area") for row in content["annotations"]], "val2017")
    write_txt(data)
    found = found_boxes(content_of(data))
    lines = {"form": "other", "anno_path": f"{data}/{{}}.txt", "image_dir": f"{data}/{{}}"}
    txt = open_val(data, "txt", ("red", "blue"), coco_root=None, **lines)
    expected, result = (score(prepared(split), found) for split in (open_val(data), txt))
    np.testing.assert_allclose(result.stats, expected.stats, rtol=0, atol=1e-12)
    assert len(prepared(txt).ground_truth["annotations"]) == len(content_of(data)["annotations"])


def test_an_image_under_two_ids_counts_twice_and_one_that_is_listed_twice_once(data):
    def list_again(content):
        content["images"].append(content["images"][2])
        content["images"].append({**content["images"][1], "id": 500})
        content["annotations"].append({**content["annotations"][0], "id": 900, "image_id": 500})

    change(data, list_again, "val2017")
    found = found_boxes(content_of(data))
    for split in (open_val(data), open_val(data, coco_root=None)):
        result = score(prepared(split), found)
        assert result.num_images == NUM_IMAGES + 1
        assert sum(row.num_ground_truth for row in result.per_class) == 24 + 1
        assert result.num_detections == 24 + 1


# Without a box


def remove_annotations(content):
    content.pop("annotations")


def leave_images_alone(content):
    content.pop("annotations")
    content.pop("categories")


@pytest.mark.parametrize("edit", [remove_all, make_crowds, remove_annotations, leave_images_alone])
@pytest.mark.parametrize("root", ["with the file", None])
def test_a_split_without_a_box_to_find_is_evaluated(data, edit, root, caplog):
    found = found_boxes(content_of(data))
    change(data, edit, "val2017")
    split = open_val(data)
    evaluation = prepared(split if root else open_val(data, coco_root=None))
    assert "has no boxes to find in its 24 images: AP is not defined there (-1)" in caplog.text
    assert not evaluation.has_objects
    assert best_metric(evaluation) == ""
    result = score(evaluation, found)
    assert result.stats.tolist() == [-1] * 12
    assert [row.average_precision for row in result.per_class] == [None, None]
    assert (result.num_images, result.num_detections) == (24, 24)
    assert {row["category_id"] for row in results_of(evaluation, found)} == {3, 7}


def test_boxes_of_classes_that_are_left_out_are_none_to_find(data):
    def keep_blue(content):
        content["annotations"] = [row for row in content["annotations"] if row["category_id"] == 3]

    change(data, keep_blue, "val2017")
    split = open_val(data)
    assert best_metric(prepared(split)) == "mAP"
    assert best_metric(prepared(split, ClassTable(("red",), (1,)), ignore_unknown=True)) == ""
    assert best_metric(None) == ""


def test_annotations_with_exchanged_names_are_not_those_of_the_files(data):
    split = open_val(data)
    shutil.copytree(split.records.files[0].parent, data.parent / "copied")
    change(data, exchange_ids, "val2017")
    other = open_val(data, "copied", coco_root=None, instance_set=str(annotations_of(data, "val2017")))
    with pytest.raises(BadValueError, match="category id 3 is 'red' in annotation file .* and 'blue' in MindRecord"):
        assert other.ground_truth
