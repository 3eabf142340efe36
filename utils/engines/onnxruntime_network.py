"""An ONNX file run by ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from utils.model_utils.errors import BadValueError, first_line


class OnnxRuntimeNetwork:
    """A `Network` of utils.engines.network.

    Args:
        file: the ONNX file.
        num_threads: 0: one for each core.

    Raises:
        BadValueError: ONNX Runtime cannot read the file.
    """

    def __init__(self, file: Path, num_threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no class of their own in common
            raise BadValueError(
                f"'{file}' cannot be read by ONNX Runtime ({first_line(error)}): export it again"
            ) from error
        self._names = [each.name for each in self._session.get_inputs()]

    def begin(self) -> None:
        """Nothing: it only infers."""

    def compile(self, arrays: Sequence[np.ndarray]) -> None:
        """Nothing: it has no kernels for shapes."""

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the outputs for the inputs."""
        return self._session.run(None, dict(zip(self._names, arrays, strict=True)))
