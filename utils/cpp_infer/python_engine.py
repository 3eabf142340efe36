"""Runs a MindIR for the C++ program, which calls this in an interpreter of its own (src/python_engine.cc)."""

from collections.abc import Sequence
from pathlib import Path

import utils  # noqa: F401  (sets the CPU variable, before MindSpore is imported)

# isort: split
import mindspore as ms
import numpy as np
from mindspore import nn

from utils.model_utils.errors import BadStateError, BadValueError, first_line


class Model:
    """An exported model on a device.

    Args:
        file: the MindIR; of a split one the graph file.
        device_target: "CPU", "GPU" or "Ascend".
        device_id: number of the accelerator.

    Raises:
        BadStateError: there is no such device.
        BadValueError: the file is no MindIR that MindSpore can load.
    """

    def __init__(self, file: str, device_target: str, device_id: int) -> None:
        try:
            ms.set_device(device_target, 0 if device_target == "CPU" else device_id)
        except (RuntimeError, ValueError) as error:
            raise BadStateError(
                f"device {device_target} {device_id} cannot be used ({first_line(error)}): choose another with "
                "--device_target and --device_id"
            ) from error
        try:
            self._network = nn.GraphCell(ms.load(str(Path(file).absolute())))
        except (RuntimeError, ValueError, TypeError) as error:
            raise BadValueError(
                f"'{file}' is no MindIR that can be loaded ({first_line(error)}): export the model again"
            ) from error

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the outputs in the model's order for inputs in the model's order."""
        outputs = self._network(*map(ms.Tensor, arrays))
        return [each.asnumpy() for each in (outputs if isinstance(outputs, tuple | list) else (outputs,))]
