#!/bin/bash
# onnxscript 0.7.2 with onnx 1.23.2: its optimizer replaces ConcatFromSequence by Unsqueeze and Concat, and writes Unsqueeze
# with its axes as a second input, whatever opset the model has. Before opset 13 the axes are an attribute, so a valid
# model of opset 11 or 12 comes out invalid. MindSpore's ONNX exporter writes opset 11 with ConcatFromSequence.
# Seen: onnx.checker takes the model before, and after at opset 13; after, at opset 11 and 12, it says "input size 2 not in
# range [min=1, max=1]".
# In the product: export.py gives these nodes their axes as an attribute (utils/exporting/onnx_rewriting.py).
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install onnxscript==0.7.2 onnx==1.23.2 numpy==1.26.4
"$work/env/bin/python" - <<'PYTHON'
import sys

import onnx
import onnxscript
from onnx import TensorProto, helper
from onnxscript import optimizer


def check(model):
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        return next(line for line in str(error).splitlines() if "input size" in line)[-60:]
    return "valid"


seen = {}
for opset in (11, 12, 13):
    nodes = [
        helper.make_node("SequenceConstruct", ["x", "y"], ["pair"]),
        helper.make_node("ConcatFromSequence", ["pair"], ["stacked"], axis=0, new_axis=1),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (4,)) for name in "xy"]
    stacked = helper.make_tensor_value_info("stacked", TensorProto.FLOAT, (2, 4))
    graph = helper.make_graph(nodes, "stack", ends, [stacked])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    before = check(model)
    seen[opset] = before, check(optimizer.optimize(model))
    print(f"onnxscript {onnxscript.__version__}, opset {opset}: before {seen[opset][0]}, after: {seen[opset][1]}")
is_so = all(before == "valid" for before, _ in seen.values()) and seen[13][1] == "valid"
sys.exit(0 if is_so and "input size 2" in seen[11][1] and "input size 2" in seen[12][1] else 1)
PYTHON
