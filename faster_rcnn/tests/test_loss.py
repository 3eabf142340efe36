"""The four parts of the loss, worked by hand."""

import math

import mindspore as ms
import numpy as np
import pytest

from faster_rcnn.src.FasterRcnn.loss import RcnnLoss, RpnLoss, num_sampled
from utils.detection.tests.in_graph import InGraph


def _with_gradients(loss):
    """A graph of the two parts and the gradients of their sum by the first two inputs."""

    def total(*inputs):
        first, second = loss(*inputs)
        return first + second, first, second

    gradient = ms.value_and_grad(total, (0, 1), has_aux=True)

    def step(*inputs):
        (_, first, second), gradients = gradient(*inputs)
        return first, second, gradients[0], gradients[1]

    return InGraph(step)


def _rpn_inputs():
    """Two images with four anchors and three slots: a positive and a background; a positive and two empty slots."""
    objectness = np.asarray([[0, 9, math.log(3), 9], [9, 9, 9, -math.log(3)]], np.float32)
    deltas = np.zeros((2, 4, 4), np.float32)
    deltas[0, 2], deltas[1, 3] = [0.5, 0, 0, 0], [0, 0.1, 0, 0]
    index = np.asarray([[2, 0, 0], [3, 0, 0]], np.int32)
    label = np.asarray([[1, 0, -1], [1, -1, -1]], np.int32)
    targets = np.zeros((2, 3, 4), np.float32)
    targets[0, 0] = [1.5, 0, 0, -1]
    return objectness, deltas, index, label, targets, np.float32(3)


def test_rpn_loss_by_hand():
    """Cross entropies: -ln 3/4, -ln 1/2, -ln 1/4, over 3 sampled anchors.

    Differences 1, 0, 0, 1 and 0, 0.1, 0, 0: with beta 0.2 smooth L1 gives 0.9 + 0.9 and 0.1^2 / 2 / 0.2 = 0.025.
    """
    class_loss, box_loss = InGraph(RpnLoss(beta=0.2)).run(*_rpn_inputs())
    assert class_loss == pytest.approx((-math.log(3 / 4) - math.log(1 / 2) - math.log(1 / 4)) / 3, rel=1e-6)
    assert box_loss == pytest.approx((0.9 + 0.9 + 0.025) / 3, rel=1e-6)


def test_rpn_loss_with_beta_zero_is_l1_and_weights_are_factors():
    class_loss, box_loss = InGraph(RpnLoss(cls_weight=2, reg_weight=3, beta=0)).run(*_rpn_inputs())
    assert class_loss == pytest.approx(2 * math.log(4 / 3 * 2 * 4) / 3, rel=1e-6)
    assert box_loss == pytest.approx(3 * 2.1 / 3, rel=1e-6)


def test_rpn_gradients_reach_the_sampled_anchors_only():
    """Of the logits (p - target) / 3, also where one is 0; of the deltas sign / 3 beyond beta."""
    _, _, objectness, deltas = _with_gradients(RpnLoss(beta=0.2)).run(*_rpn_inputs())
    np.testing.assert_allclose(objectness, [[0.5 / 3, 0, -0.25 / 3, 0], [0, 0, 0, -0.75 / 3]], rtol=1e-5)
    expected = np.zeros((2, 4, 4))
    expected[0, 2], expected[1, 3] = [-1 / 3, 0, 0, 1 / 3], [0, 0.5 / 3, 0, 0]
    np.testing.assert_allclose(deltas, expected, rtol=1e-5, atol=1e-8)


def _rcnn_inputs():
    """Two images with two slots, two classes: class 1 and background; class 0 and an empty slot."""
    logits = np.log(np.asarray([[1, 2, 1], [1, 1, 6], [3, 1, 1], [7, 7, 7]], np.float32))
    deltas = np.full((4, 2, 4), 5, np.float32)
    deltas[0, 1], deltas[2, 0] = [2, 0, 0, 0], [0, 0, 0, 0.5]
    labels = np.asarray([[1, 2], [0, -1]], np.int32)
    return logits, deltas, labels, np.zeros((2, 2, 4), np.float32), np.float32(3)


def test_rcnn_loss_by_hand():
    """Probabilities 2/4, 6/8 and 3/5, over 3 sampled regions; differences 2 and 0.5 give 1.5 and 0.125 with beta 1."""
    class_loss, box_loss = InGraph(RcnnLoss(2)).run(*_rcnn_inputs())
    assert class_loss == pytest.approx(-math.log(2 / 4 * 6 / 8 * 3 / 5) / 3, rel=1e-6)
    assert box_loss == pytest.approx(1.625 / 3, rel=1e-6)


def test_rcnn_loss_with_beta_zero_is_l1_and_weights_are_factors():
    class_loss, box_loss = InGraph(RcnnLoss(2, cls_weight=2, reg_weight=3, beta=0)).run(*_rcnn_inputs())
    assert class_loss == pytest.approx(-2 * math.log(2 / 4 * 6 / 8 * 3 / 5) / 3, rel=1e-6)
    assert box_loss == pytest.approx(2.5, rel=1e-6)


def test_rcnn_gradients_reach_the_own_class_of_sampled_regions_only():
    _, _, logits, deltas = _with_gradients(RcnnLoss(2)).run(*_rcnn_inputs())
    expected = np.asarray([[1 / 4, -2 / 4, 1 / 4], [1 / 8, 1 / 8, -2 / 8], [-2 / 5, 1 / 5, 1 / 5], [0, 0, 0]]) / 3
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-8)
    reached = np.zeros((4, 2, 4))
    reached[0, 1, 0], reached[2, 0, 3] = 1 / 3, 0.5 / 3
    np.testing.assert_allclose(deltas, reached, rtol=1e-5, atol=1e-8)


def test_logits_of_any_size_give_finite_losses():
    objectness, deltas, *rest = _rpn_inputs()
    logits, roi_deltas, *roi_rest = _rcnn_inputs()
    rpn, rcnn = InGraph(RpnLoss()), InGraph(RcnnLoss(2))
    for size in (1e4, -1e4):
        assert np.isfinite(rpn.run(objectness * np.float32(size), deltas, *rest)).all()
        assert np.isfinite(rcnn.run(logits * np.float32(size), roi_deltas, *roi_rest)).all()


def test_without_positives_the_box_losses_are_zero_and_without_samples_all_are():
    objectness, deltas, index, label, targets, count = _rpn_inputs()
    logits, roi_deltas, labels, roi_targets, _ = _rcnn_inputs()
    rpn, rcnn = InGraph(RpnLoss()), InGraph(RcnnLoss(2))
    class_loss, box_loss = rpn.run(objectness, deltas, index, np.minimum(label, 0), targets, count)
    assert (box_loss, np.isfinite(class_loss)) == (0, True)
    class_loss, box_loss = rcnn.run(logits, roi_deltas, np.full_like(labels, 2), roi_targets, count)
    assert (box_loss, np.isfinite(class_loss)) == (0, True)
    for count in np.asarray([0, 5], np.float32):  # of a worker that has none where no other has any, or others have
        assert rpn.run(objectness, deltas, index, np.full_like(label, -1), targets, count) == [0, 0]
        assert rcnn.run(logits, roi_deltas, np.full_like(labels, -1), roi_targets, count) == [0, 0]


def test_samples_are_counted_without_empty_slots():
    assert InGraph(num_sampled).run(_rpn_inputs()[3])[0] == 3  # 1, 0, -1 and 1, -1, -1
    assert InGraph(num_sampled).run(_rcnn_inputs()[2])[0] == 3  # 1, 2 and 0, -1


def test_labels_above_255_and_a_single_class():
    """Uniform logits: ln 401 for 400 classes and background, ln 2 for one."""
    labels = np.asarray([[399, 300, 400]], np.int32)
    class_loss, _ = InGraph(RcnnLoss(400)).run(
        np.zeros((3, 401), np.float32),
        np.zeros((3, 400, 4), np.float32),
        labels,
        np.zeros((1, 3, 4), np.float32),
        np.float32(3),
    )
    assert class_loss == pytest.approx(math.log(401), rel=1e-6)
    class_loss, _ = InGraph(RcnnLoss(1)).run(
        np.zeros((3, 2), np.float32),
        np.zeros((3, 1, 4), np.float32),
        labels * 0,
        np.zeros((1, 3, 4), np.float32),
        np.float32(3),
    )
    assert class_loss == pytest.approx(math.log(2), rel=1e-6)


def test_losses_and_gradients_repeat_bit_for_bit():
    rng = np.random.default_rng(0)
    rpn = (
        rng.normal(size=(2, 5000)).astype(np.float32),
        rng.normal(size=(2, 5000, 4)).astype(np.float32),
        rng.permutation(5000)[:512].reshape(2, 256).astype(np.int32),
        rng.integers(-1, 2, (2, 256)).astype(np.int32),
        rng.normal(size=(2, 256, 4)).astype(np.float32),
        np.float32(340),
    )
    rcnn = (
        rng.normal(size=(512, 81)).astype(np.float32),
        rng.normal(size=(512, 80, 4)).astype(np.float32),
        rng.integers(-1, 81, (2, 256)).astype(np.int32),
        rng.normal(size=(2, 256, 4)).astype(np.float32),
        np.float32(505),
    )
    for loss, inputs in ((RpnLoss(), rpn), (RcnnLoss(80), rcnn)):
        step = _with_gradients(loss)
        first = step.run(*inputs)
        for _ in range(10):
            assert all(np.array_equal(one, other) for one, other in zip(first, step.run(*inputs), strict=True))
