"""COCO files, good and bad. Box numbers are worked by hand: xywh (10, 20, 30, 40) is xyxy (10, 20, 40, 60)."""

import copy
import json
import logging

import numpy as np
import pytest

from utils.detection.annotations.coco_names import COCO_CLASSES
from utils.detection.data import coco_file
from utils.detection.data.coco_file import load_coco
from utils.detection.data.ground_truth import to_coco_ground_truth
from utils.images import write_image
from utils.model_utils.errors import BadValueError, MissingPathError

CONTENT = {
    "images": [
        {"id": 7, "file_name": "a.png", "height": 100, "width": 200},
        {"id": 3, "file_name": "b c/ü.png", "height": 50, "width": 60},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 90, "bbox": [10, 20, 30, 40], "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 5, 5], "iscrowd": 1},
    ],
    "categories": [{"id": 90, "name": "zebra"}, {"id": 4, "name": "cow"}, {"id": 17, "name": "dog"}],
}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Writes a changed copy of CONTENT and loads it, without images."""

    def call(change=None, class_names=None):
        content = copy.deepcopy(CONTENT)
        if change is not None:
            change(content)
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content))
        with monkeypatch.context() as context:
            context.setattr(coco_file, "check_files_exist", lambda *_: None)
            return load_coco(path, tmp_path, class_names)

    return call


def add_box(*bbox, **fields):
    entry = {"id": 3, "image_id": 7, "category_id": 4, "bbox": list(bbox), **fields}
    return lambda content: content["annotations"].append(entry)


def test_ids_are_mapped_through_the_categories(load):
    dataset = load()
    assert (dataset.class_names, dataset.category_ids) == (("cow", "dog", "zebra"), (4, 17, 90))
    first, second = dataset.records
    assert (first.image_id, first.height, first.width) == (7, 100, 200)
    assert first.boxes.tolist() == [[10, 20, 40, 60], [0, 0, 5, 5]]
    assert (first.labels.tolist(), first.is_crowd.tolist()) == ([2, 0], [False, True])
    assert (first.boxes.dtype, first.labels.dtype, first.is_crowd.dtype) == (np.float32, np.int32, bool)
    assert str(dataset.repairs) == ""
    assert (second.image_id, second.boxes.shape, second.labels.shape) == (3, (0, 4), (0,))  # background is kept


def test_class_names_choose_and_order_by_name(load):
    dataset = load(class_names=["zebra", "dog"])
    assert (dataset.class_names, dataset.category_ids) == (("zebra", "dog"), (90, 17))
    assert dataset.records[0].labels.tolist() == [0]  # the cow is left out
    assert load(class_names=["zebra"]).records[0].labels.tolist() == [0]


def test_leading_background_is_left_out(load, caplog):
    caplog.set_level(logging.INFO)
    assert load(class_names=["background", "zebra"]).class_names == ("zebra",)
    assert "class names start with 'background'" in caplog.text


def test_order_of_annotations_in_the_file_is_kept_per_image(load):
    def change(content):
        content["annotations"].insert(0, {"id": 9, "image_id": 3, "category_id": 17, "bbox": [1, 1, 2, 2]})
        content["annotations"].append({"id": 10, "image_id": 7, "category_id": 17, "bbox": [3, 3, 2, 2]})

    first, second = load(change).records
    assert first.boxes[:, 0].tolist() == [10, 0, 3]
    assert second.boxes.tolist() == [[1, 1, 3, 3]]


@pytest.mark.parametrize(
    ("bbox", "what", "boxes_left"),
    [
        ([10, 10, 0, 5], "1 without area", 2),
        ([10, 10, 5, -5], "1 without area", 2),
        ([300, 10, 5, 5], "1 outside the image", 2),
        ([-9, 10, 5, 5], "1 outside the image", 2),
        ([float("nan"), 10, 5, 5], "1 not finite", 2),
        ([1, 10, float("inf"), 5], "1 not finite", 2),
        ([190, 90, 50, 50], "1 box clipped", 3),
    ],
)
def test_bad_boxes_are_repaired_and_counted_once(load, caplog, bbox, what, boxes_left):
    caplog.set_level(logging.WARNING)
    dataset = load(add_box(*bbox))
    assert what in str(dataset.repairs)
    assert len(caplog.records) == 1
    assert "first: annotation 3" in caplog.text
    assert len(dataset.records[0].boxes) == boxes_left
    assert dataset.repairs.dropped == 3 - boxes_left
    if boxes_left == 3:
        assert dataset.records[0].boxes[2].tolist() == [190, 90, 200, 100]


def test_a_pixel_of_rounding_is_clipped_without_a_word(load):
    dataset = load(add_box(190, 90, 10.6, 10.4))
    assert str(dataset.repairs) == ""
    assert dataset.records[0].boxes[2].tolist() == [190, 90, 200, 100]


def remove_boxes(content):
    content["annotations"] = []


def test_no_boxes_is_an_error(load):
    with pytest.raises(BadValueError, match="has no boxes of the classes cow, dog, zebra in its 2 images"):
        load(remove_boxes)


def test_crowds_only_is_an_error(load):
    with pytest.raises(BadValueError, match=r"has only crowd boxes \(1\) of the classes cow"):
        load(class_names=["cow"])


def set_path(*path, value):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


def repeat(section):
    return lambda content: content[section].append(dict(content[section][0]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            set_path("annotations", 0, "category_id", value=55),
            r"annotation 1 in '.*instances\.json' has category_id 55, but the file has no such category "
            r"\(1 annotation",
        ),
        (
            set_path("annotations", 1, "image_id", value=55),
            "annotation 2 in .* has image_id 55, but the file has no such image",
        ),
        (
            lambda content: content["images"].append({**content["images"][0], "file_name": "c.png"}),
            "image id 7 occurs more than once .*, for 'a.png' of 100 x 200 and for 'c.png' of 100 x 200",
        ),
        (repeat("categories"), "category id 90 occurs more than once"),
        (set_path("categories", 1, "name", value="dog"), "class name 'dog' occurs more than once"),
        (set_path("images", 0, "id", value="7"), "image '7' in .* has id '7', wanted a whole number"),
        (set_path("images", 0, "height", value=None), "image 7 in .* has height None, wanted a whole number"),
        (set_path("images", 0, "width", value=0), "image 7 in .* has height 100 and width 0; both must be at least 1"),
        (set_path("images", 0, "file_name", value=5), r"image 7 in .* has no 'file_name' \(got 5\)"),
        (
            set_path("annotations", 0, "bbox", value=[1, 2, 3]),
            r"annotation 1 in .* has bbox \[1, 2, 3\], wanted four numbers",
        ),
        (
            set_path("annotations", 0, "bbox", value=[1, 2, 3, "4"]),
            "annotation 1 in .* has bbox .*'4'.*, wanted four numbers",
        ),
        (set_path("annotations", 0, "bbox", value=None), "annotation 1 in .* has bbox None, wanted four numbers"),
        (
            set_path("annotations", 0, "image_id", value="7"),
            "annotation 1 in .* has image_id '7', wanted a whole number",
        ),
        (set_path("annotations", value={"a": 1}), "'annotations' in .* must be a list of objects"),
        (set_path("images", value=[1, 2]), "'images' in .* must be a list of objects"),
        (lambda content: content.pop("annotations"), r"has no 'annotations', only \['categories', 'images'\]"),
        (lambda content: content.pop("images"), "has no 'images'"),
        (lambda content: content.pop("categories"), "has no 'categories'"),
        (set_path("categories", value=[]), "needs at least one class name, got none"),
        (set_path("categories", 0, value={"id": 90}), "category 90 in .* has no 'name'"),
    ],
)
def test_bad_content_is_refused_with_file_and_entry(load, change, sentence):
    with pytest.raises(BadValueError, match=sentence):
        load(change)


def test_no_images_is_refused(load):
    with pytest.raises(BadValueError, match="lists no images"):
        load(lambda content: content.update(images=[], annotations=[]))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "is not valid JSON"),
        (b'{"images": [', "is not valid JSON"),
        (b"[1]", "holds a list, wanted an object"),
        (b"\xff\xfe\xfa", "is not UTF-8 text|is not valid JSON"),
    ],
)
def test_broken_json_is_refused(tmp_path, text, sentence):
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(BadValueError, match=sentence):
        load_coco(tmp_path / "a.json", tmp_path)


def test_missing_annotation_file(tmp_path):
    with pytest.raises(MissingPathError, match=r"annotation file '.*none\.json' does not exist"):
        load_coco(tmp_path / "none.json", tmp_path)
    with pytest.raises(MissingPathError, match="cannot be read"):
        load_coco(tmp_path, tmp_path)


def test_unknown_class_names_are_met_with_near_ones(load):
    with pytest.raises(BadValueError, match="class name 'zebre' is not a category of .*; did you mean 'zebra'"):
        load(class_names=["cow", "zebre"])
    with pytest.raises(BadValueError, match="known names are 'cow', 'dog', 'zebra'"):
        load(class_names=["spaceship"])
    with pytest.raises(BadValueError, match="class name 'cow' occurs more than once"):
        load(class_names=["cow", "cow"])


def test_cocos_names_on_another_data_set_are_recognised(load):
    with pytest.raises(BadValueError, match=r"are COCO's 80 names but .* has 3 categories \('cow', 'dog', 'zebra'\)"):
        load(class_names=COCO_CLASSES)


def test_missing_images_are_counted_and_named(tmp_path):
    source = tmp_path / "instances.json"
    source.write_text(json.dumps(CONTENT))
    with pytest.raises(MissingPathError, match=r"2 of 2 images of .* are not in '.*', first 'a\.png', 'b c/ü\.png'"):
        load_coco(source, tmp_path)
    (tmp_path / "A.PNG").touch()
    with pytest.raises(MissingPathError, match=r"but 1 of them .* another name, e\.g\. 'A\.PNG' for 'a\.png'; "):
        load_coco(source, tmp_path)
    write_image(tmp_path / "a.png", np.zeros((100, 200, 3), np.uint8))
    write_image(tmp_path / "b c" / "ü.png", np.zeros((50, 60, 3), np.uint8))
    assert len(load_coco(source, tmp_path).records) == 2


def test_image_folder_that_is_missing_or_a_file(load, tmp_path):
    load()
    source = tmp_path / "instances.json"
    with pytest.raises(MissingPathError, match="image folder '.*photos' of .* does not exist"):
        load_coco(source, tmp_path / "photos")
    with pytest.raises(MissingPathError, match="is not a folder"):
        load_coco(source, source)


def test_ground_truth_round_trip(load):
    """What goes back to COCO's form loads to the same records; areas are those of the boxes, 30 * 40 and 5 * 5."""
    dataset = load()
    content = to_coco_ground_truth(dataset)
    assert [each["area"] for each in content["annotations"]] == [1200, 25]
    assert content["annotations"][0]["bbox"] == [10, 20, 30, 40]
    assert [each["file_name"] for each in content["images"]] == ["a.png", "b c/ü.png"]
    again = load(lambda original: original.update(content))
    assert again.category_ids == dataset.category_ids
    for one, other in zip(dataset.records, again.records, strict=True):
        assert np.array_equal(one.boxes, other.boxes)
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(one.is_crowd, other.is_crowd)


def test_real_files_load(shared_data):
    bccd = shared_data / "bccd"
    dataset = load_coco(bccd / "annotations" / "instances_train2017.json", bccd / "train2017")
    assert dataset.class_names == ("RBC", "WBC", "Platelets")
    assert (len(dataset.records), sum(len(record.boxes) for record in dataset.records)) == (292, 3943)
    subset = shared_data / "coco_subset"
    dataset = load_coco(subset / "annotations" / "instances_train2017.json", subset / "train2017", COCO_CLASSES)
    assert (dataset.class_names, dataset.category_ids[:12], dataset.category_ids[-1]) == (
        COCO_CLASSES,
        (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13),
        90,
    )


def test_annotations_with_ignore_count_and_that_is_said(tmp_path, caplog):
    write_image(tmp_path / "a.png", np.zeros((48, 64, 3), np.uint8))
    boxes = [
        {"id": each, "image_id": 1, "category_id": 1, "bbox": [5, 5, 9, 9], "ignore": each % 2} for each in range(4)
    ]
    boxes[3]["iscrowd"] = 1
    image = {"id": 1, "file_name": "a.png", "height": 48, "width": 64}
    path = tmp_path / "ignore.json"
    path.write_text(json.dumps({"images": [image], "annotations": boxes, "categories": [{"id": 1, "name": "a"}]}))
    (record,) = load_coco(path, tmp_path).records
    assert len(record.boxes) == 4
    assert f"{path}: 1 annotation has 'ignore' and counts as any other" in caplog.text
