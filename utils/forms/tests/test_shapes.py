"""Polygons, circles and bitmaps give the pixels of the stated rule; numbers are worked by hand."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from utils.forms.outlines.clipping import inside_of, is_inside
from utils.forms.outlines.shapes import (
    Bitmap,
    Disk,
    Polygons,
    RunLengths,
    area_of,
    box_of,
    decode,
    encode,
    mask_of,
    rings_of,
)
from utils.model_utils.errors import BadValueError


def rows(mask):
    return ["".join(".#"[value] for value in row) for row in mask.astype(int)]


def ring(*points):
    return np.array(points, np.float64)


def test_a_pixel_belongs_to_a_polygon_where_its_centre_lies_inside():
    """Centres of row 0 are at y = 0.5: the triangle (0, 0), (4, 0), (0, 4) reaches to 3.5 there, then 2.5, 1.5, 0.5.

    The centre at 3.5 lies on the right edge, which does not belong to it.
    """
    triangle = Polygons((ring((0, 0), (4, 0), (0, 4)),))
    assert rows(mask_of(triangle, (4, 5))) == ["###..", "##...", "#....", "....."]
    assert box_of(triangle).tolist() == [0, 0, 4, 4]
    assert area_of(triangle) == 8


def test_two_polygons_with_a_common_edge_share_no_pixel_and_leave_none_out():
    """Both halves of a square of 4 pixels along its diagonal, on which four centres lie."""
    upper, lower = Polygons((ring((0, 0), (4, 0), (4, 4)),)), Polygons((ring((0, 0), (4, 4), (0, 4)),))
    total = mask_of(upper, (4, 4)).astype(int) + mask_of(lower, (4, 4))
    assert (total == 1).all()
    left, right = (Polygons((ring((a, 0), (b, 0), (b, 4), (a, 4)),)) for a, b in ((0, 1.5), (1.5, 4)))
    assert rows(mask_of(left, (2, 4))) == ["#...", "#..."]  # the centre at 1.5 belongs to what begins there
    assert rows(mask_of(right, (2, 4))) == [".###", ".###"]


def test_fractions_holes_and_several_rings():
    """A square from 0.6 to 3.4 has the centres 1.5 and 2.5; the hole from 1 to 2 takes pixel (1, 1) out."""
    square, hole = ring((0.6, 0.6), (3.4, 0.6), (3.4, 3.4), (0.6, 3.4)), ring((1, 1), (2, 1), (2, 2), (1, 2))
    assert rows(mask_of(Polygons((square,), (hole,)), (4, 4))) == ["....", "..#.", ".##.", "...."]
    assert area_of(Polygons((square,), (hole,))) == pytest.approx(2.8**2 - 1)
    other = ring((3, 0), (4, 0), (4, 1), (3, 1))
    both = Polygons((square, other))
    assert rows(mask_of(both, (4, 4))) == ["...#", ".##.", ".##.", "...."]
    assert box_of(both).tolist() == [0.6, 0, 4, 3.4]


def test_what_a_polygon_goes_around_twice_is_outside():
    """A bow tie has two triangles; a square walked twice has nothing."""
    tie = Polygons((ring((0, 0), (4, 4), (4, 0), (0, 4)),))
    assert mask_of(tie, (4, 4)).sum() == 8 and not mask_of(tie, (4, 4))[:, 1:3][[0, 3]].any()
    twice = Polygons((np.tile(ring((0, 0), (3, 0), (3, 3), (0, 3)), (2, 1)),))
    assert not mask_of(twice, (4, 4)).any()


def test_a_polygon_that_leaves_the_picture_is_cut():
    big = Polygons((ring((-1e12, -5), (1e12, -5), (1e12, 2), (-1e12, 2)),))
    assert rows(mask_of(big, (3, 3))) == ["###", "###", "..."]
    assert not mask_of(Polygons((ring((9, 9), (12, 9), (9, 12)),)), (4, 4)).any()


def test_random_polygons_agree_with_a_test_of_each_centre():
    """Counts for each centre the edges that a ray to the right crosses: another formula, pixel by pixel."""
    generator = np.random.default_rng(3)
    for _ in range(20):
        points = generator.uniform(-3, 18, (generator.integers(3, 9), 2))
        y, x = np.mgrid[:14, :15] + 0.5
        inside = np.zeros((14, 15), bool)
        for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            is_crossed = (y0 > y) != (y1 > y)
            inside ^= is_crossed & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        np.testing.assert_array_equal(mask_of(Polygons((points,)), (14, 15)), inside)


def test_a_disk_has_the_centres_nearer_than_its_radius():
    """Around (2, 2) with radius 1.6 the four centres at 0.71 and the eight at 1.58 lie, those at 2.12 do not."""
    disk = Disk((2.0, 2.0), 1.6)
    assert rows(mask_of(disk, (4, 4))) == [".##.", "####", "####", ".##."]
    np.testing.assert_allclose(box_of(disk), [0.4, 0.4, 3.6, 3.6])
    assert area_of(disk) == pytest.approx(np.pi * 2.56)


def test_the_box_of_a_bitmap_ends_at_the_edges_of_its_pixels():
    pixels = np.zeros((4, 5), bool)
    pixels[1:3, 2] = True
    bitmap = Bitmap(pixels, left=10, top=20)
    assert box_of(bitmap).tolist() == [12, 21, 13, 23]
    assert area_of(bitmap) == 2
    outside = Bitmap(np.ones((3, 3), bool), left=-1, top=2)
    assert rows(mask_of(outside, (4, 4))) == ["....", "....", "##..", "##.."]
    assert box_of(Bitmap(np.zeros((2, 2), bool), 0, 0)).tolist() == [0, 0, 0, 0]


def test_run_lengths_agree_with_cocos_own_tool():
    """Column by column: 2 out, 3 in, 1 out of 2 x 3 pixels."""
    runs = RunLengths((2, 3), np.array([2, 3, 1]))
    assert rows(decode(runs)) == [".##", ".#."]
    assert encode(decode(runs)) == [2, 3, 1]
    mask = np.random.default_rng(0).random((13, 17)) < 0.5
    mask[0, 0] = True
    assert encode(mask)[0] == 0
    packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    np.testing.assert_array_equal(decode(RunLengths((13, 17), packed["counts"])), mask)
    np.testing.assert_array_equal(decode(RunLengths((13, 17), np.array(encode(mask)))), mask)
    for all_of in (True, False):
        assert (decode(RunLengths((2, 2), np.array(encode(np.full((2, 2), all_of))))) == all_of).all()


@pytest.mark.parametrize("counts", [np.array([1, 2]), b"~~~~", b"", b"\x00", b"P", b"00", b"ooooooooooooooooooo0"])
def test_runs_of_another_size_are_refused(counts):
    with pytest.raises(BadValueError, match=r"a run-length code of 2 x 3 pixels"):
        decode(RunLengths((2, 3), counts))


@pytest.mark.parametrize(
    "points", [None, [[0, 0], [1, 1]], [[0, 0], [1, 1], [2]], [["a", 1]] * 3, [[0, float("nan")]] * 3]
)
def test_points_that_are_no_polygon_are_none(points):
    assert rings_of(points) is None


def test_what_lies_inside_of_a_polygon():
    """A square of 10 around the corner (0, 0) keeps a quarter; of an H without its bar two legs of 2 x 4 remain."""
    square = Polygons((ring((-5, -5), (5, -5), (5, 5), (-5, 5)),), (ring((-9, -9), (1, -9), (1, 1), (-9, 1)),))
    inside = inside_of(square, (20, 20))
    assert not is_inside(square, (20, 20)) and is_inside(inside, (20, 20))
    assert (area_of(inside), box_of(inside).tolist()) == (25 - 1, [0, 0, 5, 5])
    legs = Polygons((ring((0, 4), (0, -6), (8, -6), (8, 4), (6, 4), (6, -2), (2, -2), (2, 4)),))
    assert (area_of(inside_of(legs, (20, 20))), box_of(inside_of(legs, (20, 20))).tolist()) == (16, [0, 0, 8, 4])
    assert rows(mask_of(inside_of(legs, (5, 9)), (5, 9))) == 4 * ["##....##."] + ["........."]
    assert inside_of(Polygons((ring((-5, 0), (-1, 0), (-1, 9)),)), (20, 20)) is None
    notch = Polygons((ring((-9, -9), (30, -9), (-9, 30)),))  # its box covers the picture, and it does too
    assert area_of(inside_of(notch, (4, 4))) == 16
    bow = Polygons((ring((-4, 0), (4, 8), (4, 0), (-4, 8)),))
    assert (mask_of(inside_of(bow, (8, 8)), (8, 8)) == mask_of(bow, (8, 8))).all()
    assert inside_of(Polygons((ring((-9, 30), (-9, -9), (30, -9), (-8, -8)),)), (4, 4)) is None


def test_cut_polygons_have_the_pixels_that_they_had():
    random = np.random.default_rng(0)
    for _ in range(300):
        points = random.uniform(-8, 20, (random.integers(3, 9), 2))  # no centre lies on an edge
        whole = Polygons((points,))
        inside = inside_of(whole, (11, 13))
        mask = mask_of(whole, (11, 13))
        np.testing.assert_array_equal(mask if inside is None else mask_of(inside, (11, 13)), mask)
        assert inside is not None or not mask.any()
        if inside is not None:
            left, top, right, bottom = box_of(inside)
            assert 0 <= left < right <= 13 and 0 <= top < bottom <= 11


def test_what_lies_inside_of_circles_and_bitmaps():
    """Of a circle of radius 2 around (0, 2) the right half: centres at 0.5 and 1.5, of 4 and 2 rows."""
    half = inside_of(Disk((0, 2), 2), (9, 9))
    assert rows(half.pixels) == ["#.", "##", "##", "#."] and box_of(half).tolist() == [0, 0, 2, 4]
    part = inside_of(Bitmap(np.ones((3, 4), bool), -2, 7), (9, 9))
    assert (area_of(part), box_of(part).tolist()) == (4, [0, 7, 2, 9])
    assert inside_of(Bitmap(np.ones((3, 4), bool), 9, 0), (9, 9)) is None
    assert inside_of(Disk((-3, 2), 2), (9, 9)) is None
