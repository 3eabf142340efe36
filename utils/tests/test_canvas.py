"""The size of a canvas: numbers worked by hand from MMDetection's rules."""

import pytest

from utils.canvas import CanvasRule


@pytest.mark.parametrize(
    ("rule", "size", "resized", "canvas"),
    [
        (CanvasRule((1333, 800), 32), (480, 640), (800, 1067), (800, 1088)),
        (CanvasRule((1333, 800), 32), (640, 480), (1067, 800), (1088, 800)),
        (CanvasRule((1333, 800), 32), (375, 500), (800, 1067), (800, 1088)),
        (CanvasRule((1333, 800), 32), (300, 1000), (400, 1333), (416, 1344)),
        (CanvasRule((640, 640), 128), (427, 640), (427, 640), (512, 640)),
        (CanvasRule((640, 640), 128), (1, 3000), (1, 640), (128, 640)),
        (CanvasRule((2048, 512)), (512, 683), (512, 683), (512, 683)),
    ],
)
def test_a_picture_is_scaled_within_both_sides_and_rounded_up(rule, size, resized, canvas):
    """E.g. 480x640: 800/480 = 1.667 is less than 1333/640 = 2.083, and 640 * 1.667 + 0.5 is 1067."""
    assert rule.resized_size(size) == resized
    assert rule.canvas_size(size) == canvas
