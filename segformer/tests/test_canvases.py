"""The size of the network's input: worked by hand, and beside mmcv's own steps."""

import gc
import weakref

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from segformer.src import build
from segformer.src.config import load
from segformer.src.dataset import find_pairs
from segformer.src.labels.classes import CITYSCAPES_CLASS_NAMES
from segformer.src.results.canvases import FixedCanvas, PictureCanvas
from segformer.src.results.compiled_sizes import CompiledSizes
from segformer.src.results.evaluation import SegmentationEvaluator
from segformer.src.results.inference import Predictor, in_order_of_canvas
from segformer.tests.tiny_checkpoint import TINY_NETWORK
from segformer.tests.tiny_city import draw_pair, image_path, label_path, write_png
from utils.image_files import evenly_spread
from utils.images import read_image
from utils.tests.replayed_workers import run_workers

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
SIZES = ((48, 96), (96, 48), (64, 64), (48, 96), (64, 80), (96, 48), (64, 64))


class Channels:
    """Answers with the picture's own channels as logits; records the shapes that it is given."""

    def __init__(self):
        self.shapes = []

    def __call__(self, images):
        self.shapes.append(images.shape)
        return images


def _image(height, width):
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("canvas", "size", "expected"),
    [
        (PictureCanvas((2048, 512), 1), (480, 640), (512, 683)),  # 512 / 480 = 1.0667, times 640 = 682.7
        (PictureCanvas((2048, 512), 32), (480, 640), (512, 704)),
        (PictureCanvas((2048, 512), 32), (640, 480), (704, 512)),
        (PictureCanvas((2048, 512), 32), (100, 1000), (224, 2048)),  # 2048 / 1000 = 2.048: 205 rows
        (PictureCanvas((512, 512), 1, keeps_ratio=False), (480, 640), (512, 512)),
        (PictureCanvas((512, 256), 1, keeps_ratio=False), (640, 480), (512, 256)),
        (PictureCanvas((64, 64), 1), (10, 640), (32, 64)),  # one row, enlarged to what the network needs
        (PictureCanvas(None, 32), (75, 640), (96, 640)),
        (FixedCanvas((512, 1024)), (480, 640), (512, 1024)),
        (FixedCanvas((512, 1024)), (640, 480), (1024, 512)),
        (FixedCanvas(), (480, 640), (480, 640)),
    ],
)
def test_the_size_of_the_input(canvas, size, expected):
    assert canvas.input_size(size) == expected


def test_scales_multiply_the_sides_as_in_mmsegmentation():
    """int(512 * 1.25) = 640 for the short side, 640 / 480 * 640 = 853.3 for the long one."""
    assert PictureCanvas((2048, 512), 1).input_size((480, 640), 1.25) == (640, 853)
    assert PictureCanvas((2048, 512), 32).input_size((480, 640), 1.25) == (640, 864)


@pytest.mark.parametrize("divisor", [1, 32])
def test_pixels_are_those_of_resize_and_resize_to_multiple(divisor):
    mmcv = pytest.importorskip("mmcv")
    image = _image(75, 101)
    expected = mmcv.imrescale(image, (192, 96))
    expected = mmcv.imresize_to_multiple(expected, divisor, scale_factor=1) if divisor > 1 else expected
    np.testing.assert_array_equal(PictureCanvas((192, 96), divisor).view(image), expected)


@pytest.mark.parametrize("size", [(40, 50), (50, 40), (33, 99), (64, 64)])
def test_a_canvas_that_follows_the_picture_is_never_padded(size):
    """The network sees no pixel of the colour of padding, which is 0 where the mean is 0."""
    seen = []

    def record(images):
        seen.append(images)
        return images

    predictor = Predictor(record, canvas=PictureCanvas((96, 48), 32), **PLAIN)
    assert predictor.predict(np.full((*size, 3), 200, np.uint8)).shape == size
    assert all(side % 32 == 0 for side in seen[0].shape[2:])
    assert (seen[0] == 200).all()


def test_windows_over_a_smaller_picture_are_not_padded():
    """Of 64 x 80 within 100 x 100, which is 80 x 100: windows of 96 x 96 become 80 x 96, the second ends at 100."""
    network = Channels()
    canvas = PictureCanvas((100, 100), 1)
    predictor = Predictor(network, canvas=canvas, mode="slide", slide_crop=(96, 96), slide_stride=(64, 64), **PLAIN)
    predictor.predict(_image(64, 80))
    assert network.shapes == [(1, 3, 80, 96)] * 2
    assert predictor.sizes_for((64, 80)) == ((80, 96),)


def test_how_it_predicts_is_said():
    canvas = PictureCanvas((2048, 512), 32)
    assert Predictor(Channels(), canvas=canvas, **PLAIN).describe() == (
        "whole image within 2048x512, rounded up to multiples of 32"
    )
    slide = Predictor(Channels(), canvas=PictureCanvas((2048, 1024), 1), mode="slide", **PLAIN)
    assert slide.describe() == "sliding window 1024x1024, step 768x768, over the image within 2048x1024"
    square = Predictor(Channels(), canvas=PictureCanvas((512, 512), 1, keeps_ratio=False), **PLAIN)
    assert square.describe() == "whole image stretched to 512x512"


class Times(nn.Cell):
    """Multiplies with a weight; counts how often MindSpore reads its construct, which is once for each compilation."""

    def __init__(self):
        super().__init__()
        self.weight = ms.Parameter(ms.Tensor([2.0], ms.float32), name="weight")

    def construct(self, images):
        return images * self.weight


def test_at_most_so_many_sizes_are_held_and_what_is_given_up_is_freed():
    ms.set_context(mode=ms.GRAPH_MODE)
    network = Times()
    networks = CompiledSizes(network, limit=2)
    images = [np.ones((1, 3, side, 8), np.float32) for side in (4, 5, 6)]
    np.testing.assert_array_equal(networks(images[0]), images[0] * 2)
    first = weakref.ref(networks._held[images[0].shape])
    networks(images[1])
    networks(images[0])  # the second is now the one that was not used for longest
    networks(images[2])
    assert list(networks._held) == [images[0].shape, images[2].shape]
    assert first() is not None
    networks(images[1])
    gc.collect()
    assert first() is None
    network.weight.set_data(ms.Tensor([3.0], ms.float32))  # as training does between two evaluations
    np.testing.assert_array_equal(networks(images[1]), images[1] * 3)
    assert [parameter.name for parameter in network.get_parameters()] == ["weight"]


def test_a_training_network_is_put_into_evaluation():
    network = Times().set_train(True)
    CompiledSizes(network, limit=1)(np.ones((1, 3, 4, 4), np.float32))
    assert not network.training


def _write_sizes(root):
    """Writes seven pictures of four sizes, whose labels have as many classes as `Channels` answers for."""
    for index, size in enumerate(SIZES):
        image, label = draw_pair(*size, seed=index, num_classes=3)
        write_png(image_path(root, "val", index), image)
        write_png(label_path(root, "val", index), label)
    return find_pairs(root, "val")


def _evaluator(pairs, workers=None):
    predictor = Predictor(Channels(), canvas=PictureCanvas((96, 96), 32), **PLAIN)
    more = {"workers": workers} if workers else {}
    return SegmentationEvaluator(predictor, pairs, CITYSCAPES_CLASS_NAMES[:3], **more)


def test_pictures_of_one_size_follow_each_other_and_those_evenly_spread_are_drawn(tmp_path):
    pairs = _write_sizes(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    evaluator = _evaluator([])
    paths = [tmp_path / "broken.png", *(pair.image for pair in pairs)]
    order = in_order_of_canvas(evaluator.predictor, paths, lambda path: path)
    shapes = [read_image(path).shape[:2] for path in order[:-1]]
    assert shapes[:2] == [(48, 96)] * 2  # 64 x 96
    assert shapes[2:4] == [(96, 48)] * 2  # 96 x 64
    assert set(shapes[4:]) == {(64, 64), (64, 80)}  # both 96 x 96
    assert order[-1] == paths[0]
    assert in_order_of_canvas(Predictor(Channels(), **PLAIN), paths, lambda path: path) == paths
    pictures = _evaluator(pairs).evaluate(num_pictures=3).pictures
    assert [name for name, _ in pictures] == [
        f"{n:03d}_{pair.image.stem}.jpg" for n, pair in enumerate(evenly_spread(pairs, 3))
    ]


def test_workers_split_by_canvas_and_get_the_numbers_of_one(tmp_path):
    pairs = _write_sizes(tmp_path)
    alone = _evaluator(pairs).evaluate()

    def work(workers):
        evaluator = _evaluator(pairs, workers)
        return evaluator.evaluate(), set(evaluator.predictor.input_sizes)

    evaluations, sizes = zip(*run_workers(3, work), strict=True)
    for evaluation in evaluations:
        np.testing.assert_array_equal(evaluation.matrix.counts, alone.matrix.counts)
        assert (evaluation.num_images, evaluation.num_input_sizes) == (7, alone.num_input_sizes)
    assert alone.num_input_sizes == 3
    assert sum(map(len, sizes)) <= 5  # 9 where each worker saw every size


def test_the_canvas_of_the_keys():
    assert build.build_canvas(load([])) == FixedCanvas((512, 1024))
    assert build.build_canvas(load(["--eval_mode=slide"])) == FixedCanvas(None)
    assert build.build_canvas(load(["--canvas=picture"])) == PictureCanvas((1024, 512), 32)
    assert build.build_canvas(load(["--canvas=picture", "--eval_mode=slide"])) == PictureCanvas(None, 32)
    keys = ["--canvas=picture", "--canvas_sides=[2048,512]", "--size_divisor=1", "--canvas_keep_ratio=False"]
    assert build.build_canvas(load(keys)) == PictureCanvas((2048, 512), 1, keeps_ratio=False)


@pytest.mark.long_run
def test_a_network_finds_the_same_however_few_sizes_are_held(tmp_path):
    """The suite's own network, random; sides that are no multiples of 32 among the sizes."""
    ms.set_context(mode=ms.GRAPH_MODE)
    pairs = _write_sizes(tmp_path)
    keys = [*TINY_NETWORK, "--class_num=3", "--canvas=picture", "--base_size=[72,72]", "--size_divisor=1"]
    config = load(keys)
    network = build.build_network(config)
    limited = [config.model_copy(update={"max_canvases": limit}) for limit in (1, 12)]
    found = [build.build_evaluator(each, build.build_predictor(each, network), pairs).evaluate() for each in limited]
    np.testing.assert_array_equal(found[0].matrix.counts, found[1].matrix.counts)
    assert [each.num_input_sizes for each in found] == [4, 4]  # 36 x 72, 72 x 36, 72 x 72 and 58 x 72


def test_ascend_keeps_one_size_unless_canvases_are_asked_for(monkeypatch, tmp_path):
    """There each size is compiled for minutes."""
    file = tmp_path / "own.yaml"
    file.write_text("canvas: picture\n")
    assert isinstance(build.build_canvas(load([f"--config_path={file}"])), PictureCanvas)
    monkeypatch.setattr(ms, "get_context", lambda _: "Ascend")
    assert isinstance(build.build_canvas(load([f"--config_path={file}"])), FixedCanvas)
    assert isinstance(build.build_canvas(load([f"--config_path={file}", "--canvas=picture"])), PictureCanvas)
