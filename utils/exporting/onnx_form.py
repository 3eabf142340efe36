"""What an ONNX file is to be like, and whether the packages that make it so are installed."""

import importlib.util
from dataclasses import dataclass

OPSET, CLASSIC_OPSET = 17, 11  # the first with LayerNormalization; that of MindSpore
REWRITERS = ("onnx", "onnxscript")
# ml_dtypes 0.6, which pip would take, brings NumPy 2, which MindSpore does not survive.
INSTALL_REWRITERS = "pip install onnx==1.23.2 onnxscript==0.7.2 ml_dtypes==0.5.4"


@dataclass(frozen=True)
class OnnxForm:
    """What a rewritten file is like.

    Attributes:
        opset: 17; or 11 for older converters, whose layer norms stay in pieces.
        roi_sampling_ratio: samples of RoiAlign in each direction of a cell; 0: as many as the cell has pixels; None: as
            MindSpore has written.
    """

    opset: int = OPSET
    roi_sampling_ratio: int | None = None


PLAIN_FORM = OnnxForm()


def can_rewrite() -> bool:
    """Whether the packages are there."""
    return all(importlib.util.find_spec(name) for name in REWRITERS)
