"""Suppression against a greedy reference, the best of many scores against a full sort, small selections by hand."""

from dataclasses import replace

import numpy as np

from utils.detection.suppression import SelectionRule, best_above, select_detections, suppress

RULE = SelectionRule(min_score=0.1, nms_threshold=0.5, nms_pre=1000, max_boxes=100, anchors_per_level=(2, 2))


def _greedy(boxes, scores, labels, nms_threshold):
    kept = []
    for index in np.argsort(-scores, kind="stable"):
        for other in kept:
            shared = np.prod(
                np.maximum(
                    np.minimum(boxes[index, 2:], boxes[other, 2:]) - np.maximum(boxes[index, :2], boxes[other, :2]), 0
                )
            )
            areas = np.prod(boxes[[index, other], 2:] - boxes[[index, other], :2], axis=1)
            if labels[index] == labels[other] and shared / (areas.sum() - shared) > nms_threshold:
                break
        else:
            kept.append(index)
    return kept


def test_suppression_equals_greedy_reference():
    generator = np.random.default_rng(5)
    corner = generator.uniform(0, 60, (300, 2))
    boxes = np.concatenate([corner, corner + generator.uniform(5, 40, corner.shape)], axis=1).astype(np.float32)
    scores = generator.random(300).astype(np.float32)
    labels = generator.integers(0, 3, 300)
    assert suppress(boxes, scores, labels, 0.5).tolist() == _greedy(boxes, scores, labels, 0.5)


def test_best_above_keeps_the_order_of_ties():
    values = np.asarray([0.5, 0.9, 0.5, 0.5, 0.1])
    assert best_above(values, 0.0, 3).tolist() == [1, 0, 2]
    assert best_above(values, 0.0, 9).tolist() == [1, 0, 2, 3, 4]
    assert best_above(values, 0.5, 3).tolist() == [1]


def test_best_above_equals_a_full_sort():
    values = np.random.default_rng(2).integers(0, 50, 500) / 50
    for threshold, limit in ((0.0, 40), (0.5, 40), (0.5, 400), (0.98, 40), (1.0, 5)):
        ordered = np.argsort(-values, kind="stable")
        assert best_above(values, threshold, limit).tolist() == ordered[values[ordered] > threshold][:limit].tolist()


def test_nothing_suppresses_nothing():
    assert suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int), 0.5).shape == (0,)


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
    rule = replace(RULE, max_boxes=1)
    found = select_detections(boxes, scores, rule, scales=(1, 1), height=50, width=50)
    np.testing.assert_allclose(found.scores, [0.5])


def test_limits_per_level_and_per_image():
    boxes = np.asarray([[0, 0, 5, 5], [10, 0, 15, 5], [20, 0, 25, 5], [30, 0, 35, 5]], np.float32)
    scores = np.asarray([[0.9], [0.8], [0.7], [0.6]], np.float32)
    rule = replace(RULE, nms_pre=1)
    found = select_detections(boxes, scores, rule, scales=(1, 1), height=50, width=50)
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
    found = select_detections(boxes, scores, replace(RULE, nms_pre=2, max_boxes=3), scales=(1, 1), height=50, width=50)
    np.testing.assert_allclose(found.scores, [0.9, 0.8, 0.7])
