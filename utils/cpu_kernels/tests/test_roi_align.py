"""RoiAlign, by kernel and by MindSpore's operators, against a formulation in NumPy; values and gradients."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.choice import stock_operators
from utils.cpu_kernels.roi_align import STOCK_SAMPLING_RATIO, RoiAlign
from utils.cpu_kernels.tests.gradients import WithGradients
from utils.cpu_kernels.tests.roi_reference import roi_align, roi_align_gradient

HEIGHT, WIDTH, STRIDES = 64, 96, (4, 8, 16)
TOLERANCE = 2e-5  # of values near 1: coordinates of the atlas have float32's relative error of 6e-8 times 100 pixels


class Flat(nn.Cell):
    """RoiAlign over levels that are given one by one, as an exported network has its inputs."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def construct(self, rois, level, *features):
        return self.cell(features, rois, level)


def random_features(images=2, channels=19, strides=STRIDES):
    generator = np.random.default_rng(1)
    return [generator.standard_normal((images, channels, HEIGHT // s, WIDTH // s)).astype(np.float32) for s in strides]


def random_rois(images=2, count=12):
    """Returns float32[images, count, 4] within the input: of any place, size and shape, and the difficult ones."""
    generator = np.random.default_rng(2)
    corners = generator.uniform(0, [WIDTH, HEIGHT], (images, count, 2, 2))
    rois = np.concatenate([corners.min(2), corners.max(2)], axis=2).astype(np.float32)
    rois[:, 0] = (0, 0, WIDTH, HEIGHT)  # huge, touching every border
    rois[:, 1] = (30.1, 20.2, 30.6, 20.5)  # tiny
    rois[:, 2] = (WIDTH - 3.3, HEIGHT - 2.1, WIDTH, HEIGHT)  # in the last corner
    rois[:, 3] = (0, 0, 2.2, 3.3)  # in the first corner, samples before the first pixel
    rois[:, 4] = (0, 31.1, WIDTH, 32.2)  # flat
    return rois


def pooled_and_gradients(cell, features, rois, level, factor, repeats=1):
    """Returns the result and the gradients of the features; the last of several times, which have to give one."""
    function = WithGradients(Flat(cell))
    runs = [function(factor, rois, level, *features) for _ in range(repeats)]
    assert all(np.array_equal(*pair) for run in runs for pair in zip(run, runs[0], strict=True))
    pooled, of_rois, *of_features = runs[-1]
    assert not of_rois.any()
    return pooled, of_features


def check(choice, features, rois, level, strides, bins, ratio):
    with choice():
        cell = RoiAlign(strides, bins, ratio)
    factor = np.random.default_rng(3).standard_normal((level.size, features[0].shape[1], bins, bins)).astype(np.float32)
    pooled, gradients = pooled_and_gradients(cell, features, rois, level, factor)
    ratio = ratio if cell.kernel is not None else ratio or STOCK_SAMPLING_RATIO
    expected, weights = roi_align(features, rois, level, strides, bins, ratio)
    np.testing.assert_allclose(pooled, expected, atol=TOLERANCE)
    for gradient, reference in zip(gradients, roi_align_gradient(features, weights, factor), strict=True):
        np.testing.assert_allclose(gradient, reference, atol=TOLERANCE * max(1, np.abs(reference).max()))


@pytest.mark.parametrize(("bins", "ratio"), [(7, 0), (7, 2), (3, 1)])
def test_values_and_gradients_are_those_of_the_formula(choice, bins, ratio):
    rois = random_rois()
    level = np.random.default_rng(4).integers(0, len(STRIDES), rois.shape[:2]).astype(np.int32)
    check(choice, random_features(), rois, level, STRIDES, bins, ratio)


def test_one_level_will_do(choice):
    rois = random_rois(1)
    check(choice, random_features(1, 2, (8,)), rois, np.zeros(rois.shape[:2], np.int32), (8,), 7, 2)


def test_levels_of_any_size_fit_together(choice):
    """Neither halved from level to level nor the widest first."""
    generator = np.random.default_rng(5)
    features = [generator.standard_normal((1, 2, *size)).astype(np.float32) for size in ((3, 5), (1, 1), (9, 20))]
    rois = np.array([[[1, 1, 4.5, 2.2], [0, 0, 1, 1], [2, 1, 17.7, 8.1], [0, 0, 20, 9]]], np.float32)
    check(choice, features, rois, np.array([[0, 1, 2, 2]], np.int32), (1, 1, 1), 2, 2)


def test_a_region_of_whole_pixels_is_those_pixels(choice):
    """Pixel x covers [8 x, 8 x + 8) of the input and has its centre at 8 x + 4: one sample in the middle is it."""
    feature = np.arange(8 * 12, dtype=np.float32).reshape(1, 1, 8, 12)
    with choice():
        cell = RoiAlign((8,), 2, 1)
    rois = ms.Tensor(np.array([[[16, 24, 32, 40]]], np.float32))
    pooled = cell((ms.Tensor(feature),), rois, ms.Tensor(np.zeros((1, 1), np.int32))).asnumpy()
    np.testing.assert_allclose(pooled[0, 0], feature[0, 0, 3:5, 2:4], atol=1e-4)


def test_samples_up_to_a_pixel_outside_take_the_border_and_others_are_0(choice):
    """Of 8 samples along x from -2.75 to 4.25 on a map of width 3, those at -0.75 to 2.25 count: (0+0+1/4+5/4+2)/8."""
    feature = np.tile(np.array([0, 1, 2], np.float32), (1, 1, 3, 1))
    with choice():
        cell = RoiAlign((1,), 1, 8)
    rois = np.array([[[-2.75, 1, 5.25, 2]]], np.float32)
    samples = np.arange(8) - 2.75
    expected = np.where((samples >= -1) & (samples <= 3), np.clip(samples, 0, 2), 0).mean()
    pooled, _ = roi_align([feature], rois, [[0]], (1,), 1, 8)
    assert pooled.item() == pytest.approx(expected)
    if cell.kernel is not None:  # the atlas has one border pixel, and other things beside it
        own = cell((ms.Tensor(feature),), ms.Tensor(rois), ms.Tensor(np.zeros((1, 1), np.int32))).asnumpy()
        assert own.item() == pytest.approx(expected)


def test_an_adaptive_grid_differs_from_the_two_samples_of_stock_operators_by_less_than_the_map_varies():
    """A bin lies within the map's values under it whichever samples are taken: both means are convex."""
    features, rois = random_features(1, 3, (4,)), random_rois(1)
    level = np.zeros(rois.shape[:2], np.int32)
    with stock_operators():
        stock = RoiAlign((4,), 7, 0)
    own = stock((ms.Tensor(features[0]),), ms.Tensor(rois), ms.Tensor(level)).asnumpy()
    adaptive, _ = roi_align(features, rois, level, (4,), 7, 0)
    for region, (x1, y1, x2, y2) in enumerate(rois[0] / 4 - 0.5):
        rows = slice(max(0, int(np.floor(y1))), int(np.ceil(y2)) + 1)
        columns = slice(max(0, int(np.floor(x1))), int(np.ceil(x2)) + 1)
        under = features[0][0][:, rows, columns]
        spread = under.max((1, 2)) - under.min((1, 2))
        assert (np.abs(own[region] - adaptive[region]).max((1, 2)) <= spread + TOLERANCE).all()


def test_an_empty_slot_is_finite_and_without_weight_where_nothing_comes_back(choice):
    features, rois = random_features(1, 2, (4,)), np.zeros((1, 2, 4), np.float32)
    rois[0, 1] = (5, 6, 40, 30)
    with choice():
        cell = RoiAlign((4,), 7, 0)
    factor = np.ones((2, 2, 7, 7), np.float32)
    factor[0] = 0
    pooled, gradients = pooled_and_gradients(cell, features, rois, np.zeros((1, 2), np.int32), factor)
    alone, weights = roi_align(features, rois, [[0, 0]], (4,), 7, 0 if cell.kernel is not None else 2)
    assert np.isfinite(pooled).all()
    np.testing.assert_allclose(gradients[0], roi_align_gradient(features, weights, factor)[0], atol=TOLERANCE)


def test_the_gradient_is_the_slope(choice):
    """Central differences of a linear function are exact but for rounding."""
    features, rois = random_features(1, 2, (4, 8)), random_rois(1)
    level = (np.arange(rois.shape[1]) % 2).astype(np.int32)[None]
    with choice():
        cell = RoiAlign((4, 8), 7, 2)
    factor = np.random.default_rng(6).standard_normal((level.size, 2, 7, 7)).astype(np.float32)
    _, gradients = pooled_and_gradients(cell, features, rois, level, factor)
    direction = [np.random.default_rng(7).standard_normal(feature.shape).astype(np.float32) for feature in features]

    def value(step):
        moved = tuple(
            ms.Tensor(feature + np.float32(step) * way) for feature, way in zip(features, direction, strict=True)
        )
        return (cell(moved, ms.Tensor(rois), ms.Tensor(level)).asnumpy().astype(np.float64) * factor).sum()

    slope = value(0.5) - value(-0.5)
    expected = sum((gradient * way).sum() for gradient, way in zip(gradients, direction, strict=True))
    assert slope == pytest.approx(expected, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_a_region_that_is_no_region_neither_hangs_nor_crashes(kernels, value):
    features = random_features(1, 2, (4,))
    rois = np.array([[[value] * 4, [0, 0, value, 5], [value, 5, 7, 9], [9, 9, 3, 3]]], np.float32)
    factor = np.ones((4, 2, 7, 7), np.float32)
    for ratio in (0, 2):
        pooled, _ = pooled_and_gradients(RoiAlign((4,), 7, ratio), features, rois, np.zeros((1, 4), np.int32), factor)
        assert pooled.shape == (4, 2, 7, 7)


def test_a_region_on_no_level_is_0_and_moves_nothing(kernels):
    features = random_features(1, 2, (4,))
    rois = random_rois(1, 6)
    pooled, gradients = pooled_and_gradients(
        RoiAlign((4,), 7, 2),
        features,
        rois,
        np.array([[-1, 1, 7, -9, 1, 1]], np.int32),
        np.ones((6, 2, 7, 7), np.float32),
    )
    assert not pooled.any()
    assert not gradients[0].any()


def test_repetition_gives_the_same_bits(choice):
    features, rois = random_features(2, 20), random_rois(2, 20)
    level = np.random.default_rng(8).integers(0, len(STRIDES), rois.shape[:2]).astype(np.int32)
    with choice():
        cell = RoiAlign(STRIDES, 7, 0)
    factor = np.random.default_rng(9).standard_normal((level.size, 20, 7, 7)).astype(np.float32)
    pooled_and_gradients(cell, features, rois, level, factor, repeats=5)


def test_an_image_is_pooled_alike_whatever_the_others_are(choice):
    features, rois = random_features(2), random_rois(2)
    level = np.random.default_rng(4).integers(0, len(STRIDES), rois.shape[:2]).astype(np.int32)
    with choice():
        cell = RoiAlign(STRIDES, 7, 0)
    whole = cell(tuple(map(ms.Tensor, features)), ms.Tensor(rois), ms.Tensor(level)).asnumpy()
    alone = cell(tuple(ms.Tensor(f[1:]) for f in features), ms.Tensor(rois[1:]), ms.Tensor(level[1:])).asnumpy()
    assert np.array_equal(whole[len(alone) :], alone)


@pytest.fixture
def exported():
    """A cell of stock operators that is to be exported, its inputs and its result."""
    features, rois = random_features(2, 3), random_rois(2)
    rois[:, 2] = rois[:, 5]  # lengthened, it would leave the map
    level = np.random.default_rng(4).integers(0, len(STRIDES), rois.shape[:2]).astype(np.int32)
    with stock_operators():
        cell = Flat(RoiAlign(STRIDES, 7, 2))
    cell.set_train(False)
    inputs = (rois, level, *features)
    return cell, inputs, cell(*map(ms.Tensor, inputs)).asnumpy()


def test_the_stock_version_goes_into_mindir(exported, tmp_path):
    cell, inputs, expected = exported
    ms.export(cell, *map(ms.Tensor, inputs), file_name=str(tmp_path / "roi"), file_format="MINDIR")
    loaded = nn.GraphCell(ms.load(str(tmp_path / "roi.mindir")))
    assert np.array_equal(loaded(*map(ms.Tensor, inputs)).asnumpy(), expected)


def test_in_onnx_sides_are_at_least_a_pixel_of_their_level(exported, tmp_path):
    """That is how its operator is defined up to version 15; longer sides give the same."""
    onnxruntime = pytest.importorskip("onnxruntime")
    cell, inputs, expected = exported
    ms.export(cell, *map(ms.Tensor, inputs), file_name=str(tmp_path / "roi"), file_format="ONNX")
    session = onnxruntime.InferenceSession(str(tmp_path / "roi.onnx"))
    own = session.run(None, dict(zip([item.name for item in session.get_inputs()], inputs, strict=True)))[0]
    rois, level, *features = inputs
    lengthened, _ = roi_align(features, rois, level, STRIDES, 7, 2, shortest=1.0)
    np.testing.assert_allclose(own, lengthened, atol=TOLERANCE)
    sides = (rois[..., 2:] - rois[..., :2]).min(2) / np.take(STRIDES, level)
    assert (sides < 1).any()
    np.testing.assert_allclose(own[sides.ravel() >= 1], expected[sides.ravel() >= 1], atol=TOLERANCE)
