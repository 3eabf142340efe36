"""Selection of detections against small cases worked by hand."""

import numpy as np

from nas_fpn.src.postprocess import SelectionRule, select_detections

RULE = SelectionRule(anchors_per_level=(2, 2), min_score=0.1, nms_pre=1000, nms_threshold=0.5, max_boxes=100)


def test_detections_by_hand():
    """Two boxes with IoU 0.9 of one class, one of them in another class too, one weak: scale 2 halves the pixels."""
    boxes = np.asarray([[0, 0, 20, 20], [0, 0, 20, 18], [40, 0, 300, 20], [0, 0, 8, 8]], np.float32)
    scores = np.asarray([[0.9, 0.0], [0.8, 0.7], [0.0, 0.6], [0.05, 0.1]], np.float32)
    found = select_detections(boxes, scores, RULE, scales=(2, 2), height=50, width=100)
    np.testing.assert_allclose(found.scores, [0.9, 0.7, 0.6])
    assert found.labels.tolist() == [0, 1, 1]
    np.testing.assert_allclose(found.boxes, [[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 100, 10]])


def test_no_candidate_gives_no_detection():
    nothing = np.zeros((4, 4), np.float32)
    found = select_detections(nothing, nothing[:, :2], RULE, scales=(1, 1), height=9, width=9)
    assert found.boxes.shape == (0, 4)
    assert found.labels.shape == (0,)


def test_a_box_wholly_outside_the_image_is_no_detection():
    """Clipped to an image of 50 pixels, (60, 10, 80, 20) becomes a line; it must not take one of the places either."""
    boxes = np.asarray([[60, 10, 80, 20], [10, 10, 20, 20], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    scores = np.asarray([[0.9], [0.5], [0.0], [0.0]], np.float32)
    rule = SelectionRule((2, 2), 0.1, 1000, 0.5, 1)
    found = select_detections(boxes, scores, rule, scales=(1, 1), height=50, width=50)
    np.testing.assert_allclose(found.scores, [0.5])


def test_limits_per_level_and_per_image():
    boxes = np.asarray([[0, 0, 5, 5], [10, 0, 15, 5], [20, 0, 25, 5], [30, 0, 35, 5]], np.float32)
    scores = np.asarray([[0.9], [0.8], [0.7], [0.6]], np.float32)
    rule = SelectionRule((2, 2), 0.1, 1, 0.5, 100)
    found = select_detections(boxes, scores, rule, scales=(1, 1), height=50, width=50)
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
    found = select_detections(boxes, scores, SelectionRule((2, 2), 0.1, 2, 0.5, 3), scales=(1, 1), height=50, width=50)
    np.testing.assert_allclose(found.scores, [0.9, 0.8, 0.7])
