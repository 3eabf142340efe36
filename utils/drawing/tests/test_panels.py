"""Pictures beside each other: every pixel of a panel is kept, and a title stays above its own."""

import numpy as np

from utils.drawing.panels import GAP, GROUND, side_by_side, title_line


def test_panels_stand_beside_each_other_under_their_titles():
    left, right = np.full((120, 200, 3), 200, np.uint8), np.full((120, 90, 3), 90, np.uint8)
    sheet = side_by_side([left, right], ["truth", "prediction of a network"])
    title = sheet.shape[0] - 120
    assert sheet.shape == (title + 120, 200 + GAP + 90, 3)
    assert np.array_equal(sheet[title:, :200], left)
    assert np.array_equal(sheet[title:, 200 + GAP :], right)
    assert (sheet[:, 200 : 200 + GAP] == GROUND).all()
    for columns in (slice(0, 200), slice(200 + GAP, None)):
        assert sheet[:title, columns].max() > 200  # light letters


def test_a_title_fits_into_its_line_whatever_its_length():
    for width in (1, 20, 90):
        line = title_line("as long as " * 20, width, 18)
        assert line.shape == (18 + 2 * 6, width, 3)
        assert (line[:, -1] == GROUND).all()  # nothing is cut in the middle of a letter at the edge
