"""Inputs of a network as pictures: what was normalised comes back to the last level, and padding is known as such."""

import numpy as np

from utils.drawing.network_inputs import (
    STRIPE_COLORS,
    captioned_sheet,
    content_size,
    stripe_padding,
    undo_normalisation,
)
from utils.drawing.panels import GAP, scale_to_width
from utils.pixels import to_input

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def test_the_normalisation_is_undone_exactly_and_the_padding_found():
    levels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    levels[0, :3] = np.arange(3)[:, None] * 127  # black, grey, nearly white
    planes = to_input(levels, (50, 64), MEAN, STD)
    assert content_size(planes) == (40, 60)
    picture = undo_normalisation(planes, MEAN, STD)
    assert np.array_equal(picture[:40, :60], levels)
    assert picture[45, 10].tolist() == [124, 116, 104]  # the mean colour, rounded
    striped = stripe_padding(picture, (40, 60))
    assert np.array_equal(striped[:40, :60], levels)
    assert set(np.unique(np.concatenate([striped[40:].ravel(), striped[:, 60:].ravel()]))) == set(STRIPE_COLORS)


def test_an_input_without_padding_and_one_of_nothing_else():
    planes = np.ones((3, 4, 5), np.float32)
    assert content_size(planes) == (4, 5)
    assert content_size(planes * 0) == (0, 0)
    image = np.full((4, 5, 3), 9, np.uint8)
    assert np.array_equal(stripe_padding(image, (4, 5)), image)


def test_tiny_pictures_are_enlarged_by_whole_factors_and_large_ones_shrunk():
    assert scale_to_width(np.zeros((96, 128, 3), np.uint8), 957)[1] == 3.0
    assert scale_to_width(np.zeros((96, 128, 3), np.uint8), 300)[1] == 2.0
    assert scale_to_width(np.zeros((300, 400, 3), np.uint8), 957)[1] == 1.0
    shrunk, scale = scale_to_width(np.zeros((300, 400, 3), np.uint8), 200)
    assert (shrunk.shape, scale) == ((150, 200, 3), 0.5)


def test_pictures_of_a_sheet_keep_their_pixels():
    colours = ((200, 0, 0), (0, 200, 0), (0, 0, 200))  # no grey, as letters have
    sheet = captioned_sheet([np.full((30, 50, 3), colour, np.uint8) for colour in colours], "abc", "heading", 2)
    assert sheet.shape[1] == 2 * 50 + 3 * GAP
    for colour, (left, is_first_row) in zip(colours, ((GAP, True), (50 + 2 * GAP, True), (GAP, False)), strict=True):
        rows, columns = np.nonzero((sheet == colour).all(axis=-1))
        assert len(rows) == 30 * 50
        assert columns.min() == left
        assert (rows.min() < sheet.shape[0] / 2) == is_first_row
