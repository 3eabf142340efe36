#!/bin/bash
# OpenVINO 2026.4.1 on a CPU: TopK of an ONNX file gives equal values in another order than ONNX asks for. The operator's text
# (onnx 1.23.2, TopK of opset 17) says that of equivalent values the one with the lower index comes first. OpenVINO's own
# operator has an attribute `stable` for this. Scores of detectors have ties (saturated or padded ones), and then other boxes
# survive than in the network that was exported.
# Seen: 16, 64, 1,000 and 5,000 values out of 0 to 3: ONNX Runtime 1.31.1 keeps the order of the indices in all four cases,
# OpenVINO in none; the chosen values themselves are right.
# In the product: utils/engines and the C++ program set `stable` where it costs about a millisecond; it makes OpenVINO sort by
# bubbles, so that choices of more than a million comparisons stay without it.
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install openvino==2026.4.1 onnxruntime==1.31.1 onnx==1.23.2 numpy==1.26.4
cd -- "$work"
env -u ONEDNN_MAX_CPU_ISA "$work/env/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

assert "lower index will appear first" in onnx.defs.get_schema("TopK", 17).doc


def write(length, count):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, length))
    found = [
        helper.make_tensor_value_info("values", TensorProto.FLOAT, (1, count)),
        helper.make_tensor_value_info("indices", TensorProto.INT64, (1, count)),
    ]
    node = helper.make_node("TopK", ["x", "k"], ["values", "indices"], axis=1, largest=1, sorted=1)
    graph = helper.make_graph([node], "topk", [x], found, [numpy_helper.from_array(np.array([count]), "k")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "topk.onnx")


seen = []
for length, count in ((16, 8), (64, 10), (1000, 100), (5000, 1000)):
    write(length, count)
    x = np.random.default_rng(0).integers(0, 4, (1, length)).astype(np.float32)
    wanted = np.argsort(-x[0], kind="stable")[:count]
    _, of_ort = onnxruntime.InferenceSession("topk.onnx").run(None, {"x": x})
    result = openvino.Core().compile_model("topk.onnx", "CPU")([x])
    same_values = np.array_equal(result[0][0], x[0][wanted])
    seen.append((np.array_equal(of_ort[0], wanted), np.array_equal(result[1][0], wanted), same_values))
    print(f"{count} of {length}: order as asked for: ONNX Runtime {seen[-1][0]}, OpenVINO {seen[-1][1]}; values {same_values}")
print(f"OpenVINO {openvino.__version__}")
sys.exit(0 if seen == [(True, False, True)] * 4 else 1)
PYTHON
