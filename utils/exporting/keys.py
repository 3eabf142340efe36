"""The keys of export.py that all suites share."""

from typing import ClassVar, Literal

from pydantic import Field

from utils.model_utils.config.base import Config

ONNX = ("onnx_opset", "with_onnx")


class OnnxKeys(Config):
    """How export.py writes ONNX."""

    GROUP: ClassVar[str] = "Export"
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = ONNX
    with_onnx: bool = Field(
        False, description="export.py writes an ONNX file beside the MINDIR, for engines that are faster on a CPU"
    )
    onnx_opset: Literal[17, 11] = Field(
        17, description="opset of ONNX files; 11 for converters that do not know LayerNormalization"
    )
