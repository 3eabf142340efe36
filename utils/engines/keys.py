"""The keys with which a command runs an exported model in place of a checkpoint. No MindSpore import."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from utils.engines.choice import EngineSettings
from utils.model_utils.config.base import Config, Given, Origin
from utils.model_utils.config.loading import build, join_problems
from utils.model_utils.errors import BadValueError

ENGINE = ("engine", "cpu_precision", "num_threads")


class EngineKeys(Config):
    """What runs an ONNX file that the key of the checkpoint names."""

    GROUP: ClassVar[str] = "ONNX files"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = ENGINE
    engine: Literal["auto", "openvino", "onnxruntime"] = Field(
        "auto", description="what runs an ONNX file; auto: openvino where it is installed, else onnxruntime"
    )
    cpu_precision: Literal["f32", "bf16"] = Field(
        "f32", description="precision in which openvino runs an ONNX file; bf16 needs a CPU with AVX512-BF16 or AMX"
    )
    num_threads: int = Field(0, ge=0, description="threads that run the network of an ONNX file; 0: one for each core")

    def engine_settings(self) -> EngineSettings:
        """Returns the three keys."""
        return EngineSettings(self.engine, self.cpu_precision, self.num_threads)


def settings_of(values: Mapping[str, object], place: str) -> EngineSettings:
    """Returns the settings that values of the keys ask for.

    Args:
        values: by key.
        place: where they are from, for messages.

    Raises:
        BadValueError: a value cannot be.
    """
    problems: list[str] = []
    given = {key: Given(key, value, Origin(place)) for key, value in values.items()}
    built = build(EngineKeys, given, Path(), problems, [])
    if built is None:
        raise BadValueError(join_problems(problems))
    return built.engine_settings()
