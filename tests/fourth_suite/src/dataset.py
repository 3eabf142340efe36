"""The pictures, in the order of each epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from utils.randomness import generator
from utils.sharding import BatchSource

COLUMNS = ("images", "labels")
CLASS_NAMES = ("left", "right")


@dataclass(frozen=True)
class HalvesSource(BatchSource):
    """Draws each picture from (seed, number), with one half brighter than the other.

    Attributes:
        side: pixels of a picture's height and width.
    """

    side: int

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """Yields float32[N, 1, side, side] and int32[N]."""
        for numbers in self.epochs.own_items(epoch, start_step)[0]:
            images, labels = zip(*map(self._draw, numbers), strict=True)
            yield np.stack(images), np.array(labels, np.int32)

    def _draw(self, number: int) -> tuple[np.ndarray, int]:
        draws = generator(self.epochs.seed, 0, int(number))
        label, half = int(draws.integers(2)), self.side // 2
        image = draws.normal(size=(1, self.side, self.side)).astype(np.float32)
        image[..., label * half : (label + 1) * half] += 2
        return image, label
