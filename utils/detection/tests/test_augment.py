"""Augmentation against hand-worked boxes, and against the picture itself: a bright patch must stay under its box."""

import numpy as np
import pytest

from utils.detection import augment
from utils.detection.tests.overlaps import pairwise_iou

BOX = np.array([[40, 20, 80, 60]], np.float32)


def picture(height: int = 100, width: int = 160) -> np.ndarray:
    """Black, with a white patch exactly under BOX."""
    image = np.zeros((height, width, 3), np.uint8)
    image[20:60, 40:80] = 255
    return image


def patch_box(image: np.ndarray) -> np.ndarray:
    """The bounds of what is brighter than half."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)


@pytest.mark.parametrize(
    ("target", "size", "scale"),
    [
        ((50, 160), (50, 80), 0.5),
        ((400, 320), (200, 320), 2.0),
        ((100, 160), (100, 160), 1.0),
        ((7, 1000), (7, 11), 0.07),
    ],
)
def test_resize_fits_and_keeps_the_ratio(target, size, scale):
    original = picture().shape[:2]
    assert augment.scaled_size(original, target) == size
    assert augment.fit_scale(original, target) == pytest.approx(scale)


def test_resize_of_one_pixel_and_of_a_line():
    assert augment.scaled_size((1, 1), (64, 32)) == (32, 32)
    assert augment.scaled_size((1, 5000), (64, 100)) == (1, 100)


def test_flip_by_hand():
    image, boxes = augment.flip_horizontal(picture(), BOX)
    assert boxes.tolist() == [[80, 20, 120, 60]]  # 160 - 80, 160 - 40
    assert np.array_equal(patch_box(image), boxes)
    again, twice = augment.flip_horizontal(image, boxes)
    assert np.array_equal(again, picture())
    assert np.array_equal(twice, BOX)


@pytest.mark.parametrize("seed", range(20))
def test_scale_and_crop_keeps_the_box_on_its_patch(seed):
    image, boxes, kept = augment.random_scale_and_crop(
        picture(), BOX, (64, 96), np.random.default_rng(seed), scale_range=(0.5, 2.0)
    )
    assert image.shape[0] <= 64
    assert image.shape[1] <= 96
    if len(kept):
        assert pairwise_iou(patch_box(image), boxes)[0, 0] > 0.85  # edges are blurred by the resizing
        assert (boxes >= 0).all()
        assert (boxes[:, 2:] <= np.array(image.shape[1::-1])).all()


@pytest.mark.parametrize("seed", range(8))
def test_large_scale_jitter_by_its_draws(seed):
    """Three draws say factor and window; a box goes whose centre is cut off, the others are clipped."""
    draws = np.random.default_rng(seed)
    factor, down, across = draws.uniform(0.1, 2.0), *draws.uniform(size=2)
    scale = 0.6 * factor  # 160 x 100 into 96 x 64
    height, width = round(100 * scale), round(160 * scale)
    top, left = int(down * (max(0, height - 64) + 1)), int(across * (max(0, width - 96) + 1))
    box = BOX * scale - [left, top, left, top]
    image, boxes, kept = augment.random_scale_and_crop(
        picture(), BOX, (64, 96), np.random.default_rng(seed), scale_range=(0.1, 2.0)
    )
    assert image.shape[:2] == (min(height, 64), min(width, 96))
    centre = box.reshape(2, 2).mean(axis=0)
    stays = (centre >= 0).all() and (centre < image.shape[1::-1]).all()
    assert kept.tolist() == [0] * stays
    wanted = np.clip(box, 0, [*image.shape[1::-1]] * 2)
    np.testing.assert_allclose(boxes, wanted[kept], rtol=1e-5, atol=1e-4)


def test_scale_and_crop_at_the_fitting_scale_is_a_resize():
    rng = np.random.default_rng(0)
    image, boxes, kept = augment.random_scale_and_crop(picture(), BOX, (50, 80), rng, scale_range=(1.0, 1.0))
    expected, expected_boxes = augment.stretch(picture(), BOX, (50, 80))
    assert np.array_equal(image, expected)
    assert np.array_equal(boxes, expected_boxes)
    assert kept.tolist() == [0]


def test_boxes_with_their_centre_outside_are_dropped_and_the_rest_clipped():
    """In 10 x 10: centre (9, 5) stays, cut at x = 10; centre (11, 5) goes; a crowd stays while any of it is seen."""
    boxes = np.array([[6, 0, 12, 10], [8, 0, 14, 10], [8, 0, 14, 10], [12, 0, 14, 10], [0, 0, 1, 1]], np.float32)
    is_crowd = np.array([False, False, True, True, False])
    left, kept = augment.keep_visible(boxes, (10, 10), is_crowd)
    assert kept.tolist() == [0, 2, 4]
    assert left.tolist() == [[6, 0, 10, 10], [8, 0, 10, 10], [0, 0, 1, 1]]
    assert augment.keep_visible(boxes, (10, 10))[1].tolist() == [0, 4]


def test_boxes_thinner_than_a_pixel_stay_unless_the_window_cut_them():
    boxes = np.array([[2, 2, 2.5, 5], [-0.9, 2, 0.95, 5]], np.float32)
    assert augment.keep_visible(boxes, (10, 10))[1].tolist() == [0]  # of the second 0.95 are left


def test_boxes_that_rounding_left_without_area_are_dropped():
    """A delta to such a box would be the logarithm of 0."""
    boxes = np.array([[2, 2, 2, 5], [2, 2, 2.001, 5]], np.float32)
    assert augment.keep_visible(boxes, (10, 10))[1].tolist() == [1]


@pytest.mark.parametrize(
    ("factor", "keep_ratio", "size"),
    [
        (1.0, True, (50, 80)),  # 100 x 160 into 50 x 120: the height decides
        (1.5, True, (75, 120)),
        (1.0, False, (50, 120)),
        (0.5, False, (25, 60)),
        (0.001, True, (1, 1)),
    ],
)
def test_sizes_that_fit_or_fill(factor, keep_ratio, size):
    assert augment.scaled_size((100, 160), (50, 120), factor, keep_ratio=keep_ratio) == size


def test_stretch_scales_each_side_by_its_own_factor():
    """100 x 160 to 50 x 320: half the height, twice the width."""
    image, boxes = augment.stretch(picture(), BOX, (50, 320))
    assert image.shape == (50, 320, 3)
    assert boxes.tolist() == [[80, 10, 160, 30]]
    assert np.array_equal(patch_box(image), boxes)


@pytest.mark.parametrize("seed", range(8))
def test_a_window_moves_boxes_with_the_picture(seed):
    """60 x 100 of 100 x 160 starts at most at (60, 40) and so always shows the centre (60, 40) of the patch."""
    image, boxes, kept = augment.random_window(picture(), BOX, (60, 100), np.random.default_rng(seed))
    assert image.shape == (60, 100, 3)
    assert kept.tolist() == [0]
    assert np.array_equal(patch_box(image), boxes)


def test_a_picture_no_larger_than_the_window_is_whole():
    image, boxes, _ = augment.random_window(picture(), BOX, (100, 400), np.random.default_rng(0))
    assert np.array_equal(image, picture())
    assert np.array_equal(boxes, BOX)


@pytest.mark.parametrize("seed", range(5))
def test_expand_moves_boxes_with_the_picture(seed):
    image, boxes = augment.expand(picture(), BOX, (150, 400), np.random.default_rng(seed))
    assert image.shape == (150, 400, 3)
    assert np.array_equal(patch_box(image), boxes)


def test_expand_surrounds_the_picture_with_the_colour():
    image, boxes = augment.expand(np.zeros((1, 1, 3), np.uint8), BOX[:0], (2, 3), np.random.default_rng(0),
                                  fill=(9, 123.675, 255))  # fmt: skip
    colours = sorted(image.reshape(-1, 3).tolist())
    assert colours == [[0, 0, 0], *[[9, 124, 255]] * 5]
    assert boxes.shape == (0, 4)


def test_a_canvas_of_the_pictures_size_changes_nothing_and_a_smaller_one_is_refused():
    image, boxes = augment.expand(picture(), BOX, (100, 160), np.random.default_rng(0))
    assert np.array_equal(image, picture())
    assert np.array_equal(boxes, BOX)
    with pytest.raises(ValueError, match=r"\(100, 160\) does not fit on a canvas of \(99, 400\)"):
        augment.expand(picture(), BOX, (99, 400), np.random.default_rng(0))


def test_draws_depend_on_the_seed_only_and_are_always_as_many():
    image = picture()
    for function in (
        lambda rng: augment.random_scale_and_crop(image, BOX, (50, 50), rng)[0],
        lambda rng: augment.random_window(image, BOX, (50, 50), rng)[0],
        lambda rng: augment.expand(image, BOX, (200, 200), rng)[0],
    ):
        rngs = [np.random.default_rng(seed) for seed in (1, 1)]
        first, second = (function(rng) for rng in rngs)
        assert np.array_equal(first, second)
        assert rngs[0].random() == rngs[1].random()


def test_pad_boxes_fills_and_marks():
    padded = augment.pad_boxes(BOX, np.array([3], np.int32), np.array([True]), 3)
    assert padded.boxes.tolist() == [BOX[0].tolist(), [0] * 4, [0] * 4]
    assert (padded.labels.tolist(), padded.is_crowd.tolist()) == ([3, -1, -1], [True, False, False])
    assert padded.is_valid.tolist() == [True, False, False]


def test_pad_boxes_keeps_the_largest_in_their_order():
    """Areas 1, 9, 4: of two rows the second and the third box remain."""
    boxes = np.array([[0, 0, 1, 1], [0, 0, 3, 3], [0, 0, 2, 2]], np.float32)
    padded = augment.pad_boxes(boxes, np.array([7, 8, 9], np.int32), np.zeros(3, bool), 2)
    assert padded.labels.tolist() == [8, 9]


def test_no_boxes_pass_through_everything():
    none, rng = np.zeros((0, 4), np.float32), np.random.default_rng(0)
    assert augment.flip_horizontal(picture(), none)[1].shape == (0, 4)
    assert augment.random_scale_and_crop(picture(), none, (50, 50), rng, is_crowd=np.zeros(0, bool))[1].shape == (0, 4)
    assert augment.expand(picture(), none, (200, 200), rng)[1].shape == (0, 4)
    assert augment.stretch(picture(), none, (20, 20))[1].shape == (0, 4)
    padded = augment.pad_boxes(none, np.zeros(0, np.int32), np.zeros(0, bool), 2)
    assert not padded.is_valid.any()
