"""SegFormer-B0 beside transformers' SegFormer-B0 on PyTorch, on a CPU: forward pass and training step.

    python benchmarks/segformer.py                 the table
    python benchmarks/segformer.py --operators     where our time goes, operator by operator

Each measurement starts one process per framework. Both warm up, then they take turns, so that a busy machine slows
both; the medians are compared. Peak memory is that of the process.
"""

import argparse
import collections
import csv
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

# This file has the name of a suite: the repository must stand on the path instead of this folder.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

NUM_CLASSES = 19
MODES = ("forward", "train")
SIZES = ((1, 512, 1024), (2, 320, 320))   # batch, height, width
WARM_UP = 3


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


def torch_work(workload: Workload) -> Callable[[], None]:
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


def mindspore_work(workload: Workload) -> Callable[[], None]:
    """Returns a call of this repository's network, on inputs from the host as in training."""
    from utils.model_utils.device_adapter import set_up_device   # isort: skip  (before mindspore: sets a variable)
    import mindspore as ms

    from segformer.src.loss import SegmentationLoss
    from segformer.src.mix_transformer import MIT_VARIANTS, MixTransformer
    from segformer.src.optimizers import build_optimizer
    from segformer.src.segformer import Segformer, SegformerTraining
    from segformer.src.segformer_head import SegformerHead
    from utils.training.step import TrainStep

    set_up_device("CPU")
    size = MIT_VARIANTS["mit_b0"]
    backbone = MixTransformer(size.widths, size.depths)
    network = Segformer(backbone, SegformerHead(size.widths, size.decoder_channels, NUM_CLASSES))
    images, labels = workload.images(), workload.labels()
    if workload.mode == "forward":
        network.set_train(False)
        return lambda: network(ms.Tensor(images)).asnumpy()
    step = TrainStep(SegformerTraining(network, SegmentationLoss(NUM_CLASSES)),
                     build_optimizer("adamw", network, weight_decay=0.01))
    step.set_learning_rate(6e-5)
    path_scale = np.ones((workload.batch, 2 * backbone.num_blocks), np.float32)
    channel_scale = np.ones((workload.batch, size.decoder_channels), np.float32)
    return lambda: step(images, labels, path_scale, channel_scale)


WORKS = {"PyTorch": torch_work, "MindSpore": mindspore_work}


def use_cores(count: int) -> None:
    """Lets this process run on `count` cores only, with as many threads, before a framework is imported."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def serve(name: str, workload: Workload, threads: int, connection: Connection) -> None:
    """Warms up, then runs once per message and answers with the seconds and the processor's seconds.

    A message of None ends it, answered with the peak memory in bytes.
    """
    use_cores(threads)
    work = WORKS[name](workload)
    for _ in range(WARM_UP):
        work()
    connection.send("ready")
    while connection.recv() is not None:
        start, start_of_processor = time.perf_counter(), time.process_time()
        work()
        connection.send((time.perf_counter() - start, time.process_time() - start_of_processor))
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def compare(workload: Workload, threads: int, rounds: int) -> dict[str, tuple[float, float, float]]:
    """Returns for each framework the median seconds, those of the processor, and the peak memory in bytes."""
    context = multiprocessing.get_context("spawn")
    lines = {}
    for name in WORKS:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(name, workload, threads, theirs), daemon=True)
        process.start()
        ours.recv()
        lines[name] = (process, ours)
    seconds = {name: [] for name in WORKS}
    for _ in range(rounds):
        for name, (_, connection) in lines.items():
            connection.send("run")
            seconds[name].append(connection.recv())
    result = {}
    for name, (process, connection) in lines.items():
        connection.send(None)
        result[name] = (*map(statistics.median, zip(*seconds[name], strict=True)), connection.recv())
        process.join(30)
    return result


def print_operators(workload: Workload) -> None:
    """Prints how long MindSpore's operators take in one call, by kind and, for this repository's kernels, by Cell."""
    work = mindspore_work(workload)
    from mindspore.profiler import ProfilerActivity, profile, tensorboard_trace_handler

    for _ in range(WARM_UP):
        work()
    with tempfile.TemporaryDirectory() as folder:
        with profile(activities=[ProfilerActivity.CPU], on_trace_ready=tensorboard_trace_handler(folder)):
            work()
        with next(Path(folder).rglob("cpu_op_detail_info_*.csv")).open(newline="") as file:
            rows = list(csv.DictReader(file))
    totals, counts = collections.Counter(), collections.Counter()
    for row in rows:
        kind = operator_kind(row["op_type"], row["full_op_name"])
        totals[kind] += float(row["op_total_time(ms)"])
        counts[kind] += int(row["op_occurrences"])
    print(f"\n{workload}\n{'operator':42}{'calls':>7}{'ms':>9}{'share':>8}")
    for kind, milliseconds in totals.most_common(20):
        print(f"{kind:42}{counts[kind]:7}{milliseconds:9.1f}{milliseconds / totals.total():8.1%}")
    print(f"{'all':42}{counts.total():7}{totals.total():9.1f}")


def operator_kind(operator: str, full_name: str) -> str:
    """Returns the name to count an operator under: a kernel is called by the class of the Cell that it is in."""
    if operator != "Custom":
        return operator
    cells = [part for part in full_name.split("/") if "-" in part and not part.startswith("Custom-op")]
    direction = "gradient" if "Grad_Custom" in full_name else "forward"
    return f"kernel of {cells[-1].rpartition('-')[2]}, {direction}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--mode", choices=MODES, action="append", help="only this; both by default")
    parser.add_argument("--operators", action="store_true", help="print where MindSpore's time goes instead")
    arguments = parser.parse_args()
    workloads = [Workload(mode, *size) for size in SIZES for mode in arguments.mode or MODES]
    if arguments.operators:
        use_cores(arguments.threads)
        for workload in workloads:
            print_operators(workload)
        return
    print(f"{'':28}{'seconds':^30}{'processor seconds':^30}{'peak memory, GB':^21}")
    names = f"{'PyTorch':>10}{'MindSpore':>11}"
    print(f"{'workload':28}" + (names + f"{'ratio':>8} ") * 2 + names)
    for workload in workloads:
        result = compare(workload, arguments.threads, arguments.rounds)
        line = f"{workload!s:28}"
        for theirs, ours in list(zip(result["PyTorch"], result["MindSpore"], strict=True))[:2]:
            line += f"{theirs:10.3f}{ours:11.3f}{ours / theirs:8.2f} "
        print(f"{line}{result['PyTorch'][2] / 1e9:10.2f}{result['MindSpore'][2] / 1e9:11.2f}", flush=True)


if __name__ == "__main__":
    main()
