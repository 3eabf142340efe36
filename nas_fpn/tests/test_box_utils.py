"""Anchors and box codes against numbers worked by hand from MMDetection v3's rules."""

import mindspore as ms
import numpy as np
import pytest

from nas_fpn.src.box_utils import anchors_per_level, cell_anchors, decode_boxes, encode_boxes, make_anchors


def test_cell_anchors_written_out():
    """Stride 8, scale 4: sides 32, 40.3175 (32 * 2**(1/3)), 50.7968; ratio r: height s * sqrt(r), width s / sqrt(r)."""
    anchors = cell_anchors(8, 4.0, 3, (0.5, 1.0, 2.0))
    np.testing.assert_allclose(anchors[3], [-16, -16, 16, 16])
    np.testing.assert_allclose(anchors[4], [-20.158737, -20.158737, 20.158737, 20.158737], rtol=1e-6)
    np.testing.assert_allclose(anchors[5], [-25.398417, -25.398417, 25.398417, 25.398417], rtol=1e-6)
    np.testing.assert_allclose(anchors[0], [-22.627417, -11.3137085, 22.627417, 11.3137085], rtol=1e-6)
    np.testing.assert_allclose(anchors[8], [-17.959395, -35.91879, 17.959395, 35.91879], rtol=1e-6)


def test_640_has_the_published_number_of_anchors():
    """9 * (80**2 + 40**2 + 20**2 + 10**2 + 5**2) = 76,725."""
    assert make_anchors(640, 640).shape == (76725, 4)
    assert anchors_per_level(640, 640, 9) == (57600, 14400, 3600, 900, 225)


def test_anchors_run_over_levels_rows_columns_and_cell():
    anchors = make_anchors(128, 256)
    assert len(anchors) == 9 * (16 * 32 + 8 * 16 + 4 * 8 + 2 * 4 + 1 * 2)
    centers = (anchors[:, :2] + anchors[:, 2:]) / 2
    np.testing.assert_allclose(centers[0], [0, 0], atol=1e-5)
    np.testing.assert_allclose(centers[9], [8, 0], atol=1e-5)  # next column of P3
    np.testing.assert_allclose(centers[9 * 32], [0, 8], atol=1e-5)  # next row of P3
    np.testing.assert_allclose(centers[-1], [128, 0], atol=1e-5)  # last cell of P7: column 1 of 2, row 0


def test_encode_by_hand():
    """Anchor 10x20 at centre (5, 10), box 20x20 at (10, 15): shifts 5/10 and 5/20, sizes ln 2 and ln 1."""
    deltas = encode_boxes(np.asarray([[0, 5, 20, 25]], np.float32), np.asarray([[0, 0, 10, 20]], np.float32))
    np.testing.assert_allclose(deltas, [[0.5, 0.25, 0.6931472, 0.0]], rtol=1e-6)


def test_decode_inverts_encode():
    generator = np.random.default_rng(0)
    anchors = make_anchors(128, 128)
    corner = generator.uniform(0, 100, (len(anchors), 2))
    boxes = np.concatenate([corner, corner + generator.uniform(20, 60, corner.shape)], axis=1).astype(np.float32)
    decoded = decode_boxes(ms.Tensor(encode_boxes(boxes, anchors)[None]), ms.Tensor(anchors))
    np.testing.assert_allclose(decoded.asnumpy()[0], boxes, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize(("delta", "side"), [(100.0, 62.5 * 32), (-100.0, 32 / 62.5)])
def test_decode_limits_the_change_of_size(delta, side):
    """1000 / 16 = 62.5 times the anchor at the most."""
    anchors = np.asarray([[0, 0, 32, 32]], np.float32)
    box = decode_boxes(ms.Tensor(np.asarray([[[0, 0, delta, delta]]], np.float32)), ms.Tensor(anchors)).asnumpy()[0, 0]
    np.testing.assert_allclose([box[2] - box[0], box[3] - box[1]], [side, side], rtol=1e-5)
