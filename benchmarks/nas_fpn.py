"""RetinaNet with ResNet-50 and NAS-FPN 7 x 256 beside a PyTorch formulation, on a CPU: forward pass, training step.

    python benchmarks/nas_fpn.py                 the table
    python benchmarks/nas_fpn.py --operators     where our time goes, operator by operator

The PyTorch side is the dense network (backbone, pyramid, head), the focal loss and the box loss in PyTorch's own
operators; both sides get images and anchor targets from the host and update 59,967,284 weights by SGD with momentum.
"""

import sys
from pathlib import Path

import numpy as np

# This file has the name of a suite: the repository must stand on the path instead of this folder.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.side_by_side import OURS, REFERENCE, Work, Workload, run_benchmark, torch_forward, torch_step

NUM_CLASSES, LAYERS, STACKS, TOWER_CONVS = 80, (3, 4, 6, 3), 7, 4
ANCHORS_PER_CELL = 9
ALPHA, GAMMA = 0.25, 2.0
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 1e-4
WORKLOADS = tuple(Workload(mode, size, size) for size in (640, 384) for mode in ("forward", "train"))


def mindspore_work(workload: Workload) -> Work:
    """Returns a call of this repository's network, on inputs from the host as in training."""
    from utils.model_utils.device_adapter import set_up_device  # isort: skip  (before mindspore: sets a variable)
    import mindspore as ms

    from nas_fpn.src import build

    set_up_device("CPU")
    config = configuration(workload)
    network = build.build_network(config, NUM_CLASSES)
    images = workload.images()
    if workload.mode == "forward":
        network.set_train(False)
        return lambda: [part.asnumpy() for part in network(ms.Tensor(images))]
    step = build.build_train_step(config, network, NUM_CLASSES, "O0")
    step.optimizer.set_learning_rate(LEARNING_RATE)
    classes, deltas = targets(workload)
    return lambda: step(images, classes, deltas)


def configuration(workload: Workload) -> object:
    """Returns this repository's configuration."""
    from nas_fpn.src.config import load

    return load(
        [
            f"--img_shape=[{workload.height},{workload.width}]",
            f"--batch_size={workload.batch}",
            f"--alpha={ALPHA}",
            f"--gamma={GAMMA}",
            "--box_loss=l1",
            f"--momentum={MOMENTUM}",
            f"--weight_decay={WEIGHT_DECAY}",
            "--loss_scale=1",
        ]
    )


def targets(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Returns classes int32[N, A], one anchor in 1000 positive, and target deltas float32[N, A, 4]."""
    draws = np.random.default_rng(1)
    num_anchors = ANCHORS_PER_CELL * sum((workload.height // stride) ** 2 for stride in (8, 16, 32, 64, 128))
    classes = draws.integers(0, NUM_CLASSES, (workload.batch, num_anchors))
    is_positive = draws.random(classes.shape) < 0.001
    deltas = draws.standard_normal((workload.batch, num_anchors, 4)).astype(np.float32)
    return np.where(is_positive, classes, NUM_CLASSES).astype(np.int32), deltas


def torch_work(workload: Workload) -> Work:
    """Returns a call of the PyTorch formulation that the tests compare with, its weights in PyTorch's usual form."""
    from utils.model_utils.device_adapter import set_up_device  # isort: skip  (before mindspore: sets a variable)
    import torch

    from nas_fpn.src import build
    from nas_fpn.tests.torch_reference import ReferenceNetwork

    set_up_device("CPU")
    network = build.build_network(configuration(workload), NUM_CLASSES)
    weights = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    is_training = workload.mode == "train"
    network = ReferenceNetwork(weights, LAYERS, STACKS, TOWER_CONVS, NUM_CLASSES, is_training)
    images = torch.from_numpy(workload.images())
    if not is_training:
        return torch_forward(lambda: network(images))
    learned = [weight for weight in network.weights.values() if weight.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    classes, deltas = (torch.from_numpy(part) for part in targets(workload))
    return torch_step(optimizer, lambda: torch_loss(*network(images), classes.long(), deltas))


def torch_loss(logits: object, deltas: object, classes: object, target_deltas: object) -> object:
    """Returns focal loss plus L1 over the positive anchors, in PyTorch."""
    import torch
    from torch.nn import functional

    targets = functional.one_hot(classes, NUM_CLASSES + 1)[..., :NUM_CLASSES].to(logits.dtype)
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    miss = (torch.sigmoid(logits) - targets).abs()
    weight = torch.where(targets > 0, ALPHA, 1 - ALPHA)
    is_positive = classes < NUM_CLASSES
    boxes = (deltas - target_deltas).abs()[is_positive].sum()
    return ((weight * miss**GAMMA * cross_entropy).sum() + boxes) / is_positive.sum()


WORKS = {REFERENCE: torch_work, OURS: mindspore_work}

if __name__ == "__main__":
    run_benchmark(__doc__, WORKS, WORKLOADS)
