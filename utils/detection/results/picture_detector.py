"""Detects in image files: reads ahead in threads, canvas by canvas in batches; what cannot be read is passed over."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from utils.canvas import Size
from utils.detection.canvases.plan import CanvasBatch, log_canvases, plan_batches
from utils.detection.detections import DetectionClock, Detections, Detector
from utils.detection.inputs import InputSettings, fit_image
from utils.images import read_image, read_size
from utils.model_utils.errors import UserError
from utils.pixels import size_of
from utils.videos.reading import Frame, ahead

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

    @property
    def canvas(self) -> Size:
        """Height and width of the network's input."""
        return size_of(self.planes[0])


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

    def compile(self, clock: DetectionClock) -> None:
        """Compiles the network, so that what follows takes its usual time; not where pictures choose their canvas."""
        self.detector.begin()
        if self.inputs.rule is not None:
            self.inputs.canvas((1, 1))  # imports the library of the rule, which takes seconds where torch is installed
            return
        empty = np.zeros((self.batch_size, 3, *self.inputs.size), np.float32)
        self.detector.detect(empty, scales=(), sizes=(), clock=clock)

    def detect(
        self, paths: Sequence[Path], clock: DetectionClock
    ) -> Iterator[tuple[Picture | None, Detections | None]]:
        """Yields a pair for each file: the picture and its detections, or None twice for one that cannot be read.

        Files that cannot be read are named in the log. Pairs of one canvas come together, in the files' order.
        """
        order, batch_sizes = self._plan(paths)
        batch: list[Picture] = []
        for picture in self._read_ahead([(index, paths[index]) for index in order]):
            if picture is None:
                yield None, None
                continue
            if batch and picture.canvas != batch[0].canvas:
                yield from self._detect_batch(batch, batch_sizes, clock)
                batch = []
            batch.append(picture)
            if len(batch) == batch_sizes.get(picture.canvas, self.batch_size):
                yield from self._detect_batch(batch, batch_sizes, clock)
                batch = []
        if batch:
            yield from self._detect_batch(batch, batch_sizes, clock)

    def detect_frames(self, frames: Iterable[Frame], clock: DetectionClock) -> Iterator[tuple[Frame, Detections]]:
        """Yields each frame of a video with its detections; a thread reads and fits those of the next batch."""
        fitted = ((frame, Picture(frame.index, frame.image, *fit_image(frame.image, self.inputs))) for frame in frames)
        batch: list[tuple[Frame, Picture]] = []
        for item in chain(ahead(fitted, self.batch_size + 1), [None]):
            if item is not None:
                batch.append(item)
            if batch and (item is None or len(batch) == self.batch_size):
                found = self._detect_batch([picture for _, picture in batch], {}, clock)
                yield from ((frame, one) for (frame, _), (_, one) in zip(batch, found, strict=True))
                batch = []

    def _plan(self, paths: Sequence[Path]) -> tuple[Sequence[int], dict[Size, int]]:
        """Returns the order in which files are read, and the images of a batch of each canvas.

        Where pictures choose their canvas, the headers of the files are read; files without a size come last, to be
        named when they are read.
        """
        if self.inputs.rule is None:
            return range(len(paths)), {}
        with ThreadPoolExecutor(self.num_loaders) as pool:
            sizes = list(pool.map(read_size, paths))
        known = [index for index, size in enumerate(sizes) if size is not None]
        batches = plan_batches([self.inputs.canvas(size) for size in sizes if size is not None], self.batch_size)
        if batches:
            log_canvases(batches, self.detector.limit)
        order = [known[member] for batch in batches for member in batch.members]
        order += [index for index, size in enumerate(sizes) if size is None]
        return order, {batch.canvas: batch.size for batch in batches}

    def _detect_batch(
        self, batch: list[Picture], batch_sizes: Mapping[Size, int], clock: DetectionClock
    ) -> Iterator[tuple[Picture, Detections]]:
        canvas = batch[0].canvas
        filled = CanvasBatch(
            canvas, tuple(picture.index for picture in batch), batch_sizes.get(canvas, self.batch_size)
        )
        found = self.detector.detect(
            filled.fill([picture.planes for picture in batch]),
            scales=[picture.scales for picture in batch],
            sizes=[size_of(picture.image) for picture in batch],
            clock=clock,
        )
        yield from zip(batch, found, strict=True)

    def _read_ahead(self, files: Sequence[tuple[int, Path]]) -> Iterator[Picture | None]:
        """Reads with so many files under way that a batch is ready when the network is."""
        waiting: deque[Future[Picture | None]] = deque()
        remaining = iter(files)
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
