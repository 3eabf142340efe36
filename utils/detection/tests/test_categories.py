"""Categories of COCO files: ids in coco_classes, names that several share, and the root that Roboflow writes."""

import json
import logging

import numpy as np
import pytest

from utils.detection.data.class_names import resolve_classes
from utils.detection.data.coco_file import load_coco, read_ground_truth
from utils.detection.data.txt_file import load_txt
from utils.images import write_image
from utils.model_utils.errors import BadValueError

TWINS = [{"id": 3, "name": "cat"}, {"id": 7, "name": "cat"}, {"id": 5, "name": "dog"}]
ROBOFLOW = [
    {"id": 0, "name": "animals", "supercategory": "none"},
    {"id": 1, "name": "cat", "supercategory": "animals"},
    {"id": 2, "name": "dog", "supercategory": "animals"},
]


@pytest.fixture()
def write(tmp_path):
    """Writes a file of one image with a box of each category in `boxes`, the first at 0, the next at 10."""
    write_image(tmp_path / "a.png", np.zeros((48, 64, 3), np.uint8))

    def call(categories, boxes):
        content = {
            "images": [{"id": 1, "file_name": "a.png", "height": 48, "width": 64}],
            "annotations": [
                {"id": number, "image_id": 1, "category_id": category, "bbox": [10 * number, 5, 8, 9]}
                for number, category in enumerate(boxes)
            ],
            "categories": categories,
        }
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content))
        return path

    return call


def classes_of(path, wanted=None, **options):
    dataset = load_coco(path, path.parent, wanted, **options)
    (record,) = dataset.records
    lefts = {dataset.class_names[label]: box[0] for label, box in zip(record.labels, record.boxes, strict=True)}
    return dict(zip(dataset.class_names, dataset.category_ids, strict=True)), lefts


def test_ids_and_names_may_stand_side_by_side(write):
    path = write([{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}], [3, 5])
    assert classes_of(path, ["dog", 3]) == ({"dog": 5, "cat": 3}, {"cat": 0, "dog": 10})
    assert classes_of(path, [5]) == ({"dog": 5}, {"dog": 10})
    with pytest.raises(BadValueError, match=r"category id 4 of coco_classes is not in '.*', whose .* 'cat', 'dog'"):
        load_coco(path, path.parent, [3, 4])
    with pytest.raises(BadValueError, match="class name 'cat' occurs more than once"):
        load_coco(path, path.parent, [3, "cat"])


def test_a_name_of_digits_is_a_name_and_no_id(write):
    path = write([{"id": 1, "name": "0"}, {"id": 0, "name": "1"}], [0, 1])
    assert classes_of(path, ["0", "1"])[0] == {"0": 1, "1": 0}
    assert classes_of(path, [0, 1])[0] == {"1": 0, "0": 1}


def test_twins_are_asked_for_by_id_and_have_the_same_names_everywhere(write):
    path = write(TWINS, [3, 7, 5])
    with pytest.raises(
        BadValueError, match=r"class name 'cat' occurs more than once in .*, as the categories 3, 7: li"
    ):
        load_coco(path, path.parent)
    with pytest.raises(BadValueError, match=r"coco_classes to say which are meant, such as \[3, 5, 7\]"):
        load_coco(path, path.parent, ["cat", "dog"])
    assert classes_of(path, [3, 5, 7]) == (
        {"cat (3)": 3, "dog": 5, "cat (7)": 7},
        {"cat (3)": 0, "cat (7)": 10, "dog": 20},
    )
    assert classes_of(path, ["cat (7)", "dog"]) == ({"cat (7)": 7, "dog": 5}, {"cat (7)": 10, "dog": 20})
    names = {category["id"]: category["name"] for category in read_ground_truth(path)["categories"]}
    assert names == {3: "cat (3)", 7: "cat (7)", 5: "dog"}


def test_a_name_that_another_category_has_already_is_not_given_to_a_twin(write):
    categories = [{"id": 3, "name": "cat"}, {"id": 7, "name": "cat"}, {"id": 8, "name": "cat (3)"}]
    names = {category["id"]: category["name"] for category in read_ground_truth(write(categories, []))["categories"]}
    assert names == {3: "cat (3) (3)", 7: "cat (7)", 8: "cat (3)"}


def test_twins_that_nobody_asks_for_do_no_harm(write):
    assert classes_of(write(TWINS, [3, 7, 5]), ["dog"]) == ({"dog": 5}, {"dog": 20})


def test_roboflows_root_is_left_out_with_a_line(write, caplog):
    caplog.set_level(logging.INFO)
    path = write(ROBOFLOW, [1, 2])
    assert classes_of(path) == ({"cat": 1, "dog": 2}, {"cat": 0, "dog": 10})
    assert f"{path}: category 0, 'animals', has no box and is background or the group of the others" in caplog.text
    assert [category["id"] for category in read_ground_truth(path)["categories"]] == [0, 1, 2]


@pytest.mark.parametrize("name", ["Background", "__background__"])
def test_a_background_without_boxes_is_no_class(write, name):
    categories = [{"id": 0, "name": name, "supercategory": name}, {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert classes_of(write(categories, [1, 2])) == ({"cat": 1, "dog": 2}, {"cat": 0, "dog": 10})
    assert set(classes_of(write(categories, [0, 2]))[0]) == {name, "cat", "dog"}


def test_a_root_that_is_called_like_a_class_is_no_twin(write):
    root = {"id": 0, "name": "fish", "supercategory": "none"}
    path = write([root, {"id": 1, "name": "fish", "supercategory": "fish"}], [1])
    assert classes_of(path) == ({"fish": 1}, {"fish": 0})
    assert classes_of(path, ["fish"]) == ({"fish": 1}, {"fish": 0})
    names = {category["id"]: category["name"] for category in read_ground_truth(path)["categories"]}
    assert names == {0: "fish (0)", 1: "fish"}


def test_a_root_can_be_asked_for(write):
    """So that a network goes on that was trained when the root was a class."""
    path = write(ROBOFLOW, [1, 2])
    assert classes_of(path, ["animals", "cat", "dog"])[0] == {"animals": 0, "cat": 1, "dog": 2}
    assert classes_of(path, [0, 1])[0] == {"animals": 0, "cat": 1}


@pytest.mark.parametrize(
    ("categories", "boxes"),
    [
        (ROBOFLOW, [0, 1]),  # it has a box
        ([{**ROBOFLOW[0], "id": 9}, *ROBOFLOW[1:]], [1]),  # another id
        ([{"id": 0, "name": "cat", "supercategory": "none"}, {"id": 1, "name": "dog", "supercategory": "none"}], [1]),
        ([{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}], [1]),
        (
            [
                {"id": 0, "name": "person", "supercategory": "person"},
                {"id": 1, "name": "rider", "supercategory": "person"},
            ],
            [1],
        ),
        (
            [
                {"id": 0, "name": "cat", "supercategory": "animals"},
                {"id": 1, "name": "dog", "supercategory": "animals"},
            ],
            [1],
        ),
        ([{"id": 0, "name": "cat", "supercategory": "none"}], []),
    ],
)
def test_a_class_with_id_0_is_no_root(write, categories, boxes):
    content = read_ground_truth(write(categories, boxes))
    assert not any("is_root" in category for category in content["categories"])
    assert len(classes_of(write(categories, boxes), for_training=False)[0]) == len(categories)


def test_ids_are_those_of_data_and_say_nothing_about_a_checkpoint(tmp_path):
    stored = {"stored_names": ("cat (3)", "dog", "cat (7)"), "stored_ids": (3, 5, 7)}
    assert resolve_classes(3, tmp_path, **stored, configured_names=[3, 5, 9]).names == stored["stored_names"]
    assert resolve_classes(3, tmp_path, **stored, configured_names=[3, "dog", 9]).category_ids == (3, 5, 7)


def test_lines_of_text_have_no_ids(tmp_path):
    (tmp_path / "list.txt").write_text("a.png 1,1,5,5,1,0\n")
    with pytest.raises(BadValueError, match="coco_classes has the category id 3, but .* counts classes from 1 into"):
        load_txt(tmp_path / "list.txt", tmp_path, [3])
