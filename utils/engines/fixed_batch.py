"""A network that takes a fixed number of images, for any number of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.engines.network import Network


@dataclass(frozen=True, eq=False)
class FixedBatch:
    """A `Network` of utils.engines.network around one that takes `size` images, no more and no less.

    Attributes:
        network: what it calls as often as needed; the last image fills what is left of the last batch.
        size: images that `network` takes.
    """

    network: Network
    size: int

    def begin(self) -> None:
        """Gets the network ready."""
        self.network.begin()

    def compile(self, arrays: Sequence[np.ndarray]) -> None:
        """Compiles the network, which has one shape."""
        self.network.compile([_filled(array[: self.size], self.size) for array in arrays])

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the outputs for the inputs, whose first axis may have any length from 1 on."""
        count = len(arrays[0])
        parts = [
            self.network([_filled(array[start : start + self.size], self.size) for array in arrays])
            for start in range(0, count, self.size)
        ]
        if len(parts) == 1:
            return [output[:count] for output in parts[0]]
        return [np.concatenate(outputs)[:count] for outputs in zip(*parts, strict=True)]


def _filled(array: np.ndarray, size: int) -> np.ndarray:
    missing = size - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array
