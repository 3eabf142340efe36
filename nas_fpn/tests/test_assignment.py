"""The assignment against IoUs worked by hand and against a reference with plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_fpn.src.assignment import IGNORED, AssignmentRule, assign_anchors

RULE = AssignmentRule(num_classes=3, pos_iou=0.5, neg_iou=0.4, crowd_ignore_ioa=0.5)
BACKGROUND = 3


def _assign(anchors, boxes, labels, crowd=None, rule=RULE):
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    crowd = np.zeros(len(boxes), bool) if crowd is None else np.asarray(crowd, bool)
    return assign_anchors(np.asarray(anchors, np.float32), boxes, np.asarray(labels, np.int32), crowd, rule)


def test_classes_by_hand():
    """Box 0,0-10,10: IoU 1 with itself, then 0.8, 0.45 (inside the band), 0.1 and 0."""
    anchors = [[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 4.5], [0, 0, 10, 1], [20, 20, 30, 30]]
    classes, deltas = _assign(anchors, [[0, 0, 10, 10]], [2])
    assert classes.tolist() == [2, 2, IGNORED, BACKGROUND, BACKGROUND]
    np.testing.assert_allclose(deltas[1], [0, 1 / 8, 0, np.log(10 / 8)], rtol=1e-6)
    assert not deltas[2:].any()


def test_the_best_anchor_of_a_box_is_positive_even_when_poor():
    """IoU 0.25 and 0.1: the first becomes positive, the second stays background."""
    classes, _ = _assign([[0, 0, 5, 5], [0, 0, 5, 2], [50, 50, 60, 60]], [[0, 0, 10, 10]], [1])
    assert classes.tolist() == [1, BACKGROUND, BACKGROUND]


def test_a_box_that_touches_no_anchor_claims_none():
    classes, _ = _assign([[0, 0, 5, 5], [10, 0, 15, 5]], [[50, 50, 60, 60]], [0])
    assert classes.tolist() == [BACKGROUND, BACKGROUND]


def test_of_two_boxes_that_claim_one_anchor_the_last_wins():
    classes, _ = _assign([[0, 0, 10, 10], [80, 80, 90, 90]], [[0, 0, 10, 6], [0, 4, 10, 10]], [0, 1])
    assert classes.tolist() == [1, BACKGROUND]


def test_crowd_regions_ignore_what_they_cover_and_are_never_positive():
    anchors = [[0, 0, 10, 10], [0, 0, 10, 30], [40, 40, 50, 50]]  # inside the crowd; 1/3 inside; outside
    classes, deltas = _assign(anchors, [[0, 0, 20, 10]], [1], crowd=[True])
    assert classes.tolist() == [IGNORED, BACKGROUND, BACKGROUND]
    assert not deltas.any()


def test_an_object_inside_a_crowd_region_is_learned():
    classes, _ = _assign([[0, 0, 10, 10]], [[0, 0, 100, 100], [0, 0, 10, 10]], [1, 2], crowd=[True, False])
    assert classes.tolist() == [2]


def test_without_boxes_everything_is_background():
    classes, deltas = _assign([[0, 0, 10, 10], [5, 5, 9, 9]], [], [])
    assert classes.tolist() == [BACKGROUND, BACKGROUND]
    assert not deltas.any()


def _iou(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    shared = np.float32(width) * np.float32(height)
    area = np.float32((a[2] - a[0]) * (a[3] - a[1]))
    return shared / (np.float32((b[2] - b[0]) * (b[3] - b[1])) + area - shared)


def _reference(anchors, boxes, labels):
    """MMDetection's MaxIoUAssigner, box by box, as its documentation describes it."""
    classes = []
    table = [[_iou(anchor, box) for box in boxes] for anchor in anchors]
    for row in table:
        best = int(np.argmax(row))
        classes.append(labels[best] if row[best] >= 0.5 else BACKGROUND if row[best] < 0.4 else IGNORED)
    for index in range(len(boxes)):
        highest = max(row[index] for row in table)
        for anchor, row in enumerate(table):
            if highest > 0 and row[index] == highest:
                classes[anchor] = labels[index]
    return classes


_BOX = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30)).map(
    lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]]
)


@settings(max_examples=150, deadline=None)
@given(anchors=st.lists(_BOX, min_size=1, max_size=12), boxes=st.lists(_BOX, min_size=1, max_size=5))
def test_equals_the_reference_with_loops(anchors, boxes):
    labels = [index % 3 for index in range(len(boxes))]
    classes, _ = _assign(anchors, boxes, labels)
    expected = _reference(np.asarray(anchors, np.float32), np.asarray(boxes, np.float32), labels)
    assert classes.tolist() == expected


@pytest.mark.parametrize("count", [1, 60])
def test_one_box_in_many_anchors_gives_finite_targets(count):
    anchors = np.tile(np.asarray([[0, 0, 32, 32]], np.float32), (count, 1)) + np.arange(count)[:, None]
    _, deltas = _assign(anchors, [[0, 0, 1, 1]], [0])
    assert np.isfinite(deltas).all()
