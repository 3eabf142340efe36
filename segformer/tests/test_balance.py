"""Thin classes: their weight in the loss, and crops around their pixels."""

import logging

import cv2
import numpy as np
import pytest

from segformer.src import build
from segformer.src.base_dataset import AugmentSettings, augment, crop_around_class
from segformer.src.config import load
from segformer.src.labels.balance import balanced_weights, count_pixels, weigh_classes
from segformer.src.labels.files import ImagePair
from utils.randomness import generator


def test_weights_are_powers_of_the_shares():
    """Shares 0.64, 0.32, 0.04: to the power of -1/2 1.25, 1.7678, 5; their mean over the pixels is 1.5657."""
    weights = balanced_weights(np.array([64, 32, 4, 0]), 0.5)
    assert weights == pytest.approx((1.25 / 1.5657, 1.7678 / 1.5657, 5 / 1.5657, 1.0), rel=1e-4)


def test_power_0_weighs_pixels_alike_and_power_1_classes():
    counts = np.array([90, 10])
    assert balanced_weights(counts, 0.0) == (1.0, 1.0)
    weights = np.array(balanced_weights(counts, 1.0))
    assert (weights * counts).tolist() == pytest.approx([50, 50])


def test_labels_without_any_class_weigh_nothing_more():
    assert balanced_weights(np.zeros(3, np.int64), 0.5) == (1.0, 1.0, 1.0)


def _pairs(folder, labels):
    pairs = []
    for index, label in enumerate(labels):
        path = folder / f"{index}.png"
        cv2.imwrite(str(path), np.array(label, np.uint8))
        pairs.append(ImagePair(path, path))
    return pairs


def test_pixels_are_counted_without_those_of_no_class(tmp_path, caplog):
    pairs = _pairs(tmp_path, [[[0, 0, 0, 255]], [[1, 0, 0, 0]]])
    assert count_pixels(pairs, 3, 255).tolist() == [6, 1, 0]
    with caplog.at_level(logging.INFO):
        weigh_classes(pairs, ("road", "pole", "sky"), 255, 1.0)
    # 6/7 and 1/7: 7/6 and 7, whose mean over the pixels is 2
    assert "weights in the loss by the pixels of 2 labels: road 0.58, pole 3.50, sky 1.00" in caplog.text


def test_each_class_of_a_picture_is_as_often_in_a_crop():
    """One pixel of class 1 in 10,000 of class 0: half of the crops are laid around it, and it lies anywhere in them."""
    label = np.zeros((100, 100), np.uint8)
    label[40, 70] = 1
    places = []
    for index in range(2000):
        rows, columns = crop_around_class(label, (10, 20), 255, generator(0, 0, index))
        assert (rows.stop - rows.start, columns.stop - columns.start) == (10, 20)
        assert 0 <= rows.start <= 90 and 0 <= columns.start <= 80
        if rows.start <= 40 < rows.stop and columns.start <= 70 < columns.stop:
            places.append((40 - rows.start, 70 - columns.start))
    # half of them, and of the other half the 200 of 7,371 windows that hold it by chance
    assert len(places) / 2000 == pytest.approx(0.5 + 0.5 * 200 / 7371, abs=0.03)
    assert np.mean(places, axis=0) == pytest.approx((4.5, 9.5), abs=0.6)


def test_a_crop_stays_in_the_picture_and_a_small_one_is_taken_whole():
    label = np.full((30, 8), 255, np.uint8)
    label[0, 0] = label[29, 7] = 3
    for index in range(50):
        rows, columns = crop_around_class(label, (10, 20), 255, generator(0, 0, index))
        assert (rows.start, columns.start) in ((0, 0), (20, 0))
    empty = np.full((30, 30), 255, np.uint8)
    rows, columns = crop_around_class(empty, (10, 10), 255, generator(0, 0, 0))
    assert 0 <= rows.start <= 20 and 0 <= columns.start <= 20


def test_without_the_ratio_no_draw_is_made_for_it():
    """The pictures of a seed stay those of before."""
    label = np.kron(np.arange(24, dtype=np.uint8).reshape(4, 6) % 19, np.ones((16, 16), np.uint8))
    image = np.stack([label] * 3, axis=-1)
    rule = {
        "base_size": (64, 96),
        "crop_size": (32, 32),
        "scale_range": (1.0, 1.0),
        "cat_max_ratio": 1.0,
        "flip_ratio": 0.0,
        "photometric_distortion": False,
        "mean": (0.0, 0.0, 0.0),
        "std": (1.0, 1.0, 1.0),
    }
    draws = generator(3, 1, 4)
    draws.uniform(1.0, 1.0), draws.uniform()  # scale and flip
    top, left = int(draws.integers(0, 33)), int(draws.integers(0, 65))
    _, cut = augment(image, label, AugmentSettings(**rule), generator(3, 1, 4))
    assert (cut == label[top : top + 32, left : left + 32]).all()
    always = AugmentSettings(**rule, class_crop_ratio=1.0)
    cuts = [augment(image, label, always, generator(3, 1, index))[1] for index in range(40)]
    assert {int(value) for cut in cuts for value in np.unique(cut)} == set(range(19))


def test_given_weights_win_over_the_power():
    config = load(["--config_path=config/custom.yaml", "--class_num=2", "--class_weights=[1, 3]"])
    assert build.weigh_training_classes(config, ()) is None and not list(config.notes())
    config = load(["--class_num=2", "--class_weights=[1, 3]", "--class_weight_power=0.5"])
    assert "class_weight_power has no effect where class_weights is set" in " ".join(config.notes())
