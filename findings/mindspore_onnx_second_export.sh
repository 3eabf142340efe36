#!/bin/bash
# MindSpore 2.10.0 on a CPU: a Cell with a convolution that has a bias can be exported as ONNX once. The export puts the bias
# into the convolution in a graph that stays cached, so that a second export of the same Cell in the same process raises an
# internal error ("i: 3 out of range: 3", at PrimFunc_BiasAdd). Without a bias, as MINDIR, and calling the Cell all work.
# Seen: without a bias both exports are written; with one the first is, the second raises RuntimeError; a MINDIR after it is
# written.
# In the product: each ONNX file is exported of a network of its own (build_export of the suites).
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install mindspore==2.10.0 numpy==1.26.4
cd -- "$work"
"$work/env/bin/python" - <<'PYTHON'
import sys

import mindspore as ms
import numpy as np
from mindspore import nn

ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
images = ms.Tensor(np.zeros((1, 3, 8, 8), np.float32))


def export(network, file_format):
    try:
        ms.export(network, images, file_name="network", file_format=file_format)
    except RuntimeError as error:
        return f"RuntimeError: {str(error).splitlines()[0][:60]}"
    return "written"


seen = {}
for has_bias in (False, True):
    network = nn.Conv2d(3, 4, 3, has_bias=has_bias).set_train(False)
    seen[has_bias] = [export(network, file_format) for file_format in ("ONNX", "ONNX", "MINDIR")]
    print(f"MindSpore {ms.__version__}, bias {has_bias}: {seen[has_bias]}")
first, second, third = seen[True]
sys.exit(0 if seen[False] == ["written"] * 3 and first == third == "written" and "out of range" in second else 1)
PYTHON
