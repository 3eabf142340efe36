"""The one reader of COCO files: what is taken, what is dropped and what is refused, in training and evaluation alike.

Every file here goes through both, `load_coco` and `read_ground_truth`; numbers are worked by hand.
"""

import json
import logging
import re

import numpy as np
import pytest

from utils.detection.data.coco_file import load_coco, read_ground_truth
from utils.images import write_image
from utils.model_utils.errors import BadValueError, short

NAN, INFINITE = float("nan"), float("inf")


@pytest.fixture()
def write(tmp_path):
    """Writes a file with two images and two boxes, the second one changed, and returns its path."""
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, np.zeros((480, 640, 3), np.uint8))

    def call(fields=None, images=(), **sections):
        content = {
            "images": [
                {"id": 1, "file_name": "a.png", "height": 480, "width": 640},
                {"id": 2, "file_name": "b.png", "height": 480, "width": 640},
                *images,
            ],
            "annotations": [
                {"id": 11, "image_id": 1, "category_id": 1, "bbox": [1, 2, 40, 30], "area": 700, "iscrowd": 0},
                {"id": 12, "image_id": 2, "category_id": 2, "bbox": [5, 6, 20.5, 10], **(fields or {})},
            ],
            "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
            **sections,
        }
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(content))
        return path

    return call


def both(path):
    """Returns the second annotation as evaluation has it, and the second image's record of training."""
    content = read_ground_truth(path)
    (annotation,) = (row for row in content["annotations"] if row["id"] == 12)
    return annotation, load_coco(path, path.parent).records[1]


def refused(path, sentence):
    for read in (read_ground_truth, lambda path: load_coco(path, path.parent)):
        with pytest.raises(BadValueError, match=sentence):
            read(path)


@pytest.mark.parametrize(
    ("fields", "area", "crowd"),
    [
        ({}, 205.0, 0),
        ({"area": None, "iscrowd": None}, 205.0, 0),
        ({"area": 0, "iscrowd": 1}, 0.0, 1),
        ({"area": 12.5, "iscrowd": True}, 12.5, 1),
        ({"iscrowd": False}, 205.0, 0),
        ({"iscrowd": 1.0}, 205.0, 1),
    ],
)
def test_what_may_be_absent_is_filled_in(write, fields, area, crowd):
    annotation, record = both(write(fields))
    assert (annotation["area"], annotation["iscrowd"]) == (area, crowd)
    assert type(annotation["iscrowd"]) is int
    assert record.is_crowd.tolist() == [bool(crowd)]


@pytest.mark.parametrize("value", [[1600], "1600", NAN, INFINITE, -1, -0.5, True, {}, 10**400])
def test_an_area_that_is_none_is_refused_with_its_annotation(write, value):
    refused(
        write({"area": value}), rf"annotation 12 in '.*' has area {re.escape(short(value))}, wanted a number of pix"
    )


@pytest.mark.parametrize("value", ["0", "no", [0], 2, -1, 0.5, NAN, {}])
def test_a_crowd_that_is_neither_0_nor_1_is_refused_with_its_annotation(write, value):
    refused(write({"iscrowd": value}), "annotation 12 in '.*' has iscrowd .*, wanted 0 or 1")


@pytest.mark.parametrize(
    ("bbox", "sentence"),
    [
        ([NAN, 1, 2, 3], "0 with a negative width or height and 1 not finite"),
        ([1, 1, INFINITE, 3], "0 with a negative width or height and 1 not finite"),
        ([1, 1, 10**400, 3], "0 with a negative width or height and 1 not finite"),
        ([1, 1, 1e200, 1e200], "0 with a negative width or height and 1 not finite"),
        ([50, 50, -4, 3], "1 with a negative width or height and 0 not finite"),
        ([50, 50, 4, -3.5], "1 with a negative width or height and 0 not finite"),
    ],
)
def test_a_box_that_cannot_be_one_is_dropped_in_both_and_said_once(write, caplog, bbox, sentence):
    """Its area, which is as bad, is no reason to refuse the file."""
    caplog.set_level(logging.WARNING)
    path = write({"bbox": bbox, "area": NAN})
    assert [row["id"] for row in read_ground_truth(path)["annotations"]] == [11]
    assert [row["id"] for row in read_ground_truth(path)["annotations"]] == [11]
    assert caplog.messages == [f"{path}: 1 box is left out, {sentence}; first: annotation 12"]
    dataset = load_coco(path, path.parent)
    assert [len(record.boxes) for record in dataset.records] == [1, 0]
    assert (dataset.repairs.dropped, dataset.repairs.examples) == (1, ("annotation 12",))


@pytest.mark.parametrize("bbox", [[5, 6, 0, 10], [700, 6, 20, 10]])
def test_boxes_without_area_and_outside_stay_in_the_official_annotations(write, bbox):
    annotation, record = both(write({"bbox": bbox}))
    assert annotation["bbox"] == bbox
    assert len(record.boxes) == 0


def test_whole_numbers_may_be_written_with_a_point(write):
    """640.0 is 640, as tools write it that go through floats."""
    path = write(
        {"image_id": 3.0, "category_id": 2.0},
        [{"id": 3.0, "file_name": "b.png", "height": 480.0, "width": 640.0}],
        categories=[{"id": 1.0, "name": "a"}, {"id": 2, "name": "b"}],
    )
    content = read_ground_truth(path)
    assert content["images"][2] == {"id": 3, "file_name": "b.png", "height": 480, "width": 640}
    assert {type(content["images"][2][key]) for key in ("id", "height", "width")} == {int}
    assert [type(category["id"]) for category in content["categories"]] == [int, int]
    assert (content["annotations"][1]["image_id"], type(content["annotations"][1]["category_id"])) == (3, int)
    assert load_coco(path, path.parent).records[2].boxes.tolist() == [[5, 6, 25.5, 16]]


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        ({"height": 480.5}, "image 3 in '.*' has height 480.5, wanted a whole number"),
        ({"height": NAN}, "image 3 in '.*' has height nan, wanted a whole number"),
        ({"width": True}, "image 3 in '.*' has width True, wanted a whole number"),
        ({"width": 2**40}, "has height 480 and width 1099511627776; both must be at most 1048576"),
        ({"width": 10**400}, r"has height 480 and width 10+\.\.\.; both must be at most 1048576"),
        ({"width": -640}, "has height 480 and width -640; both must be at least 1"),
        ({"id": 2**63}, "image 9223372036854775808 in '.*' has an id that 64 bits do not hold"),
        ({"id": 1e300}, "image .* in '.*' has an id that 64 bits do not hold"),
        ({"id": "3"}, "image '3' in '.*' has id '3', wanted a whole number"),
        ({"id": 1}, "image id 1 occurs more than once in '.*', for 'a.png' of 480 x 640 and for 'c.png' of 480 x 640"),
        (
            {"id": 1, "file_name": "a.png", "width": 64},
            "image id 1 occurs more than once in '.*', for 'a.png' of 480 x 640 and for 'a.png' of 480 x 64",
        ),
    ],
)
def test_an_image_that_cannot_be_is_refused_in_both(write, image, sentence):
    refused(write(images=[{"id": 3, "file_name": "c.png", "height": 480, "width": 640, **image}]), sentence)


def test_a_category_id_of_more_than_64_bits_is_refused(write):
    categories = [{"id": 2**63, "name": "a"}, {"id": 2, "name": "b"}]
    refused(write(categories=categories), "category 'a' in '.*' has an id that 64 bits do not hold")


def test_an_image_that_is_listed_twice_in_the_same_way_is_taken_once(write, caplog):
    caplog.set_level(logging.WARNING)
    path = write(images=[{"id": 1, "file_name": "a.png", "height": 480.0, "width": 640, "license": 3}])
    assert [image["id"] for image in read_ground_truth(path)["images"]] == [1, 2]
    records = load_coco(path, path.parent).records
    assert [(record.image_id, len(record.boxes)) for record in records] == [(1, 1), (2, 1)]
    assert caplog.messages == [
        f"{path}: 1 image is listed more than once, with the same file and size (first: image 1); each is taken once"
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"image_id": 9}, "annotation 12 in '.*' has image_id 9, but the file has no such image"),
        ({"category_id": 9}, "annotation 12 in '.*' has category_id 9, but the file has no such category"),
        ({"image_id": 2**70}, "annotation 12 in '.*' has image_id 1180591620717411303424, but the file has no such"),
        ({"image_id": [2]}, r"annotation 12 in '.*' has image_id \[2\], wanted a whole number"),
        ({"bbox": {}}, "annotation 12 in '.*' has bbox {}, wanted four numbers"),
        ({"bbox": [1, 2, 3, True]}, r"annotation 12 in '.*' has bbox \[1, 2, 3, True\], wanted four numbers"),
        ({"id": None, "bbox": None}, "annotation number 2 in '.*' has bbox None, wanted four numbers"),
    ],
)
def test_an_annotation_of_nothing_is_refused_in_both(write, fields, sentence):
    refused(write(fields), sentence)


def test_a_file_without_annotations_can_be_evaluated_and_not_trained_on(write):
    path = write(annotations=None)
    content = json.loads(path.read_text())
    del content["annotations"]
    path.write_text(json.dumps(content))
    assert read_ground_truth(path)["annotations"] == []
    assert [len(record.boxes) for record in load_coco(path, path.parent, for_training=False).records] == [0, 0]
    with pytest.raises(BadValueError, match="has no 'annotations', only"):
        load_coco(path, path.parent)


def test_a_number_of_thousands_of_digits_is_no_json(write):
    path = write()
    path.write_text(path.read_text().replace("700", "7" * 5000))
    refused(path, "is not valid JSON")
