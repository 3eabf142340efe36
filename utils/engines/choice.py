"""Which engine runs an ONNX file."""

import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.model_utils.errors import BadStateError, BadValueError

if TYPE_CHECKING:
    from utils.engines.network import Network

AUTO, OPENVINO, ONNXRUNTIME = "auto", "openvino", "onnxruntime"
F32, BF16 = "f32", "bf16"
# Engine to what pip installs for it, the faster one first.
PACKAGES: Mapping[str, str] = {OPENVINO: "openvino==2026.4.1", ONNXRUNTIME: "onnxruntime==1.31.1"}


@dataclass(frozen=True)
class EngineSettings:
    """How a file is run on a CPU.

    Attributes:
        engine: "openvino", "onnxruntime", or "auto" for the first of them that is installed.
        precision: "f32", or "bf16" for bfloat16 inside the network, which OpenVINO has where the CPU has it.
        num_threads: of the network; 0: one for each core.
    """

    engine: str = AUTO
    precision: str = F32
    num_threads: int = 0


def package_version(name: str) -> str:
    """Returns the version of an engine's package; "" where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def choose_engine(wanted: str) -> str:
    """Returns the engine that is wanted, of "auto" the first that is installed.

    Raises:
        BadStateError: it is not installed.
    """
    installed = [name for name in PACKAGES if importlib.util.find_spec(name)]
    if wanted == AUTO and installed:
        return installed[0]
    if wanted in installed:
        return wanted
    name = OPENVINO if wanted == AUTO else wanted
    what = "no engine for ONNX files is" if wanted == AUTO else f"the engine {name} is not"
    raise BadStateError(
        f"{what} installed: install it with `pip install {PACKAGES[name]}`, or use the checkpoint or a MINDIR, which "
        "MindSpore runs"
    )


def open_onnx(file: Path, settings: EngineSettings) -> "Network":
    """Reads an ONNX file into an engine.

    Raises:
        BadStateError: the engine is not installed, or this CPU has no bfloat16.
        BadValueError: the engine cannot read the file, or has no such precision.
    """
    engine = choose_engine(settings.engine)
    if engine == OPENVINO:
        from utils.engines.openvino_network import OpenVinoNetwork  # imports what is optional

        return OpenVinoNetwork(file, settings.precision, settings.num_threads)
    if settings.precision != F32:
        raise BadValueError(
            f"cpu_precision is {settings.precision}, which {engine} does not have: leave it out, or install OpenVINO "
            f"(`pip install {PACKAGES[OPENVINO]}`)"
        )
    from utils.engines.onnxruntime_network import OnnxRuntimeNetwork

    return OnnxRuntimeNetwork(file, settings.num_threads)
