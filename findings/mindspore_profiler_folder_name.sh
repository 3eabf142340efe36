#!/bin/bash
# MindSpore 2.10.0 on a CPU: where the folder given to tensorboard_trace_handler has a quote in its name, the call logs an
# error and returns None instead of raising. profile(on_trace_ready=None) is then valid, so the profile of the run is
# written all the same, into ./data of the working directory, which nobody named.
# Seen: the handler is None, five files below ./data, nothing in the folder asked for.
# Mended here: utils/training/record/profiling.py refuses to start a profile without a handler, and says so in one line.
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install mindspore==2.10.0 numpy==1.26.4
cd -- "$work"
"$work/env/bin/python" - <<'PYTHON'
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn
from mindspore.profiler import ProfilerActivity, profile, tensorboard_trace_handler

ms.set_device("CPU")
folder = Path("Anna's runs").resolve()
handler = tensorboard_trace_handler(str(folder))
network = nn.Dense(4, 3)
with profile(activities=[ProfilerActivity.CPU], on_trace_ready=handler) as profiler:
    for _ in range(3):
        network(ms.Tensor(np.ones((2, 4), np.float32)))
        profiler.step()
asked = list(folder.rglob("*")) if folder.exists() else []
written = [path for path in Path("data").rglob("*") if path.is_file()]
print(f"MindSpore {ms.__version__}: handler {handler}, files in the folder asked for {len(asked)}, in ./data {len(written)}")
sys.exit(0 if handler is None and not asked and written else 1)
PYTHON
