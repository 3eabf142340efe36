"""The code of boxes by hand, on the host and in the graph, and back."""

import numpy as np
import pytest

from faster_rcnn.src.FasterRcnn.box_coder import BoxCoder, encode_boxes
from faster_rcnn.tests.two_stage_reference import InGraph

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
