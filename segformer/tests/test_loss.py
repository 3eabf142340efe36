"""Cross entropy of pixels: numbers worked by hand, and PyTorch's for the rest."""

import math

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from segformer.src import loss
from segformer.src.loss import SegmentationLoss
from utils.model_utils.workers import ALONE, Workers
from utils.training.step.reductions import sum_over_workers

LN2, LN4 = math.log(2), math.log(4)


@pytest.fixture(autouse=True)
def graph_mode():
    before = ms.get_context("mode")
    ms.set_context(mode=ms.GRAPH_MODE)
    yield
    ms.set_context(mode=before)


def loss_of(logits, labels, num_classes, **settings):
    cell = SegmentationLoss(num_classes, **settings)
    return float(cell(ms.Tensor(np.asarray(logits, np.float32)), ms.Tensor(np.asarray(labels, np.int32)))[0].asnumpy())


def two_pixels(first, second):
    """Two classes, a picture of 1x2 pixels: the logits of class 1 over class 0."""
    return np.array([[[[0.0, 0.0]], [[first, second]]]])


# Class 1 has probability 1/2 at logit 0 and 3/4 at logit ln 3.
def test_the_mean_over_pixels_of_minus_the_logarithm_of_the_right_probability():
    logits = two_pixels(0.0, math.log(3))
    assert loss_of(logits, [[[0, 1]]], 2) == pytest.approx((LN2 + math.log(4 / 3)) / 2, rel=1e-6)


def test_ignored_pixels_and_labels_outside_of_the_classes_do_not_count():
    logits = two_pixels(0.0, math.log(3))
    for label in (255, 2, -1):
        assert loss_of(logits, [[[label, 0]]], 2) == pytest.approx(LN4, rel=1e-6)
    assert loss_of(logits, [[[1, 0]]], 2, ignore_label=1) == pytest.approx(LN4, rel=1e-6)


def test_no_valid_pixel_gives_loss_and_gradients_zero():
    cell = SegmentationLoss(2)
    logits, labels = ms.Tensor(two_pixels(1.0, -3.0), ms.float32), ms.Tensor(np.full((1, 1, 2), 255), ms.int32)
    value, gradient = ms.value_and_grad(Total(cell))(logits, labels)
    assert float(value.asnumpy()) == 0
    assert not gradient.asnumpy().any()


def test_class_weights_make_a_weighted_mean():
    # (3 ln 2 + 1 ln 4/3) / 4
    logits = two_pixels(0.0, math.log(3))
    expected = (3 * LN2 + math.log(4 / 3)) / 4
    assert loss_of(logits, [[[0, 1]]], 2, class_weights=(3.0, 1.0)) == pytest.approx(expected, rel=1e-6)
    assert loss_of(logits, [[[0, 255]]], 2, class_weights=(3.0, 1.0)) == pytest.approx(LN2, rel=1e-6)


def test_hard_example_mining_keeps_the_pixels_below_the_threshold():
    # probabilities of the right class 1/2 and 3/4
    logits = two_pixels(0.0, math.log(3))
    easy, both = math.log(4 / 3), (LN2 + math.log(4 / 3)) / 2
    assert loss_of(logits, [[[0, 1]]], 2, ohem_threshold=0.6, ohem_min_kept=1) == pytest.approx(LN2, rel=1e-6)
    assert loss_of(logits, [[[0, 1]]], 2, ohem_threshold=0.8, ohem_min_kept=1) == pytest.approx(both, rel=1e-6)
    # none is below 0.1: the hardest one counts all the same, and both where two are to be kept
    assert loss_of(logits, [[[0, 1]]], 2, ohem_threshold=0.1, ohem_min_kept=1) == pytest.approx(LN2, rel=1e-6)
    assert loss_of(logits, [[[0, 1]]], 2, ohem_threshold=0.1, ohem_min_kept=2) == pytest.approx(both, rel=1e-6)
    assert loss_of(logits, [[[255, 1]]], 2, ohem_threshold=0.1, ohem_min_kept=9) == pytest.approx(easy, rel=1e-6)
    assert loss_of(logits, [[[255, 255]]], 2, ohem_threshold=0.1, ohem_min_kept=1) == 0


def test_each_worker_mines_its_share_of_the_pixels_to_keep(monkeypatch):
    """Three are to be kept: of two workers, each keeps two of its own."""
    monkeypatch.setattr(loss, "sum_over_workers", lambda _: sum_over_workers(ALONE))
    logits = np.zeros((1, 2, 1, 4))
    logits[0, 1, 0] = np.log([1.0, 3.0, 7.0, 15.0])  # class 1 has the probabilities 1/2, 3/4, 7/8, 15/16
    mined = loss_of(logits, [[[1, 1, 1, 1]]], 2, ohem_threshold=0.1, ohem_min_kept=3, workers=Workers(1, 2))
    assert mined == pytest.approx((LN2 + math.log(4 / 3)) / 2, rel=1e-6)


def test_logits_are_enlarged_to_the_labels_and_it_all_equals_pytorch():
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(2, 19, 5, 7)).astype(np.float32) * 4
    labels = generator.integers(0, 19, (2, 19, 27)).astype(np.int32)
    labels[:, :4] = 255
    weights = generator.uniform(0.5, 1.5, 19).astype(np.float32)
    theirs = torch.tensor(logits, requires_grad=True)
    enlarged = torch.nn.functional.interpolate(theirs, (19, 27), mode="bilinear", align_corners=False)
    expected = torch.nn.functional.cross_entropy(
        enlarged, torch.tensor(labels.astype(np.int64)), weight=torch.tensor(weights), ignore_index=255
    )
    expected.backward()
    cell = Total(SegmentationLoss(19, class_weights=weights.tolist()))
    value, gradient = ms.value_and_grad(cell)(ms.Tensor(logits), ms.Tensor(labels))
    assert float(value.asnumpy()) == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(gradient.asnumpy(), theirs.grad.numpy(), atol=1e-8, rtol=1e-3)


def test_two_copies_of_an_image_have_the_loss_of_one():
    generator = np.random.default_rng(1)
    logits, labels = generator.normal(size=(1, 4, 6, 6)), generator.integers(0, 4, (1, 24, 24))
    once = loss_of(logits, labels, 4)
    assert loss_of(np.repeat(logits, 2, 0), np.repeat(labels, 2, 0), 4) == pytest.approx(once, rel=1e-6)


def test_large_logits_stay_finite():
    assert loss_of(two_pixels(200.0, -200.0), [[[0, 1]]], 2) == pytest.approx(200.0)
    assert loss_of(two_pixels(200.0, -200.0), [[[1, 0]]], 2) == 0


def test_repetition_gives_the_same_bits():
    generator = np.random.default_rng(2)
    logits = ms.Tensor(generator.normal(size=(2, 19, 16, 16)), ms.float32)
    labels = ms.Tensor(generator.integers(0, 19, (2, 64, 64)), ms.int32)
    cell = ms.value_and_grad(Total(SegmentationLoss(19)))
    results = [b"".join(item.asnumpy().tobytes() for item in cell(logits, labels)) for _ in range(5)]
    assert len(set(results)) == 1


class Total(nn.Cell):
    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def construct(self, logits, labels):
        return ops.addn(self.loss(logits, labels))
