"""An ONNX file run by OpenVINO."""

import contextlib
import math
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino

from utils.engines.choice import BF16
from utils.model_utils.cpu_environment import ISA_VARIABLE, without_isa_limit
from utils.model_utils.errors import BadStateError, BadValueError, first_line

# OpenVINO 2026.4.1 crashes on some networks where its oneDNN is held to these and its own code is not.
LOW_LIMITS = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2")


# Comparisons that a stable TopK may take: OpenVINO then sorts by bubbles, 1 ms for a million of them. Above, which of
# equal values is taken first is left open: 80 ms of 100 went into the choice of proposals.
MOST_COMPARISONS = 1_000_000


def keep_order_of_equal_values(model: openvino.Model) -> None:
    """Makes TopK take the lower index of equal values, as ONNX asks for (findings/openvino_topk_ties.sh)."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "TopK" and _comparisons(node) <= MOST_COMPARISONS:
            node.set_attribute("stable", True)


def _comparisons(node: openvino.Node) -> float:
    """Returns the values that a TopK chooses from times those that it chooses, of all rows."""
    shape, axis = node.get_input_partial_shape(0), node.get_attributes()["axis"]
    chosen = node.get_output_partial_shape(0)[axis]
    lengths = [length.get_length() if length.is_static else 1 for length in shape]
    return math.prod(lengths) * chosen.get_length() if chosen.is_static else math.inf


def refuse_low_limit(limit: str, has_avx512: bool) -> None:
    """Refuses a user's own value of ONEDNN_MAX_CPU_ISA that OpenVINO does not survive.

    Args:
        limit: the value; "" for none.
        has_avx512: whether the CPU has AVX-512.

    Raises:
        BadStateError: it is such a value.
    """
    if limit.upper() in LOW_LIMITS and has_avx512:
        raise BadStateError(
            f"{ISA_VARIABLE} is '{limit}' in the environment, with which OpenVINO crashes on some networks: unset it; "
            "what MindSpore needs is set by itself"
        )


def has_avx512() -> bool:
    """Whether the CPU has AVX-512, as Linux says."""
    with contextlib.suppress(OSError):
        return " avx512f" in Path("/proc/cpuinfo").read_text(errors="replace")
    return False


class OpenVinoNetwork:
    """A `Network` of utils.engines.network.

    Args:
        file: the ONNX file.
        precision: "f32" or "bf16". Left alone, OpenVINO takes bfloat16 where a CPU has AMX.
        num_threads: 0: one for each core.

    Raises:
        BadValueError: OpenVINO cannot read the file.
        BadStateError: it cannot run the network with this precision here.
    """

    def __init__(self, file: Path, precision: str, num_threads: int) -> None:
        self._lock = threading.Lock()
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": 1}
        if num_threads:
            settings["INFERENCE_NUM_THREADS"] = num_threads
        with without_isa_limit():  # read when the first network is compiled
            refuse_low_limit(os.environ.get(ISA_VARIABLE, ""), has_avx512())
            core = openvino.Core()
            if precision == BF16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
                raise BadStateError(
                    "cpu_precision is bf16, but this CPU has no bfloat16 (AVX512-BF16 or AMX): leave it out"
                )
            try:
                model = core.read_model(file)
            except RuntimeError as error:
                raise BadValueError(
                    f"'{file}' cannot be read by OpenVINO ({first_line(error)}): export it again"
                ) from error
            keep_order_of_equal_values(model)
            try:
                self._request = core.compile_model(model, "CPU", settings).create_infer_request()
            except RuntimeError as error:
                raise BadStateError(
                    f"OpenVINO cannot run '{file}' here ({first_line(error)}): leave cpu_precision out, or use the "
                    "checkpoint"
                ) from error
        self._outputs = len(model.outputs)

    def begin(self) -> None:
        """Nothing: it only infers."""

    def compile(self, arrays: Sequence[np.ndarray]) -> None:
        """Runs it once on arrays of these shapes, for which it chooses its kernels then."""
        with contextlib.suppress(RuntimeError):
            self(arrays)

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the outputs for the inputs, as float32 for bfloat16."""
        with self._lock:
            found = self._request.infer(list(arrays), share_inputs=True)
            return [np.array(found[number]) for number in range(self._outputs)]
