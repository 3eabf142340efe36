"""Numbers worked by hand on small boxes; the squares below can be drawn on paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.detection import boxes as bx


def test_xywh_and_xyxy_by_hand():
    xywh = np.array([[10, 20, 30, 40]], np.float32)
    xyxy = bx.xywh_to_xyxy(xywh)
    assert xyxy.tolist() == [[10, 20, 40, 60]]
    assert bx.xyxy_to_xywh(xyxy).tolist() == xywh.tolist()
    assert xyxy.dtype == np.float32


def test_conversions_take_no_boxes():
    empty = np.zeros((0, 4), np.float32)
    assert bx.xywh_to_xyxy(empty).shape == bx.xyxy_to_xywh(empty).shape == (0, 4)
    assert bx.as_boxes([]).shape == (0, 4)


def test_clip_moves_corners_to_the_border_of_height_and_width():
    clipped = bx.clip_boxes(np.array([[-5, -5, 300, 300], [1, 2, 3, 4], [210, 5, 220, 9]], np.float32), 100, 200)
    assert clipped.tolist() == [[0, 0, 200, 100], [1, 2, 3, 4], [200, 5, 200, 9]]


def test_clip_takes_one_size_per_box():
    boxes = np.array([[0, 0, 50, 50], [0, 0, 50, 50]], np.float32)
    clipped = bx.clip_boxes(boxes, np.array([10, 20]), np.array([30, 40]))
    assert clipped.tolist() == [[0, 0, 30, 10], [0, 0, 40, 20]]


def test_area_has_no_plus_one_and_is_zero_for_negative_sides():
    assert bx.box_area(np.array([[0, 0, 2, 3], [5, 5, 5, 9], [5, 5, 4, 9]], np.float32)).tolist() == [6, 0, 0]


def test_iou_of_shifted_squares_is_one_seventh():
    """2x2 squares shifted by (1, 1): intersection 1, union 4 + 4 - 1 = 7; by (2, 0): they touch, 0; same: 1."""
    base = np.array([[0, 0, 2, 2]], np.float32)
    others = np.array([[1, 1, 3, 3], [2, 0, 4, 2], [0, 0, 2, 2]], np.float32)
    np.testing.assert_allclose(bx.pairwise_iou(base, others), [[1 / 7, 0, 1]], rtol=1e-6)


def test_ioa_divides_by_the_first_box():
    """A 2x2 box half inside a 10x10 crowd: 2 / 4; seen from the crowd: 2 / 100."""
    small, crowd = np.array([[9, 0, 11, 2]], np.float32), np.array([[0, 0, 10, 10]], np.float32)
    assert bx.pairwise_ioa(small, crowd).tolist() == [[0.5]]
    np.testing.assert_allclose(bx.pairwise_ioa(crowd, small), [[0.02]], rtol=1e-6)


@pytest.mark.parametrize("function", [bx.pairwise_iou, bx.pairwise_ioa, bx.pairwise_intersection])
def test_pairwise_of_nothing_has_the_right_shape(function):
    empty, two = np.zeros((0, 4), np.float32), np.ones((2, 4), np.float32)
    assert function(empty, two).shape == (0, 2)
    assert function(two, empty).shape == (2, 0)
    assert function(two, two).tolist() == [[0, 0], [0, 0]]  # boxes without area: 0, not NaN


corner = st.floats(0, 1000, width=32)


@given(st.lists(st.tuples(corner, corner, corner, corner), min_size=1, max_size=6))
def test_iou_is_symmetric_and_between_0_and_1(corners):
    values = np.array(corners, np.float32)
    boxes = np.concatenate([np.minimum(values[:, :2], values[:, 2:]), np.maximum(values[:, :2], values[:, 2:])], axis=1)
    iou = bx.pairwise_iou(boxes, boxes)
    np.testing.assert_allclose(iou, iou.T, atol=1e-6)
    assert (iou >= 0).all()
    assert (iou <= 1 + 1e-5).all()
