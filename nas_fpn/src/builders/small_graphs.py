"""The operators of this suite's graphs, in small; `python -m utils.tools.ascend_check nas_fpn` prints them."""

from collections import Counter

import numpy as np

from utils.cpu_kernels.choice import stock_operators
from utils.model_utils.device_adapter import set_up_device
from utils.tools.small_networks import NAS_FPN_NETWORK
from utils.training.summary.small_graphs import (
    EVALUATION,
    EXPORT,
    TRAINING,
    primitives_in_inference,
    primitives_of_step,
)

from .. import build
from ..config import load

NUM_CLASSES, BATCH = 3, 2


def primitives() -> dict[str, Counter[str]]:
    """Returns how often each graph has each primitive."""
    config = load([*NAS_FPN_NETWORK, f"--batch_size={BATCH}"])
    set_up_device("CPU")
    with stock_operators():
        network = build.build_network(config, NUM_CLASSES)
        step = build.build_train_step(config, network, NUM_CLASSES, "O0")
        detector = build.build_inference(config, build.build_network(config, NUM_CLASSES))
    anchors = len(build.build_anchors(config))
    images = np.zeros((BATCH, 3, *config.img_shape), np.float32)
    classes, deltas = np.zeros((BATCH, anchors), np.int32), np.zeros((BATCH, anchors, 4), np.float32)
    return {
        TRAINING: primitives_of_step(step, (images, classes, deltas)),
        EVALUATION: primitives_in_inference(detector, (images,)),
        EXPORT: primitives_in_inference(build.build_export(config, network, NUM_CLASSES), (images,)),
    }
