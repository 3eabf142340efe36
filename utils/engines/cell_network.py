"""A MindSpore network as detectors run it, with arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import nn


@dataclass(frozen=True, eq=False)
class CellNetwork:
    """A `Network` of utils.engines.network.

    Attributes:
        cell: images, and what it takes beside them, to outputs for each image; it may share its weights with a training
            network.
    """

    cell: nn.Cell

    def begin(self) -> None:
        """Puts the network into inference mode."""
        self.cell.set_train(False)

    def compile(self, arrays: Sequence[np.ndarray]) -> None:
        """Compiles it for inputs of these shapes, without running it."""
        self.cell.compile(*map(ms.Tensor, arrays))

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the outputs for the inputs."""
        outputs = self.cell(*map(ms.Tensor, arrays))
        return [each.asnumpy() for each in (outputs if isinstance(outputs, tuple | list) else (outputs,))]
