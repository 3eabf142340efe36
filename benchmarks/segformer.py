"""SegFormer-B0 beside transformers' SegFormer-B0 on PyTorch, on a CPU: forward pass and training step.

    python benchmarks/segformer.py                 the table
    python benchmarks/segformer.py --operators     where our time goes, operator by operator

Both sides get images and labels from the host, enlarge the logits to the labels' size and update by AdamW.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# This file has the name of a suite: the repository must stand on the path instead of this folder.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.side_by_side import OURS, REFERENCE, Work, run_benchmark

NUM_CLASSES = 19


@dataclass(frozen=True)
class Workload:
    """What is measured: a mode and the size of the batch."""

    mode: str
    batch: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.mode} {self.height}x{self.width}, batch {self.batch}"

    def images(self) -> np.ndarray:
        """Returns float32[N, 3, H, W], the same at each call."""
        shape = (self.batch, 3, self.height, self.width)
        return np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    def labels(self) -> np.ndarray:
        """Returns int32[N, H, W], one pixel in 20 ignored (255)."""
        labels = np.random.default_rng(1).integers(0, NUM_CLASSES + 1, (self.batch, self.height, self.width))
        return np.where(labels == NUM_CLASSES, 255, labels).astype(np.int32)


WORKLOADS = tuple(Workload(mode, *size) for size in ((1, 512, 1024), (2, 320, 320)) for mode in ("forward", "train"))


def torch_work(workload: Workload) -> Work:
    """Returns a call of transformers' network."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    network = SegformerForSemanticSegmentation(SegformerConfig(num_labels=NUM_CLASSES))
    images = torch.from_numpy(workload.images())
    if workload.mode == "forward":
        network.eval()

        @torch.no_grad()
        def forward() -> None:
            network(images).logits.numpy()

        return forward
    network.train()
    labels = torch.from_numpy(workload.labels()).long()
    optimizer = torch.optim.AdamW(network.parameters(), lr=6e-5, weight_decay=0.01)

    def step() -> None:
        optimizer.zero_grad()
        logits = torch.nn.functional.interpolate(network(images).logits, size=labels.shape[1:], mode="bilinear")
        loss = torch.nn.functional.cross_entropy(logits, labels, ignore_index=255)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def mindspore_work(workload: Workload) -> Work:
    """Returns a call of this repository's network, on inputs from the host as in training."""
    from utils.model_utils.device_adapter import set_up_device  # isort: skip  (before mindspore: sets a variable)
    import mindspore as ms

    from segformer.src.loss import SegmentationLoss
    from segformer.src.mix_transformer import MixTransformer
    from segformer.src.segformer import Segformer, SegformerTraining
    from segformer.src.segformer_head import SegformerHead
    from segformer.src.variants import MIT_VARIANTS
    from utils.training.step.optimizer import build_optimizer
    from utils.training.step.train_step import TrainStep

    set_up_device("CPU")
    size = MIT_VARIANTS["mit_b0"]
    backbone = MixTransformer(size.widths, size.depths)
    network = Segformer(backbone, SegformerHead(size.widths, size.decoder_channels, NUM_CLASSES))
    images, labels = workload.images(), workload.labels()
    if workload.mode == "forward":
        network.set_train(False)
        return lambda: network(ms.Tensor(images)).asnumpy()
    optimizer = build_optimizer("adamw", network.get_parameters(), weight_decay=0.01, no_decay_norm_bias=False)
    step = TrainStep(SegformerTraining(network, SegmentationLoss(NUM_CLASSES)), optimizer)
    step.optimizer.set_learning_rate(6e-5)
    path_scale = np.ones((workload.batch, 2 * backbone.num_blocks), np.float32)
    channel_scale = np.ones((workload.batch, size.decoder_channels), np.float32)
    return lambda: step(images, labels, path_scale, channel_scale)


WORKS = {REFERENCE: torch_work, OURS: mindspore_work}

if __name__ == "__main__":
    run_benchmark(__doc__, WORKS, WORKLOADS)
