"""A network as a detector for canvases of several sizes: a compiled graph for each, the weights shared."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from utils.canvas import Size
from utils.detection.detections import DetectionClock, Detections
from utils.detection.network_detector import NetworkDetector
from utils.held_sizes import HeldSizes
from utils.pixels import size_of


@dataclass(frozen=True, eq=False)
class CanvasDetectors:
    """A `Detector` that makes what a canvas needs, anchors and the graph around the network, when it first comes.

    Attributes:
        make: makes the detector of a canvas, (height, width) of the network's input, around the one network.
        limit: canvases that are held at once; the one that was not asked for the longest time makes room.
    """

    make: Callable[[Size], NetworkDetector]
    limit: int

    @cached_property
    def _held(self) -> HeldSizes[Size, NetworkDetector]:
        return HeldSizes(self.limit)

    @property
    def canvases(self) -> Collection[Size]:
        """The canvases that need no compiling, the one that was asked for last at the end."""
        return self._held.keys()

    def begin(self) -> None:
        """Puts the network into inference mode."""
        for detector in self._held.values():
            detector.begin()

    def detect(
        self,
        images: np.ndarray,
        *,
        scales: Sequence[tuple[float, float]],
        sizes: Sequence[tuple[int, int]],
        clock: DetectionClock,
    ) -> list[Detections]:
        """Detects in a batch, as `Detector.detect` says, having compiled the network for its canvas."""
        detector = self.prepare(images, clock)
        return detector.detect(images, scales=scales, sizes=sizes, clock=clock)

    def prepare(self, images: np.ndarray, clock: DetectionClock) -> NetworkDetector:
        """Returns the detector of the canvas of a batch, float32[N, 3, H, W], whose values do not matter."""
        return self._held.get_or_make(size_of(images[0, 0]), lambda: self._compile(images, clock))

    def _compile(self, images: np.ndarray, clock: DetectionClock) -> NetworkDetector:
        start = time.perf_counter()
        detector = self.make(size_of(images[0, 0]))
        detector.compile(images)
        clock.add_compilation(time.perf_counter() - start)
        return detector
