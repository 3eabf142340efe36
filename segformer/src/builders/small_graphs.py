"""The operators of this suite's graphs, in small; `python -m utils.tools.ascend_check segformer` prints them."""

from collections import Counter

import numpy as np

from utils.cpu_kernels.choice import stock_operators
from utils.model_utils.device_adapter import set_up_device
from utils.tools.small_networks import SEGFORMER_NETWORK
from utils.training.summary.small_graphs import (
    EVALUATION,
    EXPORT,
    TRAINING,
    primitives_in_inference,
    primitives_of_step,
)

from .. import build
from ..config import load

BATCH, SIZE = 2, (64, 96)


def primitives() -> dict[str, Counter[str]]:
    """Returns how often each graph has each primitive."""
    config = load([*SEGFORMER_NETWORK, f"--base_size={list(SIZE)}", f"--crop_size={list(SIZE)}"])
    classes = load([*SEGFORMER_NETWORK, f"--base_size={list(SIZE)}", "--export_output=class_map"], "export.py")
    set_up_device("CPU")
    size = build.network_size(config)
    with stock_operators():
        network = build.build_network(config)
        step = build.build_train_step(config, network, "O0")
        inference = build.build_inference(config, build.build_network(config))
    images = np.zeros((BATCH, 3, *SIZE), np.float32)
    batch = (
        images,
        np.zeros((BATCH, *SIZE), np.int32),
        np.ones((BATCH, 2 * sum(size.depths)), np.float32),
        np.ones((BATCH, size.decoder_channels), np.float32),
    )
    return {
        TRAINING: primitives_of_step(step, batch),
        EVALUATION: primitives_in_inference(inference, (images,)),
        EXPORT: primitives_in_inference(build.build_export(config, network, "MINDIR"), (images,)),
        f"{EXPORT}, class map": primitives_in_inference(build.build_export(classes, network, "MINDIR"), (images,)),
    }
