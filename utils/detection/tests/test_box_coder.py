"""The code of boxes by hand, on the host and in the graph, and back; the loss of its deltas."""

import mindspore as ms
import numpy as np
import pytest

from utils.detection.anchors import make_anchors, octave_scales
from utils.detection.box_coder import BoxCoder, encode_boxes, smooth_l1
from utils.detection.tests.in_graph import InGraph

REFERENCES = np.asarray([[0, 0, 10, 20], [5, 5, 25, 15], [100, 50, 101, 52]], np.float32)
BOXES = np.asarray([[1, 0, 21, 20], [5, 5, 25, 15], [90, 40, 130, 60]], np.float32)
# The first: centre (11, 10) against (5, 10), width 20 against 10. The third: (110, 50) against (100.5, 51), 40 and 20
# times 1 and 2.
DELTAS = [[0.6, 0, np.log(2), 0], [0, 0, 0, 0], [9.5, -0.5, np.log(40), np.log(10)]]


def test_deltas_by_hand():
    np.testing.assert_allclose(encode_boxes(BOXES, REFERENCES), DELTAS, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(InGraph(BoxCoder().encode).run(BOXES, REFERENCES)[0], DELTAS, rtol=1e-6, atol=1e-7)


def test_means_are_taken_off_before_the_deviations_divide():
    means, stds = (0.1, 0.0, 0.2, 0.0), (0.1, 0.1, 0.2, 0.2)
    expected = (np.asarray(DELTAS) - means) / stds
    np.testing.assert_allclose(encode_boxes(BOXES, REFERENCES, means, stds), expected, rtol=1e-5, atol=1e-6)
    in_graph = InGraph(BoxCoder(means, stds).encode).run(BOXES, REFERENCES)[0]
    np.testing.assert_allclose(in_graph, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stds", [(1.0, 1.0, 1.0, 1.0), (0.1, 0.1, 0.2, 0.2)])
def test_decoding_is_the_inverse(stds):
    coder = BoxCoder((0.1, -0.1, 0.0, 0.3), stds)
    deltas = InGraph(coder.encode).run(BOXES, REFERENCES)[0]
    np.testing.assert_allclose(InGraph(coder.decode).run(deltas, REFERENCES)[0], BOXES, rtol=1e-5, atol=1e-4)


def test_sides_change_by_at_most_1000_over_16():
    deltas = np.asarray([[0, 0, 100, -100]], np.float32)
    box = InGraph(BoxCoder().decode).run(deltas, np.asarray([[0, 0, 16, 1000]], np.float32))[0][0]
    np.testing.assert_allclose(box, [8 - 500, 492, 8 + 500, 508], rtol=1e-5)


def test_empty_slots_have_finite_targets():
    zeros = np.zeros((2, 4), np.float32)
    boxes = np.asarray([[0, 0, 0, 0], [0, 0, 10, 10]], np.float32)
    assert np.isfinite(InGraph(BoxCoder().encode).run(boxes, zeros)[0]).all()


def test_targets_repeat_bit_for_bit():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 300, (2, 1001, 2))
    boxes, references = np.concatenate([low, low + rng.uniform(1, 200, (2, 1001, 2))], -1).astype(np.float32)
    encode = InGraph(BoxCoder((0.0,) * 4, (0.1, 0.1, 0.2, 0.2)).encode)
    first = encode.run(boxes, references)[0]
    assert all(np.array_equal(first, encode.run(boxes, references)[0]) for _ in range(20))


def test_encode_by_hand():
    """Anchor 10x20 at centre (5, 10), box 20x20 at (10, 15): shifts 5/10 and 5/20, sizes ln 2 and ln 1."""
    deltas = encode_boxes(np.asarray([[0, 5, 20, 25]], np.float32), np.asarray([[0, 0, 10, 20]], np.float32))
    np.testing.assert_allclose(deltas, [[0.5, 0.25, 0.6931472, 0.0]], rtol=1e-6)


def test_anchors_of_a_pyramid_serve_every_image():
    generator = np.random.default_rng(0)
    anchors = make_anchors(128, 128, (8, 16, 32, 64, 128), octave_scales(4.0, 3), (0.5, 1.0, 2.0))
    corner = generator.uniform(0, 100, (len(anchors), 2))
    boxes = np.concatenate([corner, corner + generator.uniform(20, 60, corner.shape)], axis=1).astype(np.float32)
    (decoded,) = InGraph(BoxCoder().decode).run(encode_boxes(boxes, anchors)[None], anchors)
    np.testing.assert_allclose(decoded[0], boxes, rtol=1e-3, atol=2e-3)


def test_smooth_l1_by_hand():
    """beta 2: below it x^2 / 4, above it |x| - 1; beta 0 is |x|."""
    difference = ms.Tensor([-1.0, 0.5, 3.0], ms.float32)
    np.testing.assert_allclose(smooth_l1(difference, 2.0).asnumpy(), [0.25, 0.0625, 2.0])
    np.testing.assert_allclose(smooth_l1(difference, 0.0).asnumpy(), [1.0, 0.5, 3.0])
