"""Runs an exported file and compares its outputs with the network's."""

import logging
from collections.abc import Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.model_utils.errors import BadStateError

MOST_OTHER_CHOICES = 1e-3  # as a share of an output of whole numbers

logger = logging.getLogger(__name__)


def run_model(file: Path, file_format: str, arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """Returns the outputs of an exported model; None, said in the log, where nothing here can run it.

    Args:
        file: as exported; of a split MindIR the graph file.
        file_format: "MINDIR", "AIR" or "ONNX".
        arrays: the inputs.

    Raises:
        BadStateError: onnxruntime refuses the file.
    """
    if file_format == "MINDIR":
        return run_network(nn.GraphCell(ms.load(str(file))), arrays)
    if file_format == "ONNX":
        return _run_onnx(file, arrays)
    logger.warning("the AIR file is not checked: MindSpore cannot load AIR, only Ascend's own tools can")
    return None


def run_network(network: nn.Cell, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns the outputs of a network that gives a tensor or a tuple of tensors."""
    outputs = network(*map(ms.Tensor, arrays))
    return [each.asnumpy() for each in (outputs if isinstance(outputs, tuple) else (outputs,))]


def compare_outputs(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Returns the largest difference of an output as a share of the largest absolute value expected in it.

    Whole numbers and truth values are choices: more than one in a thousand others is an infinite difference. So are
    outputs of another number or shape; a value that is not a number gives nan.
    """
    if [each.shape for each in found] != [each.shape for each in expected]:
        return float("inf")
    shares = [_relative_difference(*pair) for pair in zip(found, expected, strict=True)]
    return float(np.max(shares, initial=0.0))


def _relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    if not expected.size:
        return 0.0
    if expected.dtype.kind in "biu":
        # A choice between two values that are nearly equal may go either way: how many do is what counts.
        return 0.0 if float(np.mean(found != expected)) <= MOST_OTHER_CHOICES else float("inf")
    difference = float(np.abs(found.astype(np.float64) - expected).max())
    largest = float(np.abs(expected).max())
    return difference / largest if largest else difference


def _run_onnx(file: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    try:
        import onnxruntime
    except ImportError:
        logger.warning("the ONNX file is not checked: onnxruntime is not installed (pip install onnxruntime)")
        return None
    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]
        return session.run(None, dict(zip(names, arrays, strict=True)))
    except Exception as error:  # its exceptions have no class of their own in common
        raise BadStateError(f"onnxruntime cannot run the exported ONNX ({error}): export MINDIR instead") from error
