"""A detector's result files are scored against annotations; which images count is said, strangers are sentences."""

import json

import numpy as np
import pytest

from utils.detection.detections import Detections
from utils.detection.results.result_scoring import (
    annotations_in,
    format_score,
    match_model,
    open_annotations,
    score_results,
    score_run,
)
from utils.detection.tests.tiny_coco import write_coco, write_txt
from utils.exporting.postprocess_command import read_arguments
from utils.exporting.result_files import read_result_files
from utils.exporting.tests.written_results import describe, write_results
from utils.model_utils.errors import BadValueError, MissingPathError

SIZE, SCALES = (96, 128), (0.5, 0.5)
CATEGORIES = (3, 7)
OUTPUTS = (np.zeros((2, 4), np.float32), np.zeros(2, np.float32))


def take_all(boxes, scores, **_place):
    """Each row is a detection of class 0, the first category, unless its score is 0."""
    is_found = scores > 0
    return Detections(boxes[is_found], scores[is_found], np.zeros(int(is_found.sum()), np.int32))


@pytest.fixture()
def truth(tmp_path):
    """Annotations of images 100, 101 and 102, as a path; image 102 alone has a box of category 3."""
    return write_coco(tmp_path / "coco data") / "annotations" / "instances_val2017.json"


def found_box(truth):
    """The outputs that find the box of category 3, and nothing else."""
    boxes = [row["bbox"] for row in json.loads(truth.read_text())["annotations"] if row["category_id"] == 3]
    x, y, width, height = boxes[0]
    return np.float32([[x, y, x + width, y + height], [0, 0, 1, 1]]), np.float32([0.9, 0])


def scored(tmp_path, truth, files, skipped=(), category_ids=CATEGORIES, size=SIZE, names=("blue", "red")):
    images = [(file, size, SCALES, found_box(truth) if "002" in file else OUTPUTS) for file in files]
    results = read_result_files(write_results(tmp_path, "net.mindir", images, skipped))
    description = describe(tmp_path / "net.mindir", OUTPUTS, class_names=names, category_ids=category_ids)
    annotations = open_annotations(truth, None, ())
    match = match_model(description, annotations, truth)
    score = score_results(results, match, annotations, truth, take_all)
    return score, format_score(score, results, truth)


def test_a_box_that_is_found_has_ap_1(tmp_path, truth):
    score, text = scored(tmp_path, truth, ["000.jpg", "001.jpg", "002.jpg"])
    by_name = {row.name: row.average_precision for row in score.result.per_class}
    assert by_name == {"blue": pytest.approx(1.0), "red": 0.0}
    assert (score.result.num_images, len(score.detections)) == (3, 1)
    assert text == f"scored 3 images with '{truth}'"


def test_an_image_that_could_not_be_read_counts_as_empty(tmp_path, truth):
    score, text = scored(tmp_path, truth, ["000.jpg", "001.jpg"], [("002.jpg", "cut off"), ("x.jpg", "empty")])
    assert score.result.num_images == 3
    assert score.result.stats[0] == 0
    assert score.num_skipped == 1
    assert "2 of 4 images could not be read: 002.jpg, x.jpg; counted as images in which nothing was found: 1" in text


def test_images_on_one_side_only_are_counted_and_left_out(tmp_path, truth):
    score, text = scored(tmp_path, truth, ["002.jpg", "other.jpg"])
    assert (score.result.num_images, score.num_unannotated, score.num_absent) == (1, 1, 2)
    assert "annotated images that were not given to the model, and do not count: 2" in text
    assert "not in the annotations, and do not count: 1" in text


def test_images_are_known_by_path_or_by_a_name_that_is_the_only_one(tmp_path, truth):
    content = json.loads(truth.read_text())
    for image, name in zip(content["images"], ("a/000.jpg", "b/000.jpg", "val2017/002.jpg"), strict=True):
        image["file_name"] = name
    truth.write_text(json.dumps(content))
    score, _ = scored(tmp_path, truth, ["b/000.jpg", "002.jpg"])
    assert score.num_unannotated == 0
    score, _ = scored(tmp_path, truth, ["000.jpg", "002.jpg"])
    assert score.num_unannotated == 1  # which of the two it is nobody knows


def test_detections_of_a_file_count_for_each_of_its_ids(tmp_path, truth):
    """Image 102 is listed again as 500, with the same box of category 3: found twice, so nothing is missed."""
    content = json.loads(truth.read_text())
    content["images"].append({**content["images"][2], "id": 500})
    (blue,) = [row for row in content["annotations"] if row["category_id"] == 3]
    content["annotations"].append({**blue, "id": 90, "image_id": 500})
    truth.write_text(json.dumps(content))
    score, text = scored(tmp_path, truth, ["000.jpg", "001.jpg", "002.jpg"])
    assert [row["image_id"] for row in score.detections] == [102, 500]
    assert {row.name: row.average_precision for row in score.result.per_class}["blue"] == pytest.approx(1.0)
    assert (score.result.num_images, score.num_absent) == (4, 0)
    score, _ = scored(tmp_path, truth, ["000.jpg", "001.jpg"], [("002.jpg", "cut off")])
    assert (score.result.num_images, score.num_skipped) == (4, 1)
    assert {row.name: row.average_precision for row in score.result.per_class}["blue"] == 0


@pytest.mark.parametrize("ids", [(3, 7), (7, 3), (1, 2)])
def test_ids_of_the_model_do_not_matter_where_the_names_are_the_same(tmp_path, truth, ids):
    score, _ = scored(tmp_path, truth, ["000.jpg", "001.jpg", "002.jpg"], category_ids=ids)
    by_name = {row.name: row.average_precision for row in score.result.per_class}
    assert by_name == {"blue": pytest.approx(1.0), "red": 0.0}
    assert [row["category_id"] for row in score.detections] == [3]


def test_a_model_with_more_classes_than_the_annotations_is_scored(tmp_path, truth):
    content = json.loads(truth.read_text())
    content["annotations"] = [row for row in content["annotations"] if row["category_id"] == 3]
    content["categories"] = [row for row in content["categories"] if row["id"] == 3]
    truth.write_text(json.dumps(content))
    score, _ = scored(tmp_path, truth, ["002.jpg"], names=("blue", "red", "green"), category_ids=(1, 3, 2))
    assert {row.name: row.average_precision for row in score.result.per_class} == {"blue": pytest.approx(1.0)}


def test_an_exported_model_without_names_is_matched_by_number(tmp_path, truth):
    score, _ = scored(tmp_path, truth, ["002.jpg"], names=("class_0", "class_1"), category_ids=(1, 2))
    assert [row["category_id"] for row in score.detections] == [3]


@pytest.mark.parametrize("missing", [("annotations",), ("annotations", "categories")])
def test_images_without_annotations_have_their_detections_counted(tmp_path, truth, capsys, missing):
    content = json.loads(truth.read_text())
    truth.write_text(json.dumps({key: value for key, value in content.items() if key not in missing}))
    outputs = (np.ones((2, 4), np.float32), np.float32([0.9, 0]))
    images = [(f"00{number}.jpg", SIZE, SCALES, outputs) for number in (0, 1)]
    folder = write_results(tmp_path, "net.mindir", images)
    describe(tmp_path / "net.mindir", OUTPUTS, class_names=("blue", "red"), category_ids=CATEGORIES)
    arguments = [f"--ann_file={truth}", f"--result_path={folder}", f"--run_dir={tmp_path / 'out'}"]
    score_run(read_arguments("postprocess.py", "", arguments), "nas_fpn", lambda _: take_all)
    values = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (values["mAP"], values["per_class"]) == (-1, {"blue": -1, "red": -1})
    assert len(json.loads((tmp_path / "out" / "predictions.json").read_text())) == 2
    assert "no boxes to find, so AP is not defined (-1)" in capsys.readouterr().out


def test_a_key_leaves_classes_of_the_annotations_out(tmp_path, truth):
    folder = write_results(tmp_path, "net.mindir", [("002.jpg", SIZE, SCALES, found_box(truth))])
    describe(tmp_path / "net.mindir", OUTPUTS, class_names=("blue",), category_ids=(1,))
    arguments = [f"--ann_file={truth}", f"--result_path={folder}", f"--run_dir={tmp_path / 'out'}"]

    def score(*more):
        return score_run(read_arguments("postprocess.py", "", [*arguments, *more]), "nas_fpn", lambda _: take_all)

    with pytest.raises(BadValueError, match="has 'red', which 'net.mindir' does not have"):
        score()
    for more in (["--ignore_unknown_classes"], ["--ignore_unknown_classes=True"]):
        assert {row.name: row.average_precision for row in score(*more).per_class} == {"blue": pytest.approx(1.0)}
    with pytest.raises(BadValueError, match="'maybe' is neither True nor False"):
        score("--ignore_unknown_classes=maybe")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"files": ["x.jpg"]}, r"has not even the only image with results: it is x\.jpg, there 000\.jpg"),
        ({"files": ["002.jpg"], "size": (128, 96)}, "'002.jpg' is 128 x 96 .height x width., but .* has 96 x 128"),
        (
            {"files": ["002.jpg"], "names": ("green", "red")},
            "has 'blue', which 'net.mindir' does not have: it lists 'blue', 'red', 'net.mindir' has 'green', 'red'",
        ),
    ],
)
def test_results_of_other_images_or_classes_are_a_sentence(tmp_path, truth, options, sentence):
    with pytest.raises(BadValueError, match=sentence):
        scored(tmp_path, truth, **options)


def test_lines_of_text_give_the_same_as_a_coco_file(tmp_path, truth):
    data = truth.parent.parent
    write_txt(data)
    with pytest.raises(BadValueError, match="--dataset_path"):
        open_annotations(data / "val2017.txt", None, ("red", "blue"))
    content = open_annotations(data / "val2017.txt", data / "val2017", ("red", "blue"))
    assert [(image["file_name"], image["height"], image["width"]) for image in content["images"]] == [
        (f"00{number}.jpg", *SIZE) for number in range(3)
    ]
    assert len(content["annotations"]) == 3


def test_a_run_leaves_its_files_and_prints_the_classes(tmp_path, truth, capsys):
    images = [(f"00{number}.jpg", SIZE, SCALES, OUTPUTS) for number in range(2)]
    folder = write_results(tmp_path, "net.mindir", images, [("002.jpg", "cut off")])
    describe(tmp_path / "net.mindir", OUTPUTS, class_names=("blue", "red"), category_ids=CATEGORIES)
    arguments = [f"--ann_file={truth}", f"--result_path={folder}", f"--run_dir={tmp_path / 'out'}"]
    result = score_run(read_arguments("postprocess.py", "", arguments), "nas_fpn", lambda _: take_all)
    assert result.num_images == 3
    assert "blue" in capsys.readouterr().out
    values = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (values["num_images"], values["num_skipped"]) == (3, 1)
    assert json.loads((tmp_path / "out" / "predictions.json").read_text()) == []


def test_a_side_is_of_the_file_that_the_training_had(tmp_path):
    """With val_share the test split does not count, as in eval.py; a file for the evaluation contradicts it."""
    folder = tmp_path / "annotations"
    folder.mkdir()
    for split in ("train", "test"):
        (folder / f"instances_{split}.json").write_text("{}")
    assert annotations_in(tmp_path).name == "instances_test.json"
    assert annotations_in(tmp_path, has_sides=True).name == "instances_train.json"
    (folder / "instances_val.json").write_text("{}")
    assert annotations_in(tmp_path).name == "instances_val.json"
    with pytest.raises(BadValueError, match=r"'.*instances_train.json' and '.*instances_val.json': leave --val_share"):
        annotations_in(tmp_path, has_sides=True)
    with pytest.raises(MissingPathError, match="no annotations of an evaluation split were found"):
        annotations_in(tmp_path / "nothing", has_sides=True)


def test_a_file_without_splits_has_both_sides(tmp_path):
    (tmp_path / "_annotations.coco.json").write_text("{}")
    for has_sides in (False, True):
        assert annotations_in(tmp_path, has_sides=has_sides).name == "_annotations.coco.json"
