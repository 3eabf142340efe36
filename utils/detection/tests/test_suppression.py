"""Suppression against a greedy reference, and the best of many scores against a full sort."""

import numpy as np

from utils.detection.suppression import best_above, suppress


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
