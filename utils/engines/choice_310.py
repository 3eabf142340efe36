"""Which file the C++ program runs: on a CPU, the ONNX beside a MindIR where OpenVINO is installed."""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from utils.engines.choice import AUTO, OPENVINO, PACKAGES
from utils.exporting.files import ENDINGS, SPLIT_GRAPH
from utils.model_utils.errors import BadStateError, MissingPathError

EXPORT_BOTH = "export.py --with_onnx=True"
INSTALL = f"pip install {PACKAGES[OPENVINO]}"


@dataclass(frozen=True)
class ChosenModel:
    """What is run.

    Attributes:
        model: the file.
        note: how to get the faster engine, where it could be had; "" otherwise.
    """

    model: Path
    note: str = ""


def choose_model(model: Path, options: Mapping[str, str]) -> ChosenModel:
    """Chooses what is run.

    Args:
        model: the user's MINDIR_PATH, a MindIR or an ONNX file.
        options: of the C++ program that the user has given.

    Raises:
        BadStateError: `engine` is openvino, or the file an ONNX one, and OpenVINO is not installed.
        MissingPathError: `engine` is openvino, and no ONNX file lies beside the MindIR.
    """
    engine = options.get("engine", AUTO)
    onnx = model if model.suffix == ENDINGS["ONNX"] else _beside(model)
    is_installed = importlib.util.find_spec(OPENVINO) is not None
    if engine == OPENVINO or onnx == model:
        if not is_installed:
            raise BadStateError(f"the engine {OPENVINO} is not installed: install it with `{INSTALL}`")
        if not onnx.is_file():
            raise MissingPathError(
                f"'{onnx}' does not exist, which the engine {OPENVINO} would run: write it with `{EXPORT_BOTH}`"
            )
        return ChosenModel(onnx)
    runs_on_cpu = options.get("device_target", AUTO) in (AUTO, "CPU") and not os.environ.get("LITE_HOME")
    if engine != AUTO or not runs_on_cpu:
        return ChosenModel(model)
    if is_installed and onnx.is_file():
        return ChosenModel(onnx)
    needed = ((INSTALL, is_installed), (EXPORT_BOTH, onnx.is_file()))
    ways = " and ".join(f"`{way}`" for way, is_there in needed if not is_there)
    return ChosenModel(model, f"the installed mindspore runs the MindIR; OpenVINO is faster on a CPU: {ways}")


def _beside(model: Path) -> Path:
    ending = SPLIT_GRAPH if model.name.endswith(SPLIT_GRAPH) else ENDINGS["MINDIR"]
    return model.with_name(f"{model.name.removesuffix(ending)}{ENDINGS['ONNX']}")
