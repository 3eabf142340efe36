"""A MindIR as MindSpore runs it."""

from collections.abc import Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.engines.cell_network import CellNetwork
from utils.model_utils.errors import BadValueError, short


class GraphNetwork(CellNetwork):
    """The graph of a MindIR, which MindSpore compiles when it is called, and not before."""

    def compile(self, arrays: Sequence[np.ndarray]) -> None:
        """Calls it once with inputs of these shapes."""
        self(arrays)


def read_mindir(path: Path) -> CellNetwork:
    """Reads a MindIR.

    Raises:
        BadValueError: it cannot be read.
    """
    try:
        return GraphNetwork(nn.GraphCell(ms.load(str(path))))
    except (RuntimeError, ValueError, TypeError) as error:
        raise BadValueError(f"'{path}' cannot be read as a MindIR ({short(str(error))}): export it again") from error
