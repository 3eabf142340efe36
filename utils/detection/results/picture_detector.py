"""Detects in image files: reads ahead in threads, batches, passes over files that cannot be read."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from utils.detection.detections import DetectionClock, Detections, Detector
from utils.detection.inputs import InputSettings, fit_image
from utils.images import read_image
from utils.model_utils.errors import UserError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that was read.

    Attributes:
        index: its place in the list of files.
        image: uint8[H, W, 3] RGB, as a viewer shows it.
        planes: float32[3, height, width], the network's input.
        scales: input pixels for one pixel of the picture, vertically and horizontally.
    """

    index: int
    image: np.ndarray
    planes: np.ndarray
    scales: tuple[float, float]


@dataclass(frozen=True, eq=False)
class PictureDetector:
    """Detects in image files.

    Attributes:
        detector: what finds the objects.
        inputs: what the network takes.
        batch_size: images in a call of the detector.
        num_loaders: threads that read.
    """

    detector: Detector
    inputs: InputSettings
    batch_size: int
    num_loaders: int

    def compile(self) -> None:
        """Runs the detector once, so that what follows takes its usual time."""
        self.detector.begin()
        empty = np.zeros((self.batch_size, 3, self.inputs.height, self.inputs.width), np.float32)
        self.detector.detect(empty, scales=(), sizes=(), clock=DetectionClock())

    def detect(
        self, paths: Sequence[Path], clock: DetectionClock
    ) -> Iterator[tuple[Picture | None, Detections | None]]:
        """Yields a pair for each file: the picture and its detections, or None twice for one that cannot be read.

        Files that cannot be read are named in the log. Pairs of readable files come in the files' order.
        """
        readable: list[Picture] = []
        for picture in self._read_ahead(paths):
            if picture is None:
                yield None, None
                continue
            readable.append(picture)
            if len(readable) == self.batch_size:
                yield from self._detect_batch(readable, clock)
                readable = []
        if readable:
            yield from self._detect_batch(readable, clock)

    def _detect_batch(self, batch: list[Picture], clock: DetectionClock) -> Iterator[tuple[Picture, Detections]]:
        planes = [picture.planes for picture in batch]
        planes += planes[-1:] * (self.batch_size - len(batch))  # one shape, one compiled graph
        found = self.detector.detect(
            np.stack(planes),
            scales=[picture.scales for picture in batch],
            sizes=[picture.image.shape[:2] for picture in batch],
            clock=clock,
        )
        yield from zip(batch, found, strict=True)

    def _read_ahead(self, paths: Sequence[Path]) -> Iterator[Picture | None]:
        """Reads with so many files under way that a batch is ready when the network is."""
        waiting: deque[Future[Picture | None]] = deque()
        remaining = iter(enumerate(paths))
        with ThreadPoolExecutor(self.num_loaders) as pool:
            while True:
                for item in islice(remaining, self.batch_size + self.num_loaders - len(waiting)):
                    waiting.append(pool.submit(self._read, *item))
                if not waiting:
                    return
                yield waiting.popleft().result()

    def _read(self, index: int, path: Path) -> Picture | None:
        try:
            image = read_image(path)
        except UserError as error:
            logger.warning("left out: %s", error)
            return None
        return Picture(index, image, *fit_image(image, self.inputs))
