"""Proposals by hand, and against MMDetection's rule for an RPN (RPNHead._predict_by_feat_single) in plain loops."""

import mindspore as ms
import numpy as np
import pytest

from faster_rcnn.src.FasterRcnn.proposal_generator import ProposalGenerator
from faster_rcnn.tests.two_stage_reference import decode, greedy_nms
from utils.detection.tests.in_graph import InGraph

COUNTS = (60, 20, 6)


def _anchors(rng, count):
    low = rng.uniform(-10, 60, (count, 2))
    return np.concatenate([low, low + rng.uniform(5, 30, (count, 2))], 1).astype(np.float32)


def _generator(anchors, counts=COUNTS, *, nms_pre=12, max_proposals=15, min_size=0.0, **others):
    return ProposalGenerator(
        anchors, counts, nms_pre=nms_pre, max_proposals=max_proposals, nms_threshold=0.5, min_size=min_size, **others
    )


def reference_proposals(anchors, objectness, deltas, content, *, nms_pre, max_proposals, min_size, stds=(1, 1, 1, 1)):
    """Boxes and logits of one image, best first."""
    found, first = [], 0
    for count in COUNTS:
        order = sorted(range(first, first + count), key=lambda index: -objectness[index])[:nms_pre]
        boxes = [decode(deltas[index], anchors[index], stds, *content) for index in order]
        large = [
            (index, box)
            for index, box in zip(order, boxes, strict=True)
            if box[2] - box[0] > min_size and box[3] - box[1] > min_size
        ]
        found += [(objectness[large[kept][0]], large[kept][1]) for kept in greedy_nms([box for _, box in large], 0.5)]
        first += count
    return sorted(found, key=lambda pair: -pair[0])[:max_proposals]


@pytest.mark.parametrize(
    ("max_proposals", "min_size", "stds"),
    [
        (15, 0.0, (1.0, 1.0, 1.0, 1.0)),
        (50, 8.0, (1.0, 1.0, 1.0, 1.0)),
        (15, 0.0, (0.5, 0.5, 0.2, 0.2)),
    ],
)
def test_equals_the_reference_with_loops(max_proposals, min_size, stds):
    """Batches of two images of different content; the last level has fewer anchors than are looked at."""
    limits = {"nms_pre": 12, "max_proposals": max_proposals, "min_size": min_size}
    rng = np.random.default_rng(7)
    anchors = _anchors(rng, sum(COUNTS))
    generator = InGraph(_generator(anchors, **limits, target_stds=stds))
    for _ in range(10):
        objectness = rng.normal(size=(2, sum(COUNTS))).astype(np.float32)
        deltas = rng.normal(scale=0.5, size=(2, sum(COUNTS), 4)).astype(np.float32)
        content = np.asarray([[50, 70], [64, 40]], np.float32)
        boxes, is_valid = generator.run(objectness, deltas, content)
        assert boxes.shape == (2, max_proposals, 4)
        for image in range(2):
            expected = reference_proposals(
                anchors, objectness[image], deltas[image], content[image].tolist(), **limits, stds=stds
            )
            assert is_valid[image].tolist() == [True] * len(expected) + [False] * (max_proposals - len(expected))
            best = [box for _, box in expected]
            np.testing.assert_allclose(boxes[image, : len(expected)], best, rtol=1e-4, atol=1e-4)
            assert not boxes[image, len(expected) :].any()


def test_levels_do_not_suppress_each_other():
    """The same box on two levels and a second time on the first: one of each level is left, best first."""
    anchors = np.tile(np.asarray([[0, 0, 10, 10]], np.float32), (3, 1))
    generator = InGraph(_generator(anchors, (2, 1), max_proposals=4))
    boxes, is_valid = generator.run(
        np.asarray([[1, 2, 3]], np.float32), np.zeros((1, 3, 4), np.float32), np.asarray([[20, 20]], np.float32)
    )
    assert is_valid.tolist() == [[True, True, False, False]]
    assert boxes[0, :2].tolist() == [[0, 0, 10, 10]] * 2


def test_boxes_outside_the_content_are_no_proposals():
    anchors = np.asarray([[0, 0, 10, 10], [30, 0, 40, 10], [15, 0, 25, 10]], np.float32)
    generator = InGraph(_generator(anchors, (3,), max_proposals=3))
    boxes, is_valid = generator.run(
        np.zeros((1, 3), np.float32), np.zeros((1, 3, 4), np.float32), np.asarray([[8, 20]], np.float32)
    )
    assert is_valid.tolist() == [[True, True, False]]
    assert sorted(boxes[0, :2].tolist()) == [[0, 0, 10, 8], [15, 0, 20, 8]]


def test_broken_deltas_make_no_boxes():
    """What a network that has diverged puts out is not pooled: no proposal has a coordinate that is not a number."""
    anchors = _anchors(np.random.default_rng(0), sum(COUNTS))
    generator, content = InGraph(_generator(anchors)), np.asarray([[50, 70]], np.float32)
    for value in (np.nan, np.inf, -np.inf):
        values = np.full((1, sum(COUNTS), 5), value, np.float32)
        boxes, _ = generator.run(values[..., 0].copy(), values[..., 1:].copy(), content)
        assert np.isfinite(boxes).all()


def test_no_gradient_flows_through_proposals():
    rng = np.random.default_rng(0)
    generator = _generator(_anchors(rng, sum(COUNTS)))

    def total(objectness, deltas, content):
        return generator(objectness, deltas, content)[0].sum() + 0.0 * objectness.sum()

    gradient = ms.grad(total, (0, 1))

    def gradients(*inputs):
        return gradient(*inputs)

    for values in InGraph(gradients).run(
        rng.normal(size=(1, sum(COUNTS))).astype(np.float32),
        rng.normal(size=(1, sum(COUNTS), 4)).astype(np.float32),
        np.asarray([[50, 70]], np.float32),
    ):
        assert not values.any()
