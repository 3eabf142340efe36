"""The operators of this suite's graphs, in small; `python -m utils.tools.ascend_check faster_rcnn` prints them."""

from collections import Counter

import numpy as np

from utils.cpu_kernels.choice import stock_operators
from utils.model_utils.device_adapter import set_up_device
from utils.tools.small_networks import FASTER_RCNN_NETWORK, FASTER_RCNN_SAMPLES
from utils.training.summary.small_graphs import (
    EVALUATION,
    EXPORT,
    TRAINING,
    primitives_in_inference,
    primitives_of_step,
)

from .. import build
from ..config import FasterRcnnConfig, load
from ..FasterRcnn.bbox_assign_sample import assign_and_sample

NUM_CLASSES, BATCH = 3, 2


def primitives() -> dict[str, Counter[str]]:
    """Returns how often each graph has each primitive."""
    config = load([*FASTER_RCNN_NETWORK, *FASTER_RCNN_SAMPLES, f"--batch_size={BATCH}"])
    set_up_device("CPU")
    with stock_operators():
        network = build.build_network(config, NUM_CLASSES)
        step = build.build_train_step(config, network, NUM_CLASSES, "O0")
        detector = build.build_inference(config, build.build_network(config, NUM_CLASSES))
    images = np.zeros((BATCH, 3, config.img_height, config.img_width), np.float32)
    metas = np.ones((BATCH, 4), np.float32)
    return {
        TRAINING: primitives_of_step(step, (images, *_targets(config))),
        EVALUATION: primitives_in_inference(detector, (images, metas)),
        EXPORT: primitives_in_inference(build.build_export(config, network, NUM_CLASSES), (images, metas)),
    }


def _targets(config: FasterRcnnConfig) -> list[np.ndarray]:
    """Returns what a step takes beside the images, for images without boxes."""
    content, num_gts = (config.img_height, config.img_width), config.num_gts
    nothing, no_crowd = np.zeros((0, 4), np.float32), np.zeros(0, bool)
    sample = assign_and_sample(
        build.build_anchors(config), nothing, no_crowd, content, build.build_rpn_rule(config), np.random.default_rng(1)
    )
    of_an_image = (
        np.array(content, np.float32),
        np.zeros((num_gts, 4), np.float32),
        np.full(num_gts, -1, np.int32),
        np.zeros(num_gts, bool),
        sample.index,
        sample.label,
        sample.deltas,
        np.zeros(config.rpn_proposal_max_num + num_gts, np.float32),
    )
    return [np.stack([each] * BATCH) for each in of_an_image]
