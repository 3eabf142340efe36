"""Losses against hand-worked numbers."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from nas_fpn.src.loss import RetinaNetLoss
from utils.cpu_kernels.focal_loss import sigmoid_focal_terms


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


def _focal(logits, targets, alpha, gamma):
    return sigmoid_focal_terms(ms.Tensor(logits, ms.float32), ms.Tensor(targets, ms.float32), alpha, gamma).asnumpy()


def test_focal_loss_at_even_odds():
    """p = 1/2 gives alpha_t * (1/2)^2 * ln 2: 0.25/4*ln2 for a positive, 0.75/4*ln2 for a negative."""
    np.testing.assert_allclose(_focal([0.0, 0.0], [1.0, 0.0], 0.25, 2.0), [0.0433217, 0.1299651], rtol=1e-5)


def test_focal_loss_with_gamma_zero_is_weighted_cross_entropy():
    """-ln sigmoid(2) = 0.1269280, -ln(1 - sigmoid(2)) = 2.1269280; alpha 0.5 halves both."""
    np.testing.assert_allclose(_focal([2.0, 2.0], [1.0, 0.0], 0.5, 0.0), [0.0634640, 1.0634640], rtol=1e-5)


def test_focal_loss_falls_with_the_power_of_the_miss():
    """Focal over cross entropy is (1 - p_t)^gamma; for logit 1 and a positive 1 - p = 0.26894142."""
    plain, focused = _focal([1.0], [1.0], 1.0, 0.0), _focal([1.0], [1.0], 1.0, 1.5)
    np.testing.assert_allclose(focused / plain, 0.26894142**1.5, rtol=1e-5)


def test_focal_loss_is_finite_for_extreme_logits_with_finite_gradients():
    logits = ms.Tensor([1e4, -1e4, 1e4, -1e4], ms.float32)
    targets = ms.Tensor([1.0, 1.0, 0.0, 0.0], ms.float32)

    def summed(values):
        return sigmoid_focal_terms(values, targets, 0.25, 2.0).sum()

    value, gradient = ms.value_and_grad(summed)(logits)
    assert np.isfinite(float(value))
    assert np.isfinite(gradient.asnumpy()).all()


def _loss(beta=0.0):
    return RetinaNetLoss(2, alpha=0.25, gamma=2.0, box_beta=beta, box_weight=1.0)


def _tensors(classes, targets=None):
    classes = np.asarray(classes, np.int32)
    targets = np.zeros((*classes.shape, 4), np.float32) if targets is None else np.asarray(targets, np.float32)
    return ms.Tensor(classes), ms.Tensor(targets)


def test_loss_of_a_batch_by_hand():
    """Class 1, background, ignored; all logits 0. Positive row 0.0433217 + 0.1299651, background 2 * 0.1299651.

    One positive, box off by (1, 2, 0, 0) in L1: 3.
    """
    logits, deltas = ms.Tensor(np.zeros((1, 3, 2), np.float32)), ms.Tensor(np.zeros((1, 3, 4), np.float32))
    targets = np.zeros((1, 3, 4))
    targets[0, 0] = [1, -2, 0, 0]
    targets[0, 1] = 9  # not positive: must not count
    total, class_loss, box_loss = _loss()(logits, deltas, *_tensors([[1, 2, -1]], targets))
    np.testing.assert_allclose(float(class_loss), 0.0433217 + 3 * 0.1299651, rtol=1e-5)
    np.testing.assert_allclose(float(box_loss), 3.0, rtol=1e-6)
    np.testing.assert_allclose(float(total), float(class_loss) + 3.0, rtol=1e-6)


@pytest.mark.parametrize("classes", [[[2, 2, 2]], [[-1, -1, -1]]])
def test_a_batch_without_positives_is_finite(classes):
    logits, deltas = ms.Tensor(np.zeros((1, 3, 2), np.float32)), ms.Tensor(np.ones((1, 3, 4), np.float32))
    loss, targets = _loss(beta=0.1), _tensors(classes)

    def total(predicted_logits, predicted_deltas):
        return loss(predicted_logits, predicted_deltas, *targets)[0]

    values, gradients = ms.value_and_grad(total, (0, 1))(logits, deltas)
    assert np.isfinite(float(values))
    assert np.isfinite(gradients[0].asnumpy()).all()
    assert not gradients[1].asnumpy().any()


def test_a_doubled_batch_has_the_same_loss():
    generator = np.random.default_rng(3)
    logits = generator.standard_normal((1, 6, 2)).astype(np.float32)
    deltas = generator.standard_normal((1, 6, 4)).astype(np.float32)
    classes, targets = _tensors([[0, 1, 2, 2, -1, 0]])
    one = _loss()(ms.Tensor(logits), ms.Tensor(deltas), classes, targets)
    two = _loss()(
        ms.Tensor(logits.repeat(2, 0)),
        ms.Tensor(deltas.repeat(2, 0)),
        ops.concat((classes, classes)),
        ops.concat((targets, targets)),
    )
    np.testing.assert_allclose([float(v) for v in two], [float(v) for v in one], rtol=1e-6)


class _AddsTheOther(nn.Cell):
    """Stands for the sum over two workers: the other one has `count`."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def construct(self, values):
        return values + self.count


def test_the_losses_of_two_workers_add_up_to_that_of_the_batch():
    """Three positives and none: divided by each worker's own number, the second would count three times."""
    generator = np.random.default_rng(4)
    logits = generator.standard_normal((2, 6, 2)).astype(np.float32)
    deltas, targets = generator.standard_normal((2, 2, 6, 4)).astype(np.float32)
    classes = np.array([[0, 1, 2, 2, -1, 0], [2, 2, 2, -1, 2, 2]], np.int32)
    whole = _loss()(*map(ms.Tensor, (logits, deltas, classes, targets)))
    parts = []
    for rank, others in enumerate((0.0, 3.0)):
        loss = _loss()
        loss.total = _AddsTheOther(others)
        parts.append(loss(*(ms.Tensor(values[rank : rank + 1]) for values in (logits, deltas, classes, targets))))
    np.testing.assert_allclose(np.sum(parts, axis=0), [float(v) for v in whole], rtol=1e-6)
