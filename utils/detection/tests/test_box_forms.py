"""Boxes in a wrong form: fractions, corners for sizes, sizes for corners. The right ones of real files pass."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from utils.detection.annotations.box_forms import check_corners_form, check_sizes_form
from utils.detection.boxes import xywh_to_xyxy
from utils.model_utils.errors import BadValueError

SOURCE = Path("boxes.json")
HEIGHT, WIDTH = 96, 128
REAL = (
    "bccd/annotations/instances_train2017.json",
    "bccd/annotations/instances_val2017.json",
    "coco_subset/annotations/instances_train2017.json",
    "coco_subset/annotations/instances_val2017.json",
    "coco_eval_fixture/instances_val2014_100.json",
)


def sizes_of(boxes):
    return np.tile([HEIGHT, WIDTH], (len(boxes), 1))


def spread(count):
    """Boxes of 30 x 20 pixels whose left upper corners are spread evenly: xywh."""
    steps = np.linspace(0, 1, count)
    return np.column_stack([steps * 98, (steps * 7 % 1) * 76, np.full(count, 30.0), np.full(count, 20.0)])


def said(caplog, check, boxes):
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        check(np.asarray(boxes, np.float64), sizes_of(boxes), Path(f"boxes_{len(caplog.messages)}_{id(boxes)}.json"))
    return caplog.text


def test_fractions_are_refused_in_both_forms():
    boxes = spread(20) / [WIDTH, HEIGHT, WIDTH, HEIGHT]
    sentence = (
        "all 20 boxes of 'boxes.json' have numbers from 0 to 1, fractions of the picture; wanted pixels: multiply "
    )
    with pytest.raises(BadValueError, match=f"{sentence}left and width by the width of the picture, top and height by"):
        check_sizes_form(boxes, sizes_of(boxes), SOURCE)
    with pytest.raises(BadValueError, match=f"{sentence}x by the width of the picture, y by its height"):
        check_corners_form(xywh_to_xyxy(boxes), sizes_of(boxes), SOURCE)


def test_whole_numbers_of_0_and_1_are_no_fractions(caplog):
    """A picture may have one box of one pixel in its corner."""
    assert said(caplog, check_sizes_form, [[0, 0, 1, 1]]) == ""


def test_most_boxes_below_a_pixel_are_said(caplog):
    boxes = spread(20)
    boxes[:12, 2:] = 0.5
    text = said(caplog, check_sizes_form, boxes)
    assert "12 of 20 boxes of" in text
    assert "are smaller than a pixel: are they fractions of the picture? wanted are pixels" in text
    boxes[9:12, 2:] = 5
    assert said(caplog, check_sizes_form, boxes.copy()) == ""


def test_corners_in_place_of_sizes_are_refused():
    """A box leaves its picture where its centre is right of, or below, that of the picture."""
    corners = xywh_to_xyxy(spread(40))
    leaving = int((2 * corners[:, :2] + [30, 20] > [WIDTH + 1, HEIGHT + 1]).any(axis=1).sum())
    assert leaving == 29
    with pytest.raises(
        BadValueError, match=r"29 of 40 boxes of .* leave their picture, and all fit as corners \[x1, y1"
    ):
        check_sizes_form(corners, sizes_of(corners), SOURCE)


def test_a_few_such_boxes_are_said_and_not_refused(caplog):
    corners = xywh_to_xyxy(spread(9))
    assert "all would fit as corners [x1, y1, x2, y2]" in said(caplog, check_sizes_form, corners)


def test_boxes_that_leave_and_are_no_corners_are_said(caplog):
    """Such are boxes of larger pictures than these."""
    text = said(caplog, check_sizes_form, spread(40) * 2.5)
    assert "boxes of" in text
    assert "leave their picture: are they in pixels of these pictures, as [left, top, width, height]?" in text


def test_sizes_in_place_of_corners_are_refused():
    """They end before they begin where left is more than 30 or top more than 20."""
    boxes = spread(40)
    reversed_ = int(((boxes[:, 0] > 30) | (boxes[:, 1] > 20)).sum())
    assert reversed_ == 36
    with pytest.raises(
        BadValueError, match="36 of 40 boxes of .* end before they begin, and all fit as left, top, width"
    ):
        check_corners_form(boxes, sizes_of(boxes), SOURCE)


def test_corners_in_the_wrong_order_are_said_and_not_taken_for_sizes(caplog):
    corners = xywh_to_xyxy(spread(40))[:, [2, 3, 0, 1]]
    assert "40 of 40 boxes of" in said(caplog, check_corners_form, corners)


def test_one_box_is_said_as_one(caplog):
    with pytest.raises(BadValueError, match=r"^the only box of 'boxes\.json' has numbers from 0 to 1, fractions"):
        check_sizes_form(np.array([[0.1, 0.1, 0.5, 0.5]]), sizes_of([0]), SOURCE)
    assert "1 of 1 box of" in (text := said(caplog, check_corners_form, [[60, 50, 20, 30]]))
    assert "ends before it begins: are they" in text
    assert "leaves its picture: are they" in said(caplog, check_sizes_form, [[300, 300, 10, 10]])
    assert "is smaller than a pixel: are they" in said(caplog, check_sizes_form, [[5, 5, 0.5, 0.5]])


def test_right_boxes_and_none_pass_in_silence(caplog):
    assert said(caplog, check_sizes_form, spread(40)) == ""
    assert said(caplog, check_corners_form, xywh_to_xyxy(spread(40))) == ""
    for check in (check_sizes_form, check_corners_form):
        assert said(caplog, check, np.zeros((0, 4))) == ""
        assert said(caplog, check, np.full((3, 4), np.nan)) == ""


@pytest.mark.parametrize("name", REAL)
def test_real_files_pass_and_are_recognised_in_a_wrong_form(name, shared_data, caplog):
    content = json.loads((shared_data / name).read_text())
    size_of = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    sizes = np.array([size_of[each["image_id"]] for each in content["annotations"]])
    boxes = np.array([each["bbox"] for each in content["annotations"]], np.float64)
    factors = np.tile(sizes[:, ::-1], 2)
    caplog.set_level(logging.WARNING)
    check_sizes_form(boxes, sizes, SOURCE)
    check_corners_form(xywh_to_xyxy(boxes), sizes, SOURCE)
    assert caplog.text == ""
    with pytest.raises(BadValueError, match="fit as corners"):
        check_sizes_form(xywh_to_xyxy(boxes), sizes, SOURCE)
    with pytest.raises(BadValueError, match="fit as left, top, width and height"):
        check_corners_form(boxes, sizes, SOURCE)
    with pytest.raises(BadValueError, match="fractions"):
        check_sizes_form(boxes / factors, sizes, SOURCE)
    with pytest.raises(BadValueError, match="fractions"):
        check_corners_form(xywh_to_xyxy(boxes) / factors, sizes, SOURCE)
