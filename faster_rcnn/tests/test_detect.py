"""What the network is told about its inputs, and what of its slots are detections."""

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from faster_rcnn.src.detect import detections_of, image_metas
from utils.detection.detections import DetectionClock
from utils.detection.network_detector import NetworkDetector


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


def test_empty_slots_and_images_that_nobody_asks_for_are_left_out():
    """The first image has one detection, the second has none; the third only fills the batch up."""
    detector, clock = NetworkDetector(_Echo(), detections_of, image_metas), DetectionClock(skip_first=False)
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
        NetworkDetector(_Echo(), detections_of, image_metas).detect(
            images_with(0.5), scales=(), sizes=(), clock=DetectionClock()
        )
        == []
    )
