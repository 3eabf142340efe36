"""The camera, against the pinhole formula."""

import numpy as np

from utils.sample_data.drawing.camera import Camera
from utils.sample_data.drawing.parts import Item
from utils.sample_data.geometry import ring, rounded_off

CAMERA = Camera(height=100, width=200, focal=50.0, horizon=40.0, eye=2.0)


def test_a_point_lands_where_the_pinhole_formula_says():
    """x = 100 + 50 * 3 / 10 = 115, y = 40 + 50 * (2 - 1) / 10 = 45."""
    np.testing.assert_allclose(CAMERA.project(np.array([3.0, 1.0, 10.0])), [115.0, 45.0])


def test_points_at_eye_height_lie_on_the_horizon_however_far():
    np.testing.assert_allclose(CAMERA.project(np.array([[1.0, 2.0, 5.0], [9.0, 2.0, 500.0]]))[:, 1], 40.0)


def test_a_camera_turned_right_by_a_quarter_looks_along_x():
    turned = Camera(100, 200, 50.0, 40.0, 2.0, yaw=np.pi / 2)
    np.testing.assert_allclose(turned.project(np.array([10.0, 2.0, 0.0])), [100.0, 40.0], atol=1e-9)
    assert turned.distance(10.0, 3.0) == 10.0


def test_clipping_keeps_what_is_ahead_and_drops_what_is_behind():
    square = np.array([[-1.0, 0, -5.0], [1.0, 0, -5.0], [1.0, 0, 5.0], [-1.0, 0, 5.0]])
    kept = CAMERA.clip(square)
    assert CAMERA.view(kept)[:, 2].min() >= 0.8 - 1e-9 and kept[:, 2].max() == 5.0
    assert len(CAMERA.clip(square - [0, 0, 10.0])) == 0


def test_an_item_that_heads_away_has_its_left_to_the_left():
    """Heading pi / 2 is away from the camera: forward becomes +z, across (left) becomes -x."""
    item = Item("car", (), x=1.0, z=10.0, heading=np.pi / 2)
    np.testing.assert_allclose(
        item.world(np.array([[2.0, 0.5, 0.0], [0.0, 0.0, 1.0]])), [[1, 0.5, 12], [0, 0, 10]], atol=1e-12
    )


def test_smoothing_an_open_line_keeps_its_ends():
    line = rounded_off([(0, 0), (1, 2), (3, 0)], 2, closed=False)
    assert line[0].tolist() == [0, 0] and line[-1].tolist() == [3, 0]


def test_a_ring_has_the_area_of_an_annulus():
    """pi * (1 - 0.8^2) = 1.131, less what a 28-gon lacks of a circle (0.8 %)."""
    points = ring((0.0, 0.0, 1.0, 0.8))[0]
    x, y = points[:, 0], points[:, 1]
    area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    np.testing.assert_allclose(area, np.pi * 0.36, rtol=0.01)
