"""What a detector takes: sizes, scales and padding by hand, and the batches of a tiny evaluation split."""

import numpy as np
import pytest

from utils.canvas import CanvasRule
from utils.detection.canvases.plan import CanvasBatch, plan_batches
from utils.detection.evaluated.batches import evaluation_batches
from utils.detection.evaluated.record_images import RecordImages
from utils.detection.inputs import (
    InputSettings,
    fit_image,
    resize_to_input,
)
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import open_coco

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
INPUTS = InputSettings(128, 128, MEAN, STD)


@pytest.fixture()
def records(tmp_path):
    root = write_coco(tmp_path / "coco data")
    return open_coco(root).records


def test_fit_image_scales_and_pads_with_the_mean():
    """64 x 32 into 128 x 128: scale 2, the right half is zero after normalisation."""
    image, scales = fit_image(np.full((64, 32, 3), 255, np.uint8), INPUTS)
    assert scales == (2.0, 2.0)
    np.testing.assert_allclose(image[0, 0, 0], (255 - 123.675) / 58.395, rtol=1e-6)
    assert not image[:, :, 64:].any()


def test_without_keep_ratio_the_image_fills_the_input():
    """64 x 32 into 128 x 96: twice as high, three times as wide."""
    image, scales = resize_to_input(np.full((64, 32, 3), 255, np.uint8), InputSettings(128, 96, MEAN, STD, False))
    assert image.shape == (128, 96, 3)
    assert scales == (2.0, 3.0)


@pytest.mark.parametrize("keep_ratio", [True, False])
def test_one_pixel_fits(keep_ratio):
    image, scales = resize_to_input(np.zeros((1, 1, 3), np.uint8), InputSettings(64, 64, MEAN, STD, keep_ratio))
    assert image.shape == (64, 64, 3)
    assert scales == (64.0, 64.0)


@pytest.mark.parametrize(
    ("size", "content"), [((101, 512), (252, 1280)), ((103, 512), (258, 1280)), ((1, 9600), (1, 1280))]
)
def test_the_scales_are_those_that_rounding_left(size, content):
    """Into 768 x 1280: 252.5 and 257.5 rows become even numbers, 0.13 rows become one."""
    image, scales = resize_to_input(np.zeros((*size, 3), np.uint8), InputSettings(768, 1280, MEAN, STD))
    assert image.shape[:2] == content
    assert scales == (content[0] / size[0], content[1] / size[1])


def test_evaluation_reads_every_image_once_with_a_full_last_batch(records):
    batches = list(evaluation_batches(RecordImages(records), INPUTS, plan_batches([(128, 128)] * 6, 4), 1))
    assert [batch.positions for batch in batches] == [(0, 1, 2, 3), (4, 5)]
    assert [batch.image_ids for batch in batches] == [(100, 101, 102, 103), (104, 105)]
    assert batches[1].images.shape == (4, 3, 128, 128)
    assert batches[1].sizes == ((96, 128), (96, 128))
    assert batches[1].scales == ((1.0, 1.0), (1.0, 1.0))


def test_stretched_inputs_say_both_scales(records):
    """96 x 128 into 192 x 64: twice as high, half as wide."""
    inputs = InputSettings(192, 64, MEAN, STD, False)
    batch = next(evaluation_batches(RecordImages(records), inputs, [CanvasBatch((192, 64), (0, 1), 2)], 1))
    assert batch.images.shape == (2, 3, 192, 64)
    assert batch.scales == ((2.0, 0.5), (2.0, 0.5))


@pytest.mark.parametrize("lies", [True, False])
def test_a_picture_chooses_its_canvas_and_has_a_scale_for_each_side(lies):
    """101 x 60 within 90 x 64: 90/101 is less than 64/60, so 90 x 53 (53.47), on 96 x 64 for multiples of 32."""
    inputs = InputSettings(256, 256, MEAN, STD, rule=CanvasRule((90, 64), 32))
    size, content, canvas = (101, 60), (90, 53), (96, 64)
    if lies:
        size, content, canvas = size[::-1], content[::-1], canvas[::-1]
    image, scales = fit_image(np.full((*size, 3), 255, np.uint8), inputs)
    assert image.shape == (3, *canvas)
    assert inputs.canvas(size) == canvas
    assert scales == (content[0] / size[0], content[1] / size[1])
    assert scales[0] != scales[1]
    seen = np.zeros(canvas, bool)
    seen[: content[0], : content[1]] = True
    np.testing.assert_array_equal(image[0] != 0, seen)


def test_a_canvas_that_just_fits_gives_what_the_fixed_input_gives():
    """48 x 96 doubled is 96 x 192, both ways."""
    image = np.random.default_rng(0).integers(0, 255, (48, 96, 3), np.uint8)
    fixed, scales = fit_image(image, InputSettings(96, 192, MEAN, STD))
    own, own_scales = fit_image(image, InputSettings(1, 1, MEAN, STD, rule=CanvasRule((192, 96), 32)))
    np.testing.assert_array_equal(own, fixed)
    assert own_scales == scales == (2.0, 2.0)


def test_the_sizes_of_a_split_come_in_the_order_of_its_images(records):
    assert RecordImages(records).sizes(1) == [(96, 128)] * 6
