"""The final detections by hand, and against multi-class suppression in plain loops."""

from dataclasses import replace

import numpy as np
import pytest

from faster_rcnn.src.detect import detections_of
from faster_rcnn.src.FasterRcnn.detection_selector import DetectionRule, DetectionSelector
from faster_rcnn.tests.two_stage_reference import decode, greedy_nms
from utils.detection.test_time.selection import Selection, SuppressionRule
from utils.detection.tests.in_graph import InGraph

STDS = (0.1, 0.1, 0.2, 0.2)
META = [100.0, 160.0, 0.5, 0.5]  # an original of 160 x 100 pixels, seen in 80 x 50


def _reference(rois, is_valid, logits, deltas, meta, rule):
    """(score, label, box) of one image, best first."""
    height, width, scale_y, scale_x = meta
    pairs = []
    for roi in np.flatnonzero(is_valid):
        odds = np.exp(logits[roi].astype(np.float64) - logits[roi].max())
        for label in range(deltas.shape[1]):
            score = odds[label] / odds.sum()
            box = decode(deltas[roi, label], rois[roi], STDS, height * scale_y, width * scale_x)
            box = [box[0] / scale_x, box[1] / scale_y, box[2] / scale_x, box[3] / scale_y]
            pairs.append((score, label, box))
    pairs = sorted(pairs, key=lambda pair: -pair[0])[: rule.candidates]
    pairs = [pair for pair in pairs if pair[0] > rule.min_score and pair[2][2] > pair[2][0] and pair[2][3] > pair[2][1]]
    kept = []
    for label in range(deltas.shape[1]):
        own = [pair for pair in pairs if pair[1] == label]
        kept += [own[index] for index in greedy_nms([pair[2] for pair in own], rule.nms_threshold)]
    return sorted(kept, key=lambda pair: -pair[0])[: rule.max_boxes]


@pytest.mark.parametrize(
    "rule",
    [
        DetectionRule(max_boxes=10),
        DetectionRule(min_score=0.2, candidates=15, max_boxes=10),
        DetectionRule(min_score=0.0, nms_threshold=0.3, max_boxes=400),
    ],
)
@pytest.mark.parametrize("num_classes", [1, 5])
def test_equals_the_reference_with_loops(rule, num_classes):
    """Two images, one of them stretched, with empty slots among the proposals."""
    rng = np.random.default_rng(num_classes)
    selector, count = InGraph(DetectionSelector(rule, num_classes)), 30
    for _ in range(5):
        low = rng.uniform(0, 40, (2, count, 2))
        rois = np.concatenate([low, low + rng.uniform(5, 30, (2, count, 2))], -1).astype(np.float32)
        is_valid = rng.random((2, count)) < 0.8
        logits = rng.normal(scale=2, size=(2, count, num_classes + 1)).astype(np.float32)
        deltas = rng.normal(size=(2, count, num_classes, 4)).astype(np.float32)
        metas = np.asarray([META, [60, 160, 0.75, 0.5]], np.float32)
        boxes, scores, labels = selector.run(
            rois, is_valid, logits.reshape(-1, num_classes + 1), deltas.reshape(-1, num_classes, 4), metas
        )
        assert (boxes.shape, scores.dtype, labels.dtype) == ((2, rule.max_boxes, 4), np.float32, np.int32)
        for image in range(2):
            expected = _reference(
                rois[image], is_valid[image], logits[image], deltas[image], metas[image].tolist(), rule
            )
            found = len(expected)
            np.testing.assert_allclose(scores[image, :found], [pair[0] for pair in expected], rtol=1e-4)
            assert labels[image, :found].tolist() == [pair[1] for pair in expected]
            np.testing.assert_allclose(boxes[image, :found], [pair[2] for pair in expected], rtol=1e-4, atol=1e-3)
            assert not (boxes[image, found:].any() or scores[image, found:].any() or labels[image, found:].any())


def test_the_candidates_become_the_same_detections_on_the_host():
    """Two images of 30 proposals and 5 classes; the graph that suppresses itself is what is expected."""
    rule, rng = DetectionRule(max_boxes=40), np.random.default_rng(9)
    low = rng.uniform(0, 40, (2, 30, 2))
    rois = np.concatenate([low, low + rng.uniform(5, 30, (2, 30, 2))], -1).astype(np.float32)
    logits = rng.normal(scale=2, size=(60, 6)).astype(np.float32)
    deltas = (0.3 * rng.normal(size=(60, 5, 4))).astype(np.float32)
    inputs = (rois, rng.random((2, 30)) < 0.8, logits, deltas, np.asarray([META, [60, 160, 0.75, 0.5]], np.float32))
    expected = InGraph(DetectionSelector(rule, 5)).run(*inputs)
    candidates = InGraph(DetectionSelector(replace(rule, suppresses=False), 5)).run(*inputs)
    assert candidates[1].shape == (2, 150)
    select = Selection(detections_of, SuppressionRule(rule.min_score, rule.nms_threshold, rule.max_boxes))
    for image in range(2):
        wanted = detections_of(*(part[image] for part in expected))
        found = select(*(part[image] for part in candidates), scales=(1.0, 1.0), height=100, width=160)
        assert len(found.scores) == len(wanted.scores) > 10
        for one, other in zip(vars(found).values(), vars(wanted).values(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def selector():
    """Of two classes and three slots, for two proposals of one image."""
    return InGraph(DetectionSelector(DetectionRule(max_boxes=3), 2))


def _detections(selector, boxes, probabilities):
    """Each proposal has these probabilities, background last, and moves nowhere."""
    logits = np.log(np.asarray(probabilities, np.float32) + 1e-9)
    deltas = np.zeros((len(boxes), logits.shape[1] - 1, 4), np.float32)
    return selector.run(
        np.asarray([boxes], np.float32), np.ones((1, len(boxes)), bool), logits, deltas, np.asarray([META], np.float32)
    )


def test_classes_do_not_suppress_each_other(selector):
    """One box twice: 0.6 and 0.5 for class 0, 0.3 and 0.4 for class 1. The better one of each class is left."""
    boxes, scores, labels = _detections(selector, [[0, 0, 10, 10]] * 2, [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]])
    np.testing.assert_allclose(scores[0], [0.6, 0.4, 0], rtol=1e-5)
    assert labels[0].tolist() == [0, 1, 0]
    np.testing.assert_allclose(boxes[0], [[0, 0, 20, 20]] * 2 + [[0] * 4], rtol=1e-5)  # in the original's pixels


def test_nothing_above_the_threshold_gives_empty_slots(selector):
    boxes, scores, labels = _detections(selector, [[0, 0, 10, 10]] * 2, [[0.03, 0.01, 0.96]] * 2)
    assert not (boxes.any() or scores.any() or labels.any())


def test_boxes_without_area_in_the_image_are_dropped(selector):
    """The image ends at 80 x 50 input pixels."""
    _, scores, _ = _detections(selector, [[85, 0, 95, 10], [70, 0, 95, 10]], [[0.9, 0.01, 0.09], [0.8, 0.01, 0.19]])
    np.testing.assert_allclose(scores[0], [0.8, 0, 0], rtol=1e-5)


def test_labels_above_255():
    probabilities = np.full((1, 401), 1e-6)
    probabilities[0, 399] = 0.9
    selector = InGraph(DetectionSelector(DetectionRule(max_boxes=2), 400))
    _, _, labels = _detections(selector, [[0, 0, 10, 10]], probabilities)
    assert labels[0].tolist() == [399, 0]
