"""The RoI head's sample by hand, and against a reference with plain loops over images, proposals and boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faster_rcnn.src.FasterRcnn.bbox_assign_sample import SamplingRule
from faster_rcnn.src.FasterRcnn.bbox_assign_sample_stage2 import RoiSampler
from faster_rcnn.tests.two_stage_reference import area, encode, intersection, iou
from utils.detection.tests.in_graph import InGraph

STDS = (0.1, 0.1, 0.2, 0.2)
CLASSES = 300  # more than a byte holds
PROPOSALS, SLOTS, SAMPLES, POSITIVES = 12, 5, 10, 4
SAMPLERS = {
    "plain": {"pos_iou": 0.5, "neg_iou": 0.5, "min_pos_iou": 0.5},
    "band": {"pos_iou": 0.6, "neg_iou": 0.3, "min_pos_iou": 0.6},
    "low quality": {"pos_iou": 0.75, "neg_iou": 0.5, "min_pos_iou": 0.25},
    "no crowds": {"pos_iou": 0.5, "neg_iou": 0.5, "min_pos_iou": 0.5, "crowd_ignore_ioa": 1.1},
}


def _sampler(num_samples, num_positives, num_classes, pos_iou=0.5, neg_iou=0.5, min_pos_iou=0.5, **others):
    rule = SamplingRule(num_samples, num_positives, pos_iou, neg_iou, min_pos_iou, target_stds=STDS, **others)
    return RoiSampler(rule, num_classes)


@pytest.fixture(scope="module")
def samplers():
    return {name: InGraph(_sampler(SAMPLES, POSITIVES, CLASSES, **thresholds)) for name, thresholds in SAMPLERS.items()}


def _inputs(proposals, gts, labels, crowds=(), seed=0, count=PROPOSALS, slots=SLOTS):
    """One image; empty slots are filled up."""
    boxes, valid = np.zeros((1, count, 4), np.float32), np.zeros((1, count), bool)
    gt_boxes, gt_labels = np.zeros((1, slots, 4), np.float32), np.full((1, slots), -1, np.int32)
    is_crowd = np.zeros((1, slots), bool)
    for index, box in enumerate(proposals):
        boxes[0, index], valid[0, index] = box, True
    for index, (box, label) in enumerate(zip(gts, labels, strict=True)):
        gt_boxes[0, index], gt_labels[0, index] = box, label
    is_crowd[0, list(crowds)] = True
    priority = np.random.default_rng(seed).random((1, count + slots), np.float32)
    return boxes, valid, gt_boxes, gt_labels, is_crowd, priority


def test_labels_and_targets_by_hand(samplers):
    """The box itself; a proposal of IoU 0.8 with it; one of IoU 0.2; an empty rest."""
    rois, labels, deltas = samplers["plain"].run(*_inputs([[0, 0, 10, 8], [0, 0, 10, 2]], [[0, 0, 10, 10]], [299]))
    assert sorted(labels[0, :2].tolist()) == [299, 299]
    assert labels[0, 2:].tolist() == [CLASSES] + [-1] * 7
    better = int(np.flatnonzero(rois[0, :2, 3] == 8)[0])
    np.testing.assert_allclose(deltas[0, better], [0, 1 / 8 / 0.1, 0, np.log(10 / 8) / 0.2], rtol=1e-5)
    np.testing.assert_allclose(deltas[0, 1 - better], 0, atol=1e-6)
    assert rois[0, 2].tolist() == [0, 0, 10, 2]
    assert not deltas[0, 2:].any()
    assert not rois[0, 3:].any()


def test_an_image_without_boxes_gives_background_only(samplers):
    _, labels, deltas = samplers["plain"].run(*_inputs([[index, 0, 20, 20] for index in range(12)], [], []))
    assert labels[0].tolist() == [CLASSES] * 10
    assert not deltas.any()


def test_without_proposals_the_boxes_are_learned(samplers):
    _, labels, _ = samplers["plain"].run(*_inputs([], [[0, 0, 5, 5], [9, 9, 20, 20]], [7, 8]))
    assert sorted(labels[0].tolist()) == [-1] * 8 + [7, 8]


def test_more_positives_than_wanted_are_drawn_by_priority(samplers):
    inputs = _inputs([[0, 0, 10, 10]] * 6 + [[30, 30, 40, 40]] * 6, [[0, 0, 10, 10]], [0])
    _, labels, _ = samplers["plain"].run(*inputs)
    assert labels[0].tolist() == [0] * 4 + [CLASSES] * 6  # all slots full


def test_an_image_of_crowds_only(samplers):
    """A proposal inside the crowd is ignored, one that is outside is background; the crowd is no sample itself."""
    inputs = _inputs([[0, 0, 10, 10], [50, 50, 60, 60]], [[0, 0, 40, 40]], [3], crowds=[0])
    rois, labels, _ = samplers["plain"].run(*inputs)
    assert labels[0].tolist() == [CLASSES] + [-1] * 9
    assert rois[0, 0].tolist() == [50, 50, 60, 60]
    _, labels, _ = samplers["no crowds"].run(*inputs)
    assert labels[0].tolist() == [CLASSES] * 2 + [-1] * 8


def test_one_class():
    sampler = InGraph(_sampler(6, 3, 1))
    _, labels, _ = sampler.run(*_inputs([[0, 0, 10, 9], [40, 40, 50, 50]], [[0, 0, 10, 10]], [0]))
    assert labels[0].tolist() == [0, 0, 1, -1, -1, -1]


def test_more_slots_than_candidates():
    sampler = InGraph(_sampler(40, 30, 2))
    rois, labels, _ = sampler.run(*_inputs([[0, 0, 10, 9], [40, 40, 50, 50]], [[0, 0, 10, 10]], [1]))
    assert labels[0].tolist() == [1, 1, 2] + [-1] * 37
    assert rois.shape == (1, 40, 4)


def reference_sample(proposals, is_valid, gts, labels, is_crowd, priority, thresholds):
    """The sample of one image: list of (roi, label, deltas), positives first."""
    objects = [g for g in range(len(gts)) if labels[g] >= 0 and not is_crowd[g]]
    crowds = [g for g in range(len(gts)) if is_crowd[g]]
    valid = [p for p in range(len(proposals)) if is_valid[p]]
    table = {(p, g): iou(proposals[p], gts[g]) for p in valid for g in objects}
    match, background = {}, []
    for p in valid:
        best = max(objects, key=lambda g: table[p, g], default=None)  # the first of equal ones
        overlap = 0 if best is None else table[p, best]
        if overlap >= np.float32(thresholds["pos_iou"]):
            match[p] = best
        elif overlap < np.float32(thresholds["neg_iou"]):
            background.append(p)
    if thresholds["min_pos_iou"] < thresholds["pos_iou"]:
        for g in objects:
            highest = max((table[p, g] for p in valid), default=0)
            match |= {p: g for p in valid if table[p, g] == highest >= thresholds["min_pos_iou"]}
    limit = thresholds.get("crowd_ignore_ioa", 0.5)
    background = [
        p
        for p in background
        if p not in match
        and all(intersection(proposals[p], gts[c]) < np.float32(limit) * area(proposals[p]) for c in crowds)
    ]
    candidates = list(proposals) + list(gts)
    match |= {len(proposals) + g: g for g in objects}
    positives = sorted(match, key=lambda index: -priority[index])[:POSITIVES]
    negatives = sorted(background, key=lambda index: -priority[index])[: SAMPLES - len(positives)]
    return [(candidates[p], labels[match[p]], encode(gts[match[p]], candidates[p], STDS)) for p in positives] + [
        (candidates[p], CLASSES, [0] * 4) for p in negatives
    ]


_SIDE = st.integers(4, 20)
_BOX = st.tuples(st.integers(0, 12), st.integers(0, 12), _SIDE, _SIDE).map(
    lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]]
)
_IMAGE = st.tuples(
    st.lists(_BOX, max_size=PROPOSALS),
    st.lists(st.tuples(_BOX, st.integers(0, CLASSES - 1), st.sampled_from([False, False, True])), max_size=SLOTS),
    st.integers(0, 99),
)


@pytest.mark.parametrize("name", ["plain", "band", "low quality"])
@settings(max_examples=40, deadline=None)
@given(images=st.tuples(_IMAGE, _IMAGE))
def test_equals_the_reference_with_loops(samplers, name, images):
    """A batch of two images; every slot of the sample, bit for bit but for the logarithm."""
    parts = []
    for proposals, objects, seed in images:
        boxes, labels, crowd = ([each[part] for each in objects] for part in range(3))
        parts.append(_inputs(proposals, boxes, labels, [g for g, is_crowd in enumerate(crowd) if is_crowd], seed))
    batch = [np.concatenate(part) for part in zip(*parts, strict=True)]
    rois, labels, deltas = samplers[name].run(*batch)
    assert (labels.dtype, rois.shape) == (np.int32, (2, SAMPLES, 4))
    for image in range(2):
        expected = reference_sample(*(part[image] for part in batch), SAMPLERS[name])
        count = len(expected)
        assert labels[image].tolist() == [label for _, label, _ in expected] + [-1] * (SAMPLES - count)
        for slot, (roi, _, target) in enumerate(expected):
            assert rois[image, slot].tolist() == roi.tolist()
            np.testing.assert_allclose(deltas[image, slot], target, rtol=1e-5, atol=1e-5)
        assert not rois[image, count:].any()
        assert not deltas[image, count:].any()
