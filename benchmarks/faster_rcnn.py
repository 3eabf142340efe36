"""Faster R-CNN with Res2Net-50 beside PyTorch's formulation of its dense part, on a CPU.

    python benchmarks/faster_rcnn.py                 the table
    python benchmarks/faster_rcnn.py --operators     where our time goes, operator by operator

The PyTorch side is always the dense part alone: backbone, pyramid and RPN, and in training their gradients, the RPN's
loss and the update of these weights by SGD. Ours is the same dense part ("dense"), everything from images to detections
("inference"), or a whole training step with proposals, sampling, RoIAlign and the RoI head ("train"), which are thus
compared with less work. Stem and first stage are frozen on both sides, batch norm uses its moving statistics.
"""

import sys
from pathlib import Path

import numpy as np

# This file has the name of a suite: the repository must stand on the path instead of this folder.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.side_by_side import OURS, REFERENCE, Work, Workload, run_benchmark, torch_forward, torch_step

NUM_CLASSES, NUM_BOXES = 80, 8
STRIDES, ANCHORS_PER_CELL, NUM_SAMPLES = (4, 8, 16, 32, 64), 3, 256
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 1e-4
WORKLOADS = tuple(Workload(mode, 384, 640) for mode in ("dense", "inference", "train"))


def mindspore_work(workload: Workload) -> Work:
    """Returns a call of this repository's network, on inputs from the host."""
    from utils.model_utils.device_adapter import set_up_device  # isort: skip  (before mindspore: sets a variable)
    import mindspore as ms

    from faster_rcnn.src import build
    from faster_rcnn.src.config import load

    set_up_device("CPU")
    config = load(
        [
            f"--img_height={workload.height}",
            f"--img_width={workload.width}",
            f"--num_classes={NUM_CLASSES}",
            f"--batch_size={workload.batch}",
            f"--momentum={MOMENTUM}",
            f"--weight_decay={WEIGHT_DECAY}",
            "--loss_scale=1",
        ]
    )
    network = build.build_network(config, NUM_CLASSES)
    images = workload.images()
    if workload.mode == "train":
        step = build.build_train_step(config, network, NUM_CLASSES, "O0")
        step.optimizer.set_learning_rate(LEARNING_RATE)
        batch = training_batch(workload, config)
        return lambda: step(images, *batch)
    network.set_train(False)
    if workload.mode == "dense":
        return lambda: [part.asnumpy() for part in network(ms.Tensor(images))[1:]]
    detector = build.build_inference(config, network).set_train(False)
    metas = np.tile(np.array([workload.height, workload.width, 1, 1], np.float32), (workload.batch, 1))
    return lambda: [part.asnumpy() for part in detector(ms.Tensor(images), ms.Tensor(metas))]


def training_batch(workload: Workload, config: object) -> tuple[np.ndarray, ...]:
    """Returns what a training step takes beside the images, as the loaders make it."""
    from faster_rcnn.src import build
    from faster_rcnn.src.FasterRcnn.bbox_assign_sample import assign_and_sample

    content, num_gts = (workload.height, workload.width), config.num_gts
    corners = np.random.default_rng(1).uniform(0, [workload.width, workload.height], (NUM_BOXES, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1) + 1], axis=1).astype(np.float32)
    draws = np.random.default_rng(2)
    is_crowd = np.zeros(NUM_BOXES, bool)
    sample = assign_and_sample(
        build.build_anchors(config), boxes, is_crowd, content, build.build_rpn_rule(config), draws
    )
    slots = np.zeros((num_gts, 4), np.float32)
    labels = np.full(num_gts, -1, np.int32)
    slots[:NUM_BOXES], labels[:NUM_BOXES] = boxes, draws.integers(0, NUM_CLASSES, NUM_BOXES)
    priority = draws.random(config.rpn_proposal_max_num + num_gts).astype(np.float32)
    parts = (
        np.array(content, np.float32),
        slots,
        labels,
        np.zeros(num_gts, bool),
        sample.index,
        sample.label,
        sample.deltas,
        priority,
    )
    return tuple(np.stack([part] * workload.batch) for part in parts)


def torch_work(workload: Workload) -> Work:
    """Returns a call of the dense part in PyTorch, as the tests compare it."""
    import torch

    from faster_rcnn.tests.torch_reference import ReferenceNetwork

    network = ReferenceNetwork(num_classes=NUM_CLASSES).eval()  # frozen statistics
    images = torch.from_numpy(workload.images())
    if workload.mode != "train":
        return torch_forward(lambda: network(images)[1:])
    for part in (network.backbone.stem, network.backbone.layer1, network.roi_head):
        part.requires_grad_(False)
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    num_anchors = ANCHORS_PER_CELL * sum(
        -(-workload.height // stride) * -(-workload.width // stride) for stride in STRIDES
    )
    chosen = torch.from_numpy(np.random.default_rng(3).choice(num_anchors, NUM_SAMPLES, replace=False))
    labels = torch.zeros(workload.batch, NUM_SAMPLES)
    labels[:, :NUM_BOXES] = 1

    def loss_of() -> torch.Tensor:
        _, objectness, deltas = network(images)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(objectness[:, chosen], labels)
        return loss + deltas[:, chosen[:NUM_BOXES]].abs().sum() / NUM_SAMPLES

    return torch_step(optimizer, loss_of)


WORKS = {REFERENCE: torch_work, OURS: mindspore_work}

if __name__ == "__main__":
    run_benchmark(__doc__, WORKS, WORKLOADS)
