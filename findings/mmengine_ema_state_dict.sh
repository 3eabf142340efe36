#!/bin/bash
# mmengine 0.10.7: in a checkpoint of a training with EMAHook, `ema_state_dict` holds the weights of the last step, and the
# averaged ones lie in `state_dict`: the hook exchanges both before it saves. Who takes `ema_state_dict` for the averages, as
# the names of other programs (timm, fairseq) suggest, evaluates weights that the training itself never evaluated.
# Seen: a weight that two steps bring to 1 and 2, momentum 0.1: state_dict 1.1, the average, and ema_state_dict 2.0.
# Mended here: utils/training/checkpoints/foreign_state.py takes `state_dict` of such a file as the averages.
# Exit code 0: still so. 1: it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install torch==2.13.0 numpy==1.26.4 setuptools==80.9.0 mmengine==0.10.7 opencv-python-headless==4.11.0.86
cd -- "$work"
"$work/env/bin/python" - <<'PYTHON'
import logging
import sys
from importlib.metadata import version

import torch
from mmengine.hooks import EMAHook
from mmengine.model import BaseModel
from mmengine.runner import Runner

logging.disable(logging.INFO)


class Weight(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode="tensor"):
        return {"loss": -self.weight.sum()} if mode == "loss" else self.weight


Runner(
    model=Weight(),
    work_dir="run",
    train_dataloader={
        "dataset": [{"inputs": torch.zeros(1)}],
        "sampler": {"type": "DefaultSampler", "shuffle": False},
        "collate_fn": {"type": "default_collate"},
        "batch_size": 1,
    },
    train_cfg={"by_epoch": True, "max_epochs": 2},
    optim_wrapper={"optimizer": {"type": "SGD", "lr": 1.0}},
    custom_hooks=[EMAHook(ema_type="ExponentialMovingAverage", momentum=0.1, begin_iter=0)],
    default_hooks={"logger": None},
    log_level="ERROR",
).train()
content = torch.load("run/epoch_2.pth", weights_only=False)
plain = round(content["state_dict"]["weight"].item(), 3)
named = round(next(value.item() for name, value in content["ema_state_dict"].items() if name.endswith("weight")), 3)
print(f"mmengine {version('mmengine')}: state_dict {plain}, ema_state_dict {named}; the last step's weight is 2")
sys.exit(0 if (plain, named) == (1.1, 2.0) else 1)
PYTHON
