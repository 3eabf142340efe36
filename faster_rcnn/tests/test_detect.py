"""What the network is told about its inputs, and what of its slots are detections."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from faster_rcnn.src.detect import detections_of, image_metas
from faster_rcnn.src.network_define import content_sizes
from utils.detection.detections import DetectionClock
from utils.detection.inputs import InputSettings, resize_to_input
from utils.detection.network_detector import NetworkDetector
from utils.engines.cell_network import CellNetwork
from utils.exporting.description import Preprocessing


class _Echo(nn.Cell):
    """Returns the metas of an image as its first box, scored by its first pixel; a second slot is empty."""

    def construct(self, images, image_metas):
        count = images.shape[0]
        boxes = ops.stack((image_metas, ops.zeros((count, 4), ms.float32)), 1)
        first = images[:, 0, 0, :1]
        scores = ops.concat((first, ops.zeros((count, 1), ms.float32)), 1)
        return boxes, scores, ops.ones((count, 2), ms.int32)


def images_with(*scores):
    images = np.zeros((len(scores), 3, 32, 64), np.float32)
    images[:, 0, 0, 0] = scores
    return images


def test_metas_by_hand():
    """Two originals in a batch of three inputs of 32 x 64: the third row says that the input is the original."""
    metas = image_metas(images_with(0, 0, 0), [(0.5, 0.25), (2, 2)], [(60, 240), (16, 30)])
    assert metas.dtype == np.float32
    assert metas.tolist() == [[60, 240, 0.5, 0.25], [16, 30, 2, 2], [32, 64, 1, 1]]


def test_metas_without_an_image_to_ask_for():
    assert image_metas(images_with(0), (), ()).tolist() == [[32, 64, 1, 1]]


@pytest.mark.parametrize(("height", "width"), [(768, 1280), (800, 1333), (128, 128)])
@pytest.mark.parametrize("keep_ratio", [True, False])
def test_the_network_knows_how_many_rows_and_columns_a_picture_has_become(height, width, keep_ratio, monkeypatch):
    """Every picture of up to 130 rows and 512 columns, whose halves are many, and 4000 of other sizes."""
    monkeypatch.setattr("cv2.resize", lambda _, size, interpolation: np.broadcast_to(pixel, (size[1], size[0], 3)))
    draws = np.random.default_rng(0)
    sizes = [(101, 512), *((rows, 512) for rows in range(1, 131)), *map(tuple, draws.integers(1, 9000, (4000, 2)))]
    inputs = InputSettings(height, width, (0, 0, 0), (1, 1, 1), keep_ratio)
    rule = Preprocessing("RGB", "keep_ratio" if keep_ratio else "stretch", height, width, (0,), (1,), "bottom_right")
    pixel = np.zeros((1, 1, 3), np.uint8)
    resized = [resize_to_input(np.broadcast_to(pixel, (*map(int, size), 3)), inputs) for size in sizes]
    contents = [image.shape[:2] for image, _ in resized]
    assert contents == [rule.resized_size(*map(int, size)) for size in sizes]
    metas = image_metas(np.zeros((len(sizes), 3, 1, 1), np.float32), [scales for _, scales in resized], sizes)
    np.testing.assert_array_equal(content_sizes(ms.Tensor(metas)).asnumpy(), contents)


def test_empty_slots_and_images_that_nobody_asks_for_are_left_out():
    """The first image has one detection, the second has none; the third only fills the batch up."""
    detector, clock = NetworkDetector(CellNetwork(_Echo()), detections_of, image_metas), DetectionClock()
    detector.begin()
    found = detector.detect(
        images_with(0.75, 0, 0.9), scales=[(0.5, 0.5), (1, 1)], sizes=[(60, 100), (32, 64)], clock=clock
    )
    assert [len(one.scores) for one in found] == [1, 0]
    assert found[0].boxes.tolist() == [[60, 100, 0.5, 0.5]]
    assert found[0].scores.tolist() == [0.75]
    assert found[0].labels.tolist() == [1]
    assert found[1].boxes.shape == (0, 4)
    assert clock.network > clock.selection > 0


def test_a_call_without_images_to_ask_for_compiles_and_finds_nothing():
    assert (
        NetworkDetector(CellNetwork(_Echo()), detections_of, image_metas).detect(
            images_with(0.5), scales=(), sizes=(), clock=DetectionClock()
        )
        == []
    )
