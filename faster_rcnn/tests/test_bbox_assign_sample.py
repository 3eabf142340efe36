"""The RPN's assignment and sampling by hand, and against a reference with plain loops over anchors and boxes."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faster_rcnn.src.FasterRcnn.bbox_assign_sample import RpnRule, assign_and_sample
from utils.detection.box_coder import encode_boxes

RULE = RpnRule(num_samples=12, num_positives=6)
ALL = dataclasses.replace(RULE, num_samples=400, num_positives=200)


def _sample(anchors, boxes, crowd=None, content=(100, 100), rule=RULE, seed=0):
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    crowd = np.zeros(len(boxes), bool) if crowd is None else np.asarray(crowd, bool)
    draws = np.random.default_rng(seed)
    return assign_and_sample(np.asarray(anchors, np.float32), boxes, crowd, content, rule, draws)


def _classes(sample, count):
    """1 positive, 0 background, -1 not in the sample, for each anchor."""
    classes = np.full(count, -1)
    filled = sample.label >= 0
    classes[sample.index[filled]] = sample.label[filled]
    return classes.tolist()


def test_labels_and_targets_by_hand():
    """Box 0,0-10,10: IoU 1 with itself, then 0.8, 0.5 (ignored), 0.2 and 0 (background)."""
    anchors = [[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 5], [0, 0, 10, 2], [20, 20, 30, 30]]
    sample = _sample(anchors, [[0, 0, 10, 10]])
    assert _classes(sample, 5) == [1, 1, -1, 0, 0]
    assert sample.index[:4].tolist() == [0, 1, 3, 4]
    assert sample.label.tolist() == [1, 1, 0, 0] + [-1] * 8
    np.testing.assert_allclose(sample.deltas[1], [0, 1 / 8, 0, np.log(10 / 8)], rtol=1e-6)
    assert not sample.deltas[2:].any()


def test_targets_take_means_and_deviations():
    rule = dataclasses.replace(RULE, target_means=(0.0, 0.5, 0.0, 0.0), target_stds=(1.0, 0.1, 1.0, 0.2))
    sample = _sample([[0, 0, 10, 8]], [[0, 0, 10, 10]], rule=rule)
    np.testing.assert_allclose(sample.deltas[0], [0, (1 / 8 - 0.5) / 0.1, 0, np.log(10 / 8) / 0.2], rtol=1e-5)


def test_the_best_anchor_of_a_box_is_positive_from_the_low_threshold_on():
    """IoU 0.4 is the best of the first box and enough; 0.25, the best of the second, is below 0.3."""
    anchors = [[0, 0, 10, 4], [0, 0, 10, 3.5], [50, 50, 60, 52.5]]
    sample = _sample(anchors, [[0, 0, 10, 10], [50, 50, 60, 60]])
    assert _classes(sample, 3) == [1, -1, 0]


def test_of_two_boxes_that_claim_one_anchor_the_last_wins():
    sample = _sample([[0, 0, 10, 10]], [[0, 0, 10, 6], [0, 4, 10, 10]])
    np.testing.assert_allclose(sample.deltas[0], [0, 0.2, 0, np.log(0.6)], rtol=1e-5)


def test_anchors_in_the_padding_are_ignored():
    """Content 40 high and 60 wide; the centres lie at (59, 39), (60, 39) and (59, 40)."""
    anchors = [[49, 29, 69, 49], [50, 29, 70, 49], [49, 30, 69, 50]]
    assert _classes(_sample(anchors, [], content=(40, 60)), 3) == [0, -1, -1]


def test_an_allowed_border_ignores_anchors_that_reach_out_of_the_content():
    anchors = [[0, 0, 10, 10], [-2, 0, 8, 10], [-3, 0, 7, 10], [30, 20, 61, 30], [30, 20, 62, 30]]
    rule = dataclasses.replace(RULE, allowed_border=2)
    assert _classes(_sample(anchors, [], content=(40, 60), rule=rule), 5) == [0, 0, -1, 0, -1]


def test_crowds_are_no_objects_and_what_they_cover_is_no_background():
    anchors = [[0, 0, 10, 10], [0, 0, 10, 30], [40, 40, 50, 50]]  # inside the crowd; 1/3 inside; outside
    assert _classes(_sample(anchors, [[0, 0, 20, 10]], crowd=[True]), 3) == [-1, 0, 0]
    without = dataclasses.replace(RULE, crowd_ignore_ioa=1.1)
    assert _classes(_sample(anchors, [[0, 0, 20, 10]], crowd=[True], rule=without), 3) == [0, 0, 0]


def test_an_object_inside_a_crowd_region_is_learned():
    sample = _sample([[0, 0, 10, 10]], [[0, 0, 100, 100], [0, 0, 10, 10]], crowd=[True, False])
    assert _classes(sample, 1) == [1]


def test_more_positives_than_wanted_leave_room_for_background():
    anchors = np.tile([[0, 0, 10, 10]], (20, 1)).tolist() + np.tile([[50, 50, 60, 60]], (20, 1)).tolist()
    sample = _sample(anchors, [[0, 0, 10, 10]])
    assert sample.label.tolist() == [1] * 6 + [0] * 6  # all slots full
    assert len(set(sample.index.tolist())) == 12


def test_an_image_without_boxes_gives_background_only():
    anchors = np.tile([[50, 50, 60, 60]], (20, 1))
    assert _sample(anchors, []).label.tolist() == [0] * 12


def test_an_image_that_is_all_padding_gives_empty_slots():
    sample = _sample([[0, 0, 10, 10]], [[0, 0, 10, 10]], content=(1, 1))
    assert sample.label.tolist() == [-1] * 12


def test_types_are_those_of_the_graph():
    sample = _sample([[0, 0, 10, 10]], [[0, 0, 10, 10]])
    assert (sample.index.dtype, sample.label.dtype, sample.deltas.dtype) == (np.int32, np.int32, np.float32)


def test_the_draw_is_a_function_of_the_generator_and_fair():
    """Each of 40 background anchors is in a sample of 12 with a chance of 0.3."""
    anchors = np.tile([[50, 50, 60, 60]], (40, 1))
    first, again = _sample(anchors, [], seed=3), _sample(anchors, [], seed=3)
    assert np.array_equal(first.index, again.index)
    counts = np.zeros(40)
    for seed in range(400):
        counts[_sample(anchors, [], seed=seed).index] += 1
    assert counts.min() > 0.3 * 400 * 0.6
    assert counts.max() < 0.3 * 400 * 1.4


def _iou(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    shared = np.float32(width) * np.float32(height)
    area = np.float32((a[2] - a[0]) * (a[3] - a[1]))
    return shared / (np.float32((b[2] - b[0]) * (b[3] - b[1])) + area - shared)


def _covered(anchor, crowd):
    width = max(min(anchor[2], crowd[2]) - max(anchor[0], crowd[0]), 0)
    height = max(min(anchor[3], crowd[3]) - max(anchor[1], crowd[1]), 0)
    return width * height / ((anchor[2] - anchor[0]) * (anchor[3] - anchor[1]))


def reference_assignment(anchors, boxes, crowd, content, rule):
    """The index of the box for a positive, -1 for background, -2 for an ignored anchor; one anchor after the other."""
    objects = [index for index in range(len(boxes)) if not crowd[index]]
    table = {(a, b): _iou(anchors[a], boxes[b]) for a in range(len(anchors)) for b in objects}
    usable = [
        a for a, (x1, y1, x2, y2) in enumerate(anchors) if (x1 + x2) / 2 < content[1] and (y1 + y2) / 2 < content[0]
    ]
    result = [-2] * len(anchors)
    for a in usable:
        best = max(objects, key=lambda b: table[a, b], default=None)  # the first of equal ones
        overlap = -1.0 if best is None else table[a, best]
        if overlap >= np.float32(rule.pos_iou):
            result[a] = best
        elif overlap < np.float32(rule.neg_iou):
            in_crowd = any(
                crowd[c] and _covered(anchors[a], boxes[c]) >= rule.crowd_ignore_ioa for c in range(len(boxes))
            )
            result[a] = -2 if in_crowd else -1
    for b in objects:
        highest = max((table[a, b] for a in usable), default=0)
        for a in usable:
            if highest > 0 and highest >= np.float32(rule.min_pos_iou) and table[a, b] == highest:
                result[a] = b
    return result


def random_boxes(low_side, high_side):
    return st.tuples(
        st.integers(-5, 60), st.integers(-5, 60), st.integers(low_side, high_side), st.integers(low_side, high_side)
    ).map(lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]])


@settings(max_examples=150, deadline=None)
@given(
    anchors=st.lists(random_boxes(1, 30), min_size=1, max_size=40),
    boxes=st.lists(st.tuples(random_boxes(1, 30), st.booleans()), max_size=6),
    content=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    thresholds=st.sampled_from([(0.7, 0.3, 0.3), (0.5, 0.5, 0.5), (0.5, 0.4, 0.0)]),
)
def test_equals_the_reference_with_loops(anchors, boxes, content, thresholds):
    """With room for all, each anchor has the reference's class, and a positive the target of the reference's box."""
    pos_iou, neg_iou, min_pos_iou = thresholds
    rule = dataclasses.replace(ALL, pos_iou=pos_iou, neg_iou=neg_iou, min_pos_iou=min_pos_iou)
    crowd = [is_crowd for _, is_crowd in boxes]
    boxes = np.asarray([box for box, _ in boxes], np.float32).reshape(-1, 4)
    anchors = np.asarray(anchors, np.float32)
    expected = reference_assignment(anchors, boxes, crowd, content, rule)

    sample = _sample(anchors, boxes, crowd, content, rule)
    assert _classes(sample, len(anchors)) == [{-2: -1, -1: 0}.get(matched, 1) for matched in expected]
    for slot in np.flatnonzero(sample.label == 1):
        anchor = sample.index[slot]
        target = encode_boxes(boxes[expected[anchor]][None], anchors[anchor][None])[0]
        np.testing.assert_allclose(sample.deltas[slot], target, rtol=1e-6)
    assert not sample.deltas[sample.label != 1].any()


@settings(max_examples=60, deadline=None)
@given(
    anchors=st.lists(random_boxes(8, 12), min_size=1, max_size=60),
    boxes=st.lists(random_boxes(8, 12), max_size=6),
    seed=st.integers(0, 9),
)
def test_counts_follow_the_rule(anchors, boxes, seed):
    anchors, boxes = np.asarray(anchors, np.float32), np.asarray(boxes, np.float32).reshape(-1, 4)
    expected = np.asarray(reference_assignment(anchors, boxes, [False] * len(boxes), (100, 100), RULE))
    sample = _sample(anchors, boxes, seed=seed)
    positives = min((expected >= 0).sum(), 6)
    negatives = min((expected == -1).sum(), 12 - positives)
    assert sample.label.tolist() == [1] * positives + [0] * negatives + [-1] * (12 - positives - negatives)
    filled = sample.index[sample.label >= 0]
    assert len(set(filled.tolist())) == len(filled)
    assert all((expected[index] >= 0) == (label == 1) for index, label in zip(filled, sample.label, strict=False))


@pytest.mark.parametrize("num_boxes", [1, 30])
def test_blocks_of_a_real_grid_leave_no_pair_out(num_boxes):
    """A grid of 4,800 anchors in three sizes, boxes of every size: the same classes as from the full table of IoUs."""
    rng = np.random.default_rng(num_boxes)
    x, y, side = np.meshgrid(np.arange(0, 320, 8), np.arange(0, 320, 8), [16, 48, 200], indexing="ij")
    anchors = np.stack([x - side / 2, y - side / 2, x + side / 2, y + side / 2], -1).reshape(-1, 4).astype(np.float32)
    corner = rng.uniform(0, 250, (num_boxes, 2))
    boxes = np.concatenate([corner, corner + np.exp(rng.uniform(1, 5, (num_boxes, 2)))], 1).astype(np.float32)
    width = np.minimum(anchors[:, None, 2], boxes[:, 2]) - np.maximum(anchors[:, None, 0], boxes[:, 0])
    height = np.minimum(anchors[:, None, 3], boxes[:, 3]) - np.maximum(anchors[:, None, 1], boxes[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    iou = shared / (
        np.prod(anchors[:, 2:] - anchors[:, :2], 1)[:, None] + np.prod(boxes[:, 2:] - boxes[:, :2], 1) - shared
    )
    claimed = ((iou == iou.max(axis=0)) & (iou >= 0.3)).any(axis=1)
    positive = (iou.max(axis=1) >= 0.7) | claimed
    background = (iou.max(axis=1) < 0.3) & ~positive

    rule = dataclasses.replace(RULE, num_samples=9000, num_positives=4500)
    classes = np.asarray(_classes(_sample(anchors, boxes, content=(400, 400), rule=rule), len(anchors)))
    assert np.array_equal(classes == 1, positive)
    assert np.array_equal(classes == 0, background)
