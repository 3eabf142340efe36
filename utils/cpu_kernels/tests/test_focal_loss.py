"""The focal loss kernel: the formula in float64, its derivative, and the plain operators."""

import numpy as np
import pytest

from utils.cpu_kernels.focal_loss import SigmoidFocalLoss
from utils.cpu_kernels.tests.gradients import WithGradients

ALPHA, GAMMA = 0.25, 2.0


def _value_and_gradient(choice, logits, classes, upstream):
    with choice():
        loss = SigmoidFocalLoss(logits.shape[-1], ALPHA, GAMMA)
    return WithGradients(loss)(upstream, logits, classes)


def _reference(logits, classes):
    """Eq. 5 in float64 with the logarithm of the sigmoid written out, and its derivative by central differences."""
    x = logits.astype(np.float64)
    is_present = classes[..., None] == np.arange(x.shape[-1])

    def terms(values):
        log_p = np.where(is_present, -np.logaddexp(0, -values), -np.logaddexp(0, values))
        weight = np.where(is_present, ALPHA, 1 - ALPHA)
        return -weight * (1 - np.exp(log_p)) ** GAMMA * log_p * (classes >= 0)[..., None]

    step = 1e-5
    return terms(x).sum(-1), (terms(x + step) - terms(x - step)) / (2 * step)


@pytest.mark.parametrize(("anchors", "num_classes"), [(1, 1), (7, 3), (1100, 20), (5, 91)])
def test_values_and_gradients_are_those_of_the_formula(choice, anchors, num_classes):
    generator = np.random.default_rng(5)
    logits = generator.uniform(-9, 9, (2, anchors, num_classes)).astype(np.float32)
    classes = generator.integers(-1, num_classes + 1, (2, anchors)).astype(np.int32)
    upstream = generator.uniform(0.5, 2, (2, anchors)).astype(np.float32)
    value, gradient = _value_and_gradient(choice, logits, classes, upstream)
    expected, slope = _reference(logits, classes)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(gradient, slope * upstream[..., None], rtol=1e-4, atol=1e-6)
    assert not value[classes < 0].any()
    assert not gradient[classes < 0].any()


def test_even_odds(choice):
    """At x = 0 a present class costs 0.25 / 4 * ln 2 and an absent one 0.75 / 4 * ln 2."""
    logits, classes = np.zeros((1, 2, 2), np.float32), np.array([[1, 2]], np.int32)
    value, _ = _value_and_gradient(choice, logits, classes, np.ones((1, 2), np.float32))
    np.testing.assert_allclose(value, [[0.0433217 + 0.1299651, 2 * 0.1299651]], rtol=1e-6)


def test_extreme_logits_stay_finite(choice):
    """-ln of a probability that has underflowed is the logit itself: 0.25 * 500."""
    logits = np.array([[[-500, -500], [500, 500]]], np.float32)
    classes = np.array([[0, 2]], np.int32)
    value, gradient = _value_and_gradient(choice, logits, classes, np.ones((1, 2), np.float32))
    np.testing.assert_allclose(value, [[125, 750]], rtol=1e-6)
    np.testing.assert_allclose(gradient, [[[-0.25, 0], [0.75, 0.75]]], atol=1e-6)


def test_a_logit_of_exactly_zero_has_its_gradient(choice):
    """(-(1-p)^2 ln p)' = 2 (1-p)^2 p ln p - (1-p)^3 = -0.2982868 for p = 1/2, times alpha 1/4 for a present class."""
    logits, upstream = np.zeros((1, 1, 2), np.float32), np.ones((1, 1), np.float32)
    _, gradient = _value_and_gradient(choice, logits, np.zeros((1, 1), np.int32), upstream)
    np.testing.assert_allclose(gradient, [[[-0.25 * 0.2982868, 0.75 * 0.2982868]]], rtol=1e-5)
