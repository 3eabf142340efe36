"""Where pictures stand on a sheet."""

import numpy as np
import pytest

from utils.drawing.contact_sheet import contact_sheet


def test_contact_sheet_places_pictures_in_reading_order():
    """Three 30 x 40 pictures in two columns of 40, gap 8: 2 * 38 + 8 rows, 2 * 48 + 8 columns."""
    pictures = [np.full((30, 40, 3), value, np.uint8) for value in (50, 100, 200)]
    sheet = contact_sheet(pictures, 2, cell_width=40)
    assert sheet.shape == (84, 104, 3)
    assert [int(sheet[y, x, 0]) for y, x in ((20, 20), (20, 80), (60, 20), (60, 80))] == [50, 100, 200, 24]


def test_contact_sheet_of_odd_sizes_and_of_one():
    sheet = contact_sheet([np.zeros((10, 300, 3), np.uint8), np.zeros((300, 10, 3), np.uint8)], 5)
    assert sheet.dtype == np.uint8
    assert contact_sheet([np.zeros((480, 640, 3), np.uint8)], 4, cell_width=64).shape == (64, 80, 3)
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([], 3)
