"""RetinaNet with ResNet-50 and NAS-FPN 7 x 256 beside a PyTorch formulation, on a CPU: forward pass, training step.

    python benchmarks/nas_fpn.py                 the table
    python benchmarks/nas_fpn.py --operators     where our time goes, operator by operator

The PyTorch side is the dense network (backbone, pyramid, head), the focal loss and the box loss in PyTorch's own
operators; both sides get images and anchor targets from the host and update 59,967,284 weights by SGD with momentum.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# This file has the name of a suite: the repository must stand on the path instead of this folder.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.side_by_side import OURS, REFERENCE, Work, run_benchmark

NUM_CLASSES, LAYERS, CHANNELS, STACKS, TOWER_CONVS = 80, (3, 4, 6, 3), 256, 7, 4
ANCHORS_PER_CELL = 9
ALPHA, GAMMA = 0.25, 2.0
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 1e-4


@dataclass(frozen=True)
class Workload:
    """What is measured: a mode and the size of the input."""

    mode: str
    size: int
    batch: int = 1

    def __str__(self) -> str:
        return f"{self.mode} {self.size}x{self.size}, batch {self.batch}"

    @property
    def num_anchors(self) -> int:
        """Anchors of P3 to P7."""
        return ANCHORS_PER_CELL * sum((self.size // stride) ** 2 for stride in (8, 16, 32, 64, 128))

    def images(self) -> np.ndarray:
        """Returns float32[N, 3, H, W], the same at each call."""
        return np.random.default_rng(0).standard_normal((self.batch, 3, self.size, self.size)).astype(np.float32)

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns classes int32[N, A], one anchor in 1000 positive, and target deltas float32[N, A, 4]."""
        generator = np.random.default_rng(1)
        classes = generator.integers(0, NUM_CLASSES, (self.batch, self.num_anchors))
        is_positive = generator.random(classes.shape) < 0.001
        deltas = generator.standard_normal((self.batch, self.num_anchors, 4)).astype(np.float32)
        return np.where(is_positive, classes, NUM_CLASSES).astype(np.int32), deltas


WORKLOADS = tuple(Workload(mode, size) for size in (640, 384) for mode in ("forward", "train"))


def mindspore_work(workload: Workload) -> Work:
    """Returns a call of this repository's network, on inputs from the host as in training."""
    from utils.model_utils.device_adapter import set_up_device  # isort: skip  (before mindspore: sets a variable)
    import mindspore as ms

    from nas_fpn.src.loss import RetinaNetLoss
    from nas_fpn.src.retinanet_nasfpn import RetinaNetTraining
    from utils.training.step.optimizer import build_optimizer
    from utils.training.step.train_step import TrainStep

    set_up_device("CPU")
    network = detector()
    images = workload.images()
    if workload.mode == "forward":
        network.set_train(False)
        return lambda: [part.asnumpy() for part in network(ms.Tensor(images))]
    loss = RetinaNetLoss(NUM_CLASSES, alpha=ALPHA, gamma=GAMMA, box_beta=0.0, box_weight=1.0)
    optimizer = build_optimizer(
        "sgd", network.get_parameters(), momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, no_decay_norm_bias=False
    )
    step = TrainStep(RetinaNetTraining(network, loss), optimizer)
    step.optimizer.set_learning_rate(LEARNING_RATE)
    classes, deltas = workload.targets()
    return lambda: step(images, classes, deltas)


def detector() -> object:
    """Returns this repository's network with random weights."""
    from nas_fpn.src.nasfpn import NasFpn
    from nas_fpn.src.resnet import ResNet
    from nas_fpn.src.retinahead import RetinaHead
    from nas_fpn.src.retinanet_nasfpn import RetinaNetNasFpn
    from utils.detection.layers import TRAINED, NormSettings

    norm = NormSettings(TRAINED, is_fused=False)
    return RetinaNetNasFpn(
        ResNet(LAYERS, 64, norm),
        NasFpn((512, 1024, 2048), CHANNELS, STACKS, norm),
        RetinaHead(CHANNELS, CHANNELS, TOWER_CONVS, ANCHORS_PER_CELL, NUM_CLASSES, norm),
    )


def torch_work(workload: Workload) -> Work:
    """Returns a call of the PyTorch formulation that the tests compare with, its weights in PyTorch's usual form."""
    from utils.model_utils.device_adapter import set_up_device  # isort: skip  (before mindspore: sets a variable)
    import torch

    from nas_fpn.tests.torch_reference import ReferenceNetwork

    set_up_device("CPU")
    weights = {parameter.name: parameter.asnumpy() for parameter in detector().get_parameters()}
    is_training = workload.mode == "train"
    network = ReferenceNetwork(weights, LAYERS, STACKS, TOWER_CONVS, NUM_CLASSES, is_training)
    images = torch.from_numpy(workload.images())
    if not is_training:

        @torch.no_grad()
        def forward() -> None:
            for part in network(images):
                part.numpy()

        return forward
    learned = [weight for weight in network.weights.values() if weight.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    classes, deltas = (torch.from_numpy(part) for part in workload.targets())

    def step() -> None:
        optimizer.zero_grad()
        torch_loss(*network(images), classes.long(), deltas).backward()
        optimizer.step()

    return step


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
