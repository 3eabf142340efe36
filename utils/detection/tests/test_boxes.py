"""Numbers worked by hand on small boxes; the squares below can be drawn on paper."""

import numpy as np
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


def test_intersection_of_shifted_squares():
    """2x2 squares shifted by (1, 1) share 1; by (2, 0) they touch; the same square shares all of itself."""
    base = np.array([[0, 0, 2, 2]], np.float32)
    others = np.array([[1, 1, 3, 3], [2, 0, 4, 2], [0, 0, 2, 2]], np.float32)
    assert bx.pairwise_intersection(base, others).tolist() == [[1, 0, 4]]


def test_intersection_with_nothing_has_the_right_shape():
    empty, two = np.zeros((0, 4), np.float32), np.ones((2, 4), np.float32)
    assert bx.pairwise_intersection(empty, two).shape == (0, 2)
    assert bx.pairwise_intersection(two, empty).shape == (2, 0)
    assert bx.pairwise_intersection(two, two).tolist() == [[0, 0], [0, 0]]  # boxes without area


corner = st.floats(0, 1000, width=32)


@given(st.lists(st.tuples(corner, corner, corner, corner), min_size=1, max_size=6))
def test_intersection_is_symmetric_and_at_most_the_smaller_area(corners):
    values = np.array(corners, np.float32)
    boxes = np.concatenate([np.minimum(values[:, :2], values[:, 2:]), np.maximum(values[:, :2], values[:, 2:])], axis=1)
    shared, areas = bx.pairwise_intersection(boxes, boxes), bx.box_area(boxes)
    np.testing.assert_array_equal(shared, shared.T)
    assert (shared >= 0).all()
    assert (shared <= np.minimum(areas[:, None], areas) * (1 + 1e-5)).all()
