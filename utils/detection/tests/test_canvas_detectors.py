"""One network on canvases of several sizes: what is compiled when, what is let go, and whose weights count."""

import gc
import weakref

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.detection.canvases.detectors import CanvasDetectors
from utils.detection.detections import DetectionClock, Detections
from utils.detection.network_detector import NetworkDetector
from utils.engines.cell_network import CellNetwork

A, B, C = (2, 4), (4, 2), (4, 4)


class _Sum(nn.Cell):
    """Adds the first channel up and multiplies it by a weight that all canvases share, and by their own area."""

    def __init__(self, weight: ms.Parameter, area: int) -> None:
        super().__init__()
        self.weight, self.area = weight, ms.Tensor([area], ms.float32)

    def construct(self, images):
        return (images[:, 0].sum(axis=(1, 2)) * self.weight * self.area,)


class _Canvases:
    """Detectors that score an image by `_Sum`; `made` are weak references to their Cells, in their order."""

    def __init__(self, limit: int) -> None:
        self.weight, self.made = ms.Parameter(ms.Tensor([2.0], ms.float32), "weight"), []
        self.detectors = CanvasDetectors(self.make, limit)
        self.clock = DetectionClock()

    def make(self, canvas):
        cell = _Sum(self.weight, canvas[0] * canvas[1])
        self.made.append((canvas, weakref.ref(cell)))
        return NetworkDetector(CellNetwork(cell), self.select)

    @staticmethod
    def select(score, *, scales, height, width):
        del scales
        return Detections(np.zeros((1, 4), np.float32), np.float32([score]), np.int32([height * 100 + width]))

    def score(self, canvas, value=1.0, count=2):
        images = np.full((count, 3, *canvas), value, np.float32)
        found = self.detectors.detect(images, scales=[(1, 1)], sizes=[(7, 9)], clock=self.clock)
        assert len(found) == 1
        assert found[0].labels.tolist() == [709]
        return found[0].scores.tolist()

    @property
    def alive(self):
        gc.collect()
        return [canvas for canvas, cell in self.made if cell() is not None]


@pytest.fixture(autouse=True)
def _graphs():
    ms.set_context(mode=ms.GRAPH_MODE)


def test_every_canvas_has_its_own_constants_and_all_have_the_same_weights():
    """2 x 4 ones: 8 * 2 * 8; 4 x 4: 16 * 2 * 16. A weight that changes changes both, without compiling."""
    canvases = _Canvases(limit=3)
    assert (canvases.score(A), canvases.score(C)) == ([128.0], [512.0])
    canvases.weight.set_data(ms.Tensor([0.5], ms.float32))
    assert (canvases.score(A), canvases.score(C)) == ([32.0], [128.0])
    assert [canvas for canvas, _ in canvases.made] == [A, C]
    assert canvases.clock.num_compiled == 2
    assert canvases.clock.compilation > 0


def test_the_canvas_that_was_not_asked_for_the_longest_time_is_let_go():
    canvases = _Canvases(limit=2)
    for canvas in (A, B, A, C):
        canvases.score(canvas)
    assert list(canvases.detectors.canvases) == [A, C]
    assert canvases.alive == [A, C]
    assert canvases.score(B) == [128.0]
    assert canvases.alive == [C, B]
    assert [canvas for canvas, _ in canvases.made] == [A, B, C, B]


def test_one_canvas_is_compiled_once():
    canvases = _Canvases(limit=1)
    assert [canvases.score(A, value) for value in (1, 2, 3)] == [[128.0], [256.0], [384.0]]
    canvases.detectors.begin()
    assert canvases.score(A) == [128.0]
    assert canvases.clock.num_compiled == 1
