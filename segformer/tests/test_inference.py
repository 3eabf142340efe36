"""What the predictor feeds a network and makes of its answer, with networks whose answer is known."""

import numpy as np
import pytest

from segformer.src.results.canvases import FixedCanvas, turned_like
from segformer.src.results.inference import Predictor, window_corners
from segformer.src.results.planes import highest_plane, resize

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


class Channels:
    """Answers with the picture's own channels as logits, a quarter as large or as they are; records the sizes."""

    def __init__(self, reduction=1):
        self.reduction = reduction
        self.shapes = []

    def __call__(self, images):
        self.shapes.append(images.shape)
        return images[:, :, :: self.reduction, :: self.reduction]


def _image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _smooth(height, width):
    """A picture whose channels are ramps, so that resizing keeps which one is highest."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [rows * 255 // height, columns * 255 // width, np.full((height, width), 100)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def test_windows_of_a_cityscapes_image_worked_by_hand():
    assert window_corners((1024, 2048), (1024, 1024), (768, 768)) == [(0, 0), (0, 768), (0, 1024)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((5, 4), [(0, 0), (1, 0)]),
        ((4, 4), [(0, 0)]),
        ((2, 3), [(0, 0)]),
        ((4, 8), [(0, 0), (0, 2), (0, 4)]),
        ((4, 7), [(0, 0), (0, 2), (0, 3)]),
    ],
)
def test_windows_of_four_with_a_step_of_two(size, expected):
    assert window_corners(size, (4, 4), (2, 2)) == expected


@pytest.mark.parametrize("seed", range(20))
def test_windows_cover_every_pixel_and_stay_inside(seed):
    rng = np.random.default_rng(seed)
    size, crop = rng.integers(1, 40, 2), rng.integers(1, 20, 2)
    stride = [int(rng.integers(1, side + 1)) for side in crop]
    covered = np.zeros(size, int)
    for top, left in window_corners(tuple(size), tuple(crop), stride):
        assert top + crop[0] <= max(size[0], crop[0])
        assert left + crop[1] <= max(size[1], crop[1])
        covered[top : top + crop[0], left : left + crop[1]] += 1
    assert covered.min() >= 1


def test_the_highest_plane_is_argmax_and_the_first_of_equal_ones():
    planes = np.random.default_rng(1).integers(0, 4, (19, 30, 40)).astype(np.float32)
    found = highest_plane(iter(planes))
    np.testing.assert_array_equal(found, planes.argmax(axis=0))
    assert found.dtype == np.uint8


def test_resizing_is_the_one_of_pytorch():
    torch = pytest.importorskip("torch")
    plane = np.random.default_rng(2).standard_normal((13, 17)).astype(np.float32)
    for size in ((50, 61), (26, 17), (7, 9)):
        wanted = torch.nn.functional.interpolate(torch.tensor(plane)[None, None], size, mode="bilinear")[0, 0].numpy()
        np.testing.assert_allclose(resize(plane, size), wanted, atol=1e-5)


def test_the_whole_image_at_its_own_size_is_the_networks_answer():
    image = _image(40, 50)
    predictor = Predictor(Channels(), **PLAIN)
    np.testing.assert_array_equal(predictor.predict(image), image.argmax(axis=2))


@pytest.mark.parametrize("size", [(64, 128), (32, 64), (100, 50), (77, 91), (1, 1), (300, 40)])
def test_the_prediction_has_the_size_of_the_image_and_the_network_sees_base_size(size):
    network = Channels(reduction=4)
    predictor = Predictor(network, canvas=FixedCanvas((64, 128)), **PLAIN)
    assert predictor.predict(_image(*size)).shape == size
    assert network.shapes == [(1, 3, 128, 64) if size[0] > size[1] else (1, 3, 64, 128)]


def test_logits_are_enlarged_to_the_input_and_then_to_the_image():
    image = _smooth(96, 160)
    predictor = Predictor(Channels(reduction=4), canvas=FixedCanvas((64, 128)), **PLAIN)
    agree = predictor.predict(image) == image.argmax(axis=2)
    assert agree.mean() > 0.9  # the ramps are taken at corners of 4x4 blocks: borders between classes move by 2 pixels
    assert not agree.all()


def test_base_size_is_turned_with_the_image():
    assert turned_like((512, 1024), (1000, 600)) == (1024, 512)
    assert turned_like((512, 1024), (600, 1000)) == (512, 1024)
    assert turned_like((1024, 512), (600, 1000)) == (512, 1024)
    assert turned_like((512, 512), (600, 1000)) == (512, 512)
    assert turned_like((512, 1024), (600, 600)) == (512, 1024)


def test_images_of_many_sizes_need_two_input_sizes():
    predictor = Predictor(Channels(4), canvas=FixedCanvas((64, 128)), **PLAIN)
    for number in range(10):
        predictor.predict(_image(30 + 7 * number, 90))
    assert predictor.input_sizes == {(64, 128), (128, 64)}


def test_mean_and_std_are_applied_and_padding_is_the_mean():
    seen = []

    def record(images):
        seen.append(images)
        return images

    image = np.full((40, 40, 3), (10, 20, 30), np.uint8)
    Predictor(record, mean=(8.0, 20.0, 40.0), std=(2.0, 1.0, 5.0), canvas=FixedCanvas((40, 80))).predict(image)
    np.testing.assert_allclose(seen[0][0, :, :, :40], np.broadcast_to([[[1.0]], [[0.0]], [[-2.0]]], (3, 40, 40)))
    assert not seen[0][0, :, :, 40:].any()


def test_sliding_equals_whole_where_the_window_is_the_image():
    image = _image(48, 64)
    whole = Predictor(Channels(4), **PLAIN)
    slide = Predictor(Channels(4), mode="slide", slide_crop=(48, 64), slide_stride=(32, 32), **PLAIN)
    np.testing.assert_array_equal(slide.predict(image), whole.predict(image))
    np.testing.assert_array_equal(slide.probabilities(image), whole.probabilities(image))


def test_windows_overlap_as_a_mean():
    """The network answers with the number of the call, so that each pixel shows which windows cover it."""
    calls = []

    def count(images):
        calls.append(images.shape)
        planes = np.zeros((1, 2, 32, 32), np.float32)
        planes[0, 1] = len(calls)
        return planes

    predictor = Predictor(count, mode="slide", slide_crop=(32, 32), slide_stride=(16, 16), **PLAIN)
    probability = predictor.probabilities(_image(32, 64))[1, 0]
    logit = np.log(probability / (1 - probability))
    assert calls == [(1, 3, 32, 32)] * 3
    np.testing.assert_allclose(logit, np.repeat([1, 1.5, 2.5, 3], 16), rtol=1e-4)


def test_an_image_below_the_window_is_padded():
    network = Channels()
    image = _image(20, 50)
    predictor = Predictor(network, mode="slide", slide_crop=(40, 40), slide_stride=(30, 30), **PLAIN)
    np.testing.assert_array_equal(predictor.predict(image), image.argmax(axis=2))
    assert network.shapes == [(1, 3, 40, 40)] * 2


def test_the_mirror_image_changes_nothing_for_a_symmetric_network():
    image = _smooth(48, 64)
    plain, mirrored = Predictor(Channels(), **PLAIN), Predictor(Channels(), flip=True, **PLAIN)
    np.testing.assert_allclose(mirrored.probabilities(image), plain.probabilities(image), atol=1e-6)
    np.testing.assert_array_equal(mirrored.predict(image), plain.predict(image))


def test_the_mirror_image_is_averaged_as_probability():
    """The network prefers class 1 in the left half, whatever it sees: mirrored, in the right half."""

    def left(images):
        planes = np.zeros((1, 2, *images.shape[2:]), np.float32)
        planes[0, 1, :, : images.shape[3] // 2] = 3.0
        return planes

    sure, unsure = 1 / (1 + np.exp(-3)), 0.5
    probability = Predictor(left, flip=True, **PLAIN).probabilities(_image(32, 40))
    np.testing.assert_allclose(probability[1], (sure + unsure) / 2, rtol=1e-6)
    assert (Predictor(left, flip=True, **PLAIN).predict(_image(32, 40)) == 1).all()


@pytest.mark.parametrize("mode", ["whole", "slide"])
def test_scales_are_averaged_and_each_has_its_size(mode):
    network = Channels()
    predictor = Predictor(
        network,
        canvas=FixedCanvas((64, 128) if mode == "whole" else None),
        mode=mode,
        slide_crop=(64, 64),
        slide_stride=(64, 64),
        scales=(0.5, 1.0),
        flip=True,
        **PLAIN,
    )
    image = _smooth(64, 128)
    probabilities = predictor.probabilities(image)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    sizes = {(32, 64), (64, 128)} if mode == "whole" else {(64, 64)}
    assert predictor.input_sizes == sizes
    assert (predictor.predict(image) == image.argmax(axis=2)).mean() > 0.95


def test_how_it_predicts_is_said():
    assert Predictor(Channels(), canvas=FixedCanvas((512, 1024)), **PLAIN).describe() == "whole image in 512x1024"
    slide = Predictor(Channels(), mode="slide", flip=True, scales=(0.5, 1.0), **PLAIN)
    assert slide.describe() == "sliding window 1024x1024, step 768x768, scales 0.5, 1, with its mirror image"
