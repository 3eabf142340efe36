"""Anchors against numbers worked by hand from MMDetection v3's rules, for the levels of both detectors."""

import numpy as np

from utils.detection.anchors import anchors_per_level, cell_anchors, level_sizes, make_anchors, octave_scales

FINE, COARSE = (4, 8, 16, 32, 64), (8, 16, 32, 64, 128)
RATIOS = (0.5, 1.0, 2.0)


def test_cell_anchors_written_out():
    """Stride 8, scale 4: sides 32, 40.3175 (32 * 2**(1/3)), 50.7968; ratio r: height s * sqrt(r), width s / sqrt(r)."""
    anchors = cell_anchors(8, octave_scales(4.0, 3), RATIOS)
    np.testing.assert_allclose(anchors[3], [-16, -16, 16, 16])
    np.testing.assert_allclose(anchors[4], [-20.158737, -20.158737, 20.158737, 20.158737], rtol=1e-6)
    np.testing.assert_allclose(anchors[5], [-25.398417, -25.398417, 25.398417, 25.398417], rtol=1e-6)
    np.testing.assert_allclose(anchors[0], [-22.627417, -11.3137085, 22.627417, 11.3137085], rtol=1e-6)
    np.testing.assert_allclose(anchors[8], [-17.959395, -35.91879, 17.959395, 35.91879], rtol=1e-6)


def test_anchors_of_a_cell():
    """Stride 4, scale 8: the square has side 32; ratio 1/2 is 32 * sqrt 2 = 45.25 wide and 22.63 high."""
    np.testing.assert_allclose(
        cell_anchors(4, (8,), RATIOS),
        [
            [-22.627417, -11.3137085, 22.627417, 11.3137085],
            [-16, -16, 16, 16],
            [-11.3137085, -22.627417, 11.3137085, 22.627417],
        ],
        rtol=1e-6,
    )


def test_scales_run_within_ratios():
    np.testing.assert_allclose(
        cell_anchors(2, (1, 3), (1.0, 4.0)),
        [
            [-1, -1, 1, 1],
            [-3, -3, 3, 3],
            [-0.5, -2, 0.5, 2],
            [-1.5, -6, 1.5, 6],
        ],
    )


def test_anchors_run_over_levels_rows_columns():
    """96x160: P5 has 3x5 cells, P6 2x3. The third anchor of P5's cell in row 1, column 2 is centred at (64, 32)."""
    anchors = make_anchors(96, 160, FINE, (8,), RATIOS)
    counts = anchors_per_level(96, 160, FINE, 3)
    assert level_sizes(96, 160, FINE) == ((24, 40), (12, 20), (6, 10), (3, 5), (2, 3))
    assert counts == (2880, 720, 180, 45, 18)
    assert anchors.shape == (3843, 4)
    assert anchors.dtype == np.float32
    third = anchors[2880 + 720 + 180 + 3 * (1 * 5 + 2) + 2]
    np.testing.assert_allclose(third, [64 - 90.509668, 32 - 181.019336, 64 + 90.509668, 32 + 181.019336], rtol=1e-6)


def test_documented_number_of_anchors():
    assert len(make_anchors(768, 1280, FINE, (8,), RATIOS)) == 245_520


def test_640_has_the_published_number_of_anchors():
    """9 * (80**2 + 40**2 + 20**2 + 10**2 + 5**2) = 76,725."""
    assert make_anchors(640, 640, COARSE, octave_scales(4.0, 3), RATIOS).shape == (76725, 4)
    assert anchors_per_level(640, 640, COARSE, 9) == (57600, 14400, 3600, 900, 225)


def test_anchors_are_centred_on_the_first_corner_of_their_cell():
    anchors = make_anchors(128, 256, COARSE, octave_scales(4.0, 3), RATIOS)
    assert len(anchors) == 9 * (16 * 32 + 8 * 16 + 4 * 8 + 2 * 4 + 1 * 2)
    centers = (anchors[:, :2] + anchors[:, 2:]) / 2
    np.testing.assert_allclose(centers[0], [0, 0], atol=1e-5)
    np.testing.assert_allclose(centers[9], [8, 0], atol=1e-5)  # next column of P3
    np.testing.assert_allclose(centers[9 * 32], [0, 8], atol=1e-5)  # next row of P3
    np.testing.assert_allclose(centers[-1], [128, 0], atol=1e-5)  # last cell of P7: column 1 of 2, row 0
