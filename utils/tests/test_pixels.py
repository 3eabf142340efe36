"""Normalisation, padding and colours against the formula and numbers worked by hand."""

import numpy as np

from utils.pixels import jitter_colours, normalize, photometric_distortion, to_input


def test_normalize_is_the_formula():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    result = normalize(image, mean, std)
    assert (result.shape, result.dtype, result.flags.c_contiguous) == ((3, 5, 7), np.float32, True)
    np.testing.assert_allclose(result, ((image - np.array(mean)) / np.array(std)).transpose(2, 0, 1), rtol=1e-6)


def test_normalize_writes_into_a_part_of_a_larger_array():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    whole = np.full((3, 8, 9), 42, np.float32)
    normalize(image, (1, 2, 3), (4, 5, 6), out=whole[:, 1:6, 2:9])
    assert np.array_equal(whole[:, 1:6, 2:9], normalize(image, (1, 2, 3), (4, 5, 6)))
    assert (whole[:, [0, 6, 7]] == 42).all()
    assert (whole[:, :, :2] == 42).all()


def test_photometric_distortion_without_ranges_is_the_identity():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    for seed in range(8):
        result = photometric_distortion(
            image, np.random.default_rng(seed), brightness=0, contrast=(1, 1), saturation=(1, 1), hue=0
        )
        assert np.array_equal(result, image)


def test_colour_strengths_are_shares_of_the_ranges():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    for seed in range(4):
        jittered = jitter_colours(
            image, np.random.default_rng(seed), brightness=0.4, contrast=0.5, saturation=0.3, hue=0.05
        )
        expected = photometric_distortion(
            image, np.random.default_rng(seed), brightness=32, contrast=(0.5, 1.5), saturation=(0.7, 1.3), hue=18
        )
        assert np.array_equal(jittered, expected)


def test_photometric_distortion_of_brightness_by_hand():
    """With only brightness in range, a grey of 100 moves by the offset and stays grey."""
    grey = np.full((4, 4, 3), 100, np.uint8)
    values = {
        int(
            photometric_distortion(
                grey, np.random.default_rng(seed), brightness=32, contrast=(1, 1), saturation=(1, 1), hue=0
            )[0, 0, 0]
        )
        for seed in range(40)
    }
    assert 100 in values  # half of the draws leave it
    assert 68 <= min(values) < 85
    assert 115 < max(values) <= 132


def test_distortion_depends_on_the_seed_only_and_always_takes_eight_draws():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    for seed in range(8):
        rng, again, control = (np.random.default_rng(seed) for _ in range(3))
        assert np.array_equal(photometric_distortion(image, rng), photometric_distortion(image, again))
        control.uniform(size=8)
        assert rng.random() == control.random()


def test_an_input_is_normalised_and_padded_with_the_mean():
    image = np.full((1, 2, 3), (123, 117, 104), np.uint8)
    planes = to_input(image, (2, 3), (123.0, 116.0, 100.0), (1.0, 2.0, 8.0))
    np.testing.assert_array_equal(planes[0], [[0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(planes[1], [[0.5, 0.5, 0], [0, 0, 0]])
    np.testing.assert_array_equal(planes[2], [[0.5, 0.5, 0], [0, 0, 0]])
    assert planes.dtype == np.float32
