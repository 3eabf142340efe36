"""Opens exported models, whatever runs them; MindSpore is imported for a MindIR alone."""

from collections.abc import Callable
from pathlib import Path

from utils.engines.choice import EngineSettings, open_onnx
from utils.engines.exported_keys import is_onnx
from utils.engines.fixed_batch import FixedBatch
from utils.engines.network import Network
from utils.exporting.description import ModelDescription


def open_exported_network(
    path: Path, description: ModelDescription, settings: EngineSettings, set_up: Callable[[], object]
) -> Network:
    """Returns the network of an exported model, for any number of images.

    Args:
        path: of the model.
        description: of the model.
        settings: how an ONNX file is run.
        set_up: takes the device for MindSpore, which runs a MindIR.

    Raises:
        BadStateError: the engine is not installed, or cannot run the file with these settings here.
        BadValueError: the file cannot be read.
    """
    batch = description.inputs[0].shape[0]
    network = open_onnx(path, settings) if is_onnx(path) else _open_mindir(path, set_up)
    return FixedBatch(network, batch) if batch else network


def _open_mindir(path: Path, set_up: Callable[[], object]) -> Network:
    from utils.engines.mindir_network import read_mindir  # imports MindSpore

    set_up()
    return read_mindir(path)
