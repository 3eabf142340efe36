"""A network as evaluation and inference ask for it: a batch of inputs in, the detections of each image out.

Needs no MindSpore.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from utils.detection.detections import DetectionClock, Detections, Select
from utils.engines.network import Network

# From images, scales and sizes, as `detect` takes them, to other images of the same shape.
SecondView = Callable[[np.ndarray, Sequence[tuple[float, float]], Sequence[tuple[int, int]]], np.ndarray]


@dataclass(frozen=True, eq=False)
class NetworkDetector:
    """A `Detector` around a network.

    Attributes:
        network: images, and their `metas`, to outputs for each image; it may share its weights with a training network.
        select: makes the detections of an image of the network's outputs for it.
        metas: from images, scales and sizes, as `detect` takes them, to what the network takes beside the images, if
            anything.
        second_view: makes other images of the same objects, which the network is shown too; `select` takes the outputs
            for both.
    """

    network: Network
    select: Select
    metas: Callable[[np.ndarray, Sequence, Sequence], np.ndarray] | None = None
    second_view: SecondView | None = None

    def begin(self) -> None:
        """Gets the network ready to infer."""
        self.network.begin()

    def compile(self, images: np.ndarray) -> None:
        """Compiles the network for batches of the shape of `images`, float32[N, 3, H, W], without running it."""
        self.begin()
        self.network.compile(self._inputs(images, (), ()))

    def detect(
        self,
        images: np.ndarray,
        *,
        scales: Sequence[tuple[float, float]],
        sizes: Sequence[tuple[int, int]],
        clock: DetectionClock,
    ) -> list[Detections]:
        """Detects in a batch, as `Detector.detect` says."""
        start = time.perf_counter()
        views = (images,) if self.second_view is None else (images, self.second_view(images, scales, sizes))
        outputs = [output for view in views for output in self.network(self._inputs(view, scales, sizes))]
        middle = time.perf_counter()
        found = [
            self.select(*(output[row] for output in outputs), scales=scales[row], height=height, width=width)
            for row, (height, width) in enumerate(sizes)
        ]
        clock.add(middle - start, time.perf_counter() - middle)
        return found

    def _inputs(self, images: np.ndarray, scales: Sequence, sizes: Sequence) -> list[np.ndarray]:
        return [images] if self.metas is None else [images, self.metas(images, scales, sizes)]
