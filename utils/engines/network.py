"""A network as whatever runs it: MindSpore, or an engine that runs exported files. Needs no MindSpore."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Network(Protocol):
    """What runs a network."""

    def begin(self) -> None:
        """Gets ready to infer, where the network may have been trained since."""

    def compile(self, arrays: Sequence[np.ndarray]) -> None:
        """Compiles it for inputs of these shapes, without running it."""

    def __call__(self, arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Returns the outputs for the inputs, both in the network's order."""
