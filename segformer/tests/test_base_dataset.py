"""Transforms: image and label stay together, and sizes, crops and padding are those of the rules."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segformer.src.base_dataset import (
    CROP_TRIES,
    AugmentSettings,
    augment,
    choose_crop,
    fitted_size,
    is_varied,
    pad_label,
    prepare,
    resize_image,
    resize_label,
)
from utils.randomness import generator

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def _settings(**changes):
    values = {
        "base_size": (64, 128),
        "crop_size": (48, 80),
        "scale_range": (0.5, 2.0),
        "cat_max_ratio": 0.75,
        "flip_ratio": 0.5,
        "photometric_distortion": False,
        "mean": MEAN,
        "std": STD,
    }
    return AugmentSettings(**{**values, **changes})


def _blocks(height, width, side=16, seed=0):
    """A label of square blocks of classes 0-18, and an image whose red channel is 10 times the class."""
    classes = np.random.default_rng(seed).integers(0, 19, (-(-height // side), -(-width // side)), dtype=np.uint8)
    label = np.ascontiguousarray(np.kron(classes, np.ones((side, side), np.uint8))[:height, :width])
    image = np.stack([label * 10, np.full_like(label, 40), 255 - label], axis=-1)
    return image, label


@pytest.mark.parametrize(
    ("size", "base", "ratio", "wanted"),
    [
        ((1024, 2048), (512, 1024), 1.0, (512, 1024)),
        ((1024, 2048), (512, 1024), 0.5, (256, 512)),
        ((1024, 2048), (512, 1024), 2.0, (1024, 2048)),
        # 0.7 * (512, 1024) is cut to (358, 716); 716 / 2048 = 0.349609 and 358 / 1024 = 0.349609
        ((1024, 2048), (512, 1024), 0.7, (358, 716)),
        # a square base and a wide image: the long side decides, 1024 / 2048
        ((1024, 2048), (1024, 1024), 1.0, (512, 1024)),
        # the short side decides: min(1024 / 500, 512 / 375) = 1.365333; 375 * it = 512, 500 * it = 682.67
        ((375, 500), (512, 1024), 1.0, (512, 683)),
        # an upright image fits into the upright base
        ((2048, 1024), (512, 1024), 1.0, (1024, 512)),
        ((1, 1), (512, 1024), 1.0, (512, 512)),
        ((1, 9000), (512, 1024), 0.5, (1, 512)),
    ],
)
def test_fitted_size_is_mmsegmentations_rule(size, base, ratio, wanted):
    assert fitted_size(size, base, ratio) == wanted


def test_label_is_scaled_at_pixel_centres():
    """To a third: centre (i + 0.5) * 3 of output pixel i lies in source pixel 3 i + 1."""
    label = np.arange(9, dtype=np.uint8)[None].repeat(9, axis=0)
    np.testing.assert_array_equal(resize_label(label, (3, 3))[0], [1, 4, 7])


@pytest.mark.parametrize("scale", [0.25, 0.4, 0.73, 1.0, 1.31, 2.0])
def test_scaled_image_and_label_agree_inside_the_blocks(scale):
    image, label = _blocks(96, 160)
    size = (round(96 * scale), round(160 * scale))
    scaled, scaled_label = resize_image(image, size), resize_label(label, size)
    radius = max(3, 2 * int(np.ceil(scale)) + 1)
    inside = cv2.erode(scaled_label, np.ones((radius, radius))) == cv2.dilate(scaled_label, np.ones((radius, radius)))
    assert inside.mean() > 0.02
    np.testing.assert_array_equal(scaled[..., 0][inside], scaled_label[inside] * 10)


def test_a_crop_is_varied_when_two_classes_are_there_and_none_has_the_limit():
    label = np.full((10, 10), 255, np.uint8)
    assert not is_varied(label, 0.75, 255)
    label[:4] = 3  # 40 pixels, the only class
    assert not is_varied(label, 0.75, 255)
    label[4, :] = 5  # 40 of 50 are class 3: 0.8
    assert not is_varied(label, 0.75, 255)
    assert is_varied(label, 0.81, 255)
    label[5, :3] = 5  # 40 of 53: 0.7547
    assert not is_varied(label, 0.75, 255)
    label[5, 3] = 5  # 40 of 54: 0.7407
    assert is_varied(label, 0.75, 255)


def test_a_crop_with_exactly_the_limit_is_refused():
    label = np.zeros((2, 2), np.uint8)
    label[0, 0] = 1  # class 0 has 3 of 4
    assert not is_varied(label, 0.75, 255)


def test_a_varied_place_is_looked_for():
    """One of four places holds two classes: eleven windows find it with 1 - (3/4)^11 = 0.958, one with 0.25."""
    label = np.array([[0, 0, 0, 0, 1]], np.uint8)
    for cat_max_ratio, wanted in ((0.75, 0.958), (1.0, 0.25)):
        windows = [choose_crop(label, (1, 2), cat_max_ratio, 255, generator(0, 0, item)) for item in range(2000)]
        assert np.mean([columns.start == 3 for _, columns in windows]) == pytest.approx(wanted, abs=0.03)


def test_crop_gives_up_after_ten_tries():
    class Counting:
        count = 0

        def integers(self, low, high):
            self.count += 1
            assert (low, high) == (0, 9)
            return self.count % high

    draws = Counting()
    rows, columns = choose_crop(np.zeros((16, 16), np.uint8), (8, 8), 0.75, 255, draws)
    assert draws.count == 2 * (1 + CROP_TRIES)  # ten windows are looked at, the eleventh is taken
    assert (rows, columns) == (slice(21 % 9, 21 % 9 + 8), slice(22 % 9, 22 % 9 + 8))


def test_an_image_smaller_than_the_crop_is_taken_whole():
    label = np.zeros((5, 7), np.uint8)
    assert label[choose_crop(label, (8, 8), 0.75, 255, generator(0, 0, 0))].shape == (5, 7)


def test_crops_reach_every_place():
    label = np.zeros((6, 9), np.uint8)
    windows = [choose_crop(label, (4, 8), 1.0, 255, generator(0, 0, item)) for item in range(200)]
    assert {(rows.start, columns.start) for rows, columns in windows} == {(y, x) for y in range(3) for x in range(2)}


def test_a_label_is_padded_with_what_is_ignored():
    padded = pad_label(np.array([[4, 5]], np.uint8), (2, 3), 255)
    np.testing.assert_array_equal(padded, [[4, 5, 255], [255, 255, 255]])
    assert padded.dtype == np.int32


def test_padding_is_the_mean_colour_and_ignored():
    image, label = _blocks(64, 128)
    planes, padded = prepare(image, label, _settings(scale_range=(0.25, 0.25), flip_ratio=0.0), generator(1, 1, 1))
    assert planes.shape == (3, 48, 80)
    assert padded.shape == (48, 80)
    assert (planes[:, 16:] == 0).all()  # 64 * 0.25 rows are image
    assert (planes[:, :, 32:] == 0).all()
    assert (padded[16:] == 255).all()
    assert (padded[:, 32:] == 255).all()
    assert (padded[:16, :32] < 19).all()


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    seed=st.integers(0, 2**31),
    flip=st.sampled_from([0.0, 0.5, 1.0]),
    distorts=st.booleans(),
)
def test_any_image_gives_the_input_size_and_known_classes(height, width, seed, flip, distorts):
    image, label = _blocks(height, width, side=8, seed=seed)
    rule = _settings(flip_ratio=flip, photometric_distortion=distorts)
    planes, padded = prepare(image, label, rule, generator(seed, 1, 0))
    assert planes.shape == (3, 48, 80)
    assert padded.shape == (48, 80)
    assert np.isfinite(planes).all()
    assert set(np.unique(padded)) <= {*np.unique(label).tolist(), 255}


def test_image_and_label_stay_together_through_all_steps():
    """The red channel carries the class: it is read back from the augmented image, away from the blocks' borders."""
    image, label = _blocks(128, 256, side=32)
    for item in range(20):
        cut, cut_label = augment(image, label, _settings(crop_size=(96, 128)), generator(3, 1, item))
        assert cut.shape[:2] == cut_label.shape
        inside = cv2.erode(cut_label, np.ones((5, 5))) == cv2.dilate(cut_label, np.ones((5, 5)))
        assert inside.mean() > 0.2
        np.testing.assert_array_equal(np.rint(cut[..., 0][inside] / 10), cut_label[inside])


def test_flip_ratio_decides_about_mirroring():
    image, label = _blocks(48, 80)
    rule = {"base_size": (48, 80), "scale_range": (1.0, 1.0), "cat_max_ratio": 1.0}
    straight = augment(image, label, _settings(**rule, flip_ratio=0.0), generator(0, 1, 0))
    mirrored = augment(image, label, _settings(**rule, flip_ratio=1.0), generator(0, 1, 0))
    np.testing.assert_array_equal(straight[1], label)
    np.testing.assert_array_equal(mirrored[1], label[:, ::-1])
    np.testing.assert_array_equal(mirrored[0], image[:, ::-1])


def test_colours_change_and_labels_do_not():
    image, label = _blocks(64, 128)
    plain = augment(image, label, _settings(), generator(0, 1, 5))
    distorted = _settings(photometric_distortion=True)
    colourful = [augment(image, label, distorted, generator(0, 1, item)) for item in range(8)]
    np.testing.assert_array_equal(colourful[5][1], plain[1])
    changed = [
        not np.array_equal(one[0], augment(image, label, _settings(), generator(0, 1, item))[0])
        for item, one in enumerate(colourful)
    ]
    assert sum(changed) >= 5  # each of four steps is on in half of the images


def test_the_same_draws_give_the_same_sample():
    image, label = _blocks(64, 128)
    rule = _settings(photometric_distortion=True)
    first, again, other = (prepare(image, label, rule, generator(7, 2, item)) for item in (4, 4, 5))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
