"""SegFormer-B0 beside transformers' SegFormer-B0 on PyTorch, on a CPU: forward pass and training step.

    python benchmarks/segformer.py                 the table
    python benchmarks/segformer.py --operators     where our time goes, operator by operator

Both sides get images and labels from the host, enlarge the logits to the labels' size and update by AdamW.
"""

import sys
from pathlib import Path

import numpy as np

# This file has the name of a suite: the repository must stand on the path instead of this folder.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.side_by_side import OURS, REFERENCE, Work, Workload, run_benchmark, torch_forward, torch_step

NUM_CLASSES = 19
WORKLOADS = tuple(Workload(mode, *size) for size in ((512, 1024), (320, 320, 2)) for mode in ("forward", "train"))


def labels_of(workload: Workload) -> np.ndarray:
    """Returns int32[N, H, W], one pixel in 20 ignored (255)."""
    labels = np.random.default_rng(1).integers(0, NUM_CLASSES + 1, (workload.batch, workload.height, workload.width))
    return np.where(labels == NUM_CLASSES, 255, labels).astype(np.int32)


def torch_work(workload: Workload) -> Work:
    """Returns a call of transformers' network."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    network = SegformerForSemanticSegmentation(SegformerConfig(num_labels=NUM_CLASSES))
    images = torch.from_numpy(workload.images())
    if workload.mode == "forward":
        network.eval()
        return torch_forward(lambda: (network(images).logits,))
    network.train()
    labels = torch.from_numpy(labels_of(workload)).long()
    optimizer = torch.optim.AdamW(network.parameters(), lr=6e-5, weight_decay=0.01)

    def loss_of() -> torch.Tensor:
        logits = torch.nn.functional.interpolate(network(images).logits, size=labels.shape[1:], mode="bilinear")
        return torch.nn.functional.cross_entropy(logits, labels, ignore_index=255)

    return torch_step(optimizer, loss_of)


def mindspore_work(workload: Workload) -> Work:
    """Returns a call of this repository's network, on inputs from the host as in training."""
    from utils.model_utils.device_adapter import set_up_device  # isort: skip  (before mindspore: sets a variable)
    import mindspore as ms

    from segformer.src import build
    from segformer.src.config import load

    set_up_device("CPU")
    config = load([f"--class_num={NUM_CLASSES}", f"--batch_size={workload.batch}"])
    network = build.build_network(config)
    images, labels = workload.images(), labels_of(workload)
    if workload.mode == "forward":
        network.set_train(False)
        return lambda: network(ms.Tensor(images)).asnumpy()
    step = build.build_train_step(config, network, "O0")
    step.optimizer.set_learning_rate(6e-5)
    size = build.network_size(config)
    path_scale = np.ones((workload.batch, 2 * sum(size.depths)), np.float32)
    channel_scale = np.ones((workload.batch, size.decoder_channels), np.float32)
    return lambda: step(images, labels, path_scale, channel_scale)


WORKS = {REFERENCE: torch_work, OURS: mindspore_work}

if __name__ == "__main__":
    run_benchmark(__doc__, WORKS, WORKLOADS)
