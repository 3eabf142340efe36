"""Measures the same work in PyTorch and in MindSpore in one run, and prints ratios.

Each measurement starts one process per framework. Both warm up, then they take turns, so that a busy machine slows
both; the medians are compared. Peak memory is that of the process, the first call (which compiles) is timed by itself.
"""

import argparse
import collections
import csv
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

WARM_UP = 2
REFERENCE, OURS = "PyTorch", "MindSpore"

Work = Callable[[], object]


@dataclass(frozen=True)
class Workload:
    """What is measured: a mode and the size of the input."""

    mode: str
    height: int
    width: int
    batch: int = 1

    def __str__(self) -> str:
        return f"{self.mode} {self.height}x{self.width}, batch {self.batch}"

    def images(self) -> np.ndarray:
        """Returns float32[N, 3, H, W], the same at each call."""
        shape = (self.batch, 3, self.height, self.width)
        return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


MakeWork = Callable[[Workload], Work]  # in the process that will run it


@dataclass(frozen=True)
class Measurement:
    """One framework at one workload.

    Attributes:
        first: seconds of the first call, compilation included.
        seconds: median of the later ones.
        processor_seconds: the same of the processor's time, over all threads.
        peak_bytes: largest resident memory of the process.
    """

    first: float
    seconds: float
    processor_seconds: float
    peak_bytes: int


def run_benchmark(description: str, works: Mapping[str, MakeWork], workloads: Sequence[Workload]) -> None:
    """Reads the command line and prints a table with a line for each workload, or where MindSpore's time goes.

    Args:
        description: for `--help`.
        works: for "PyTorch" and "MindSpore", what makes the call to measure; functions at the top of a module.
        workloads: what is measured.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="workloads whose name contains this; all by default")
    parser.add_argument("--operators", action="store_true", help="print where MindSpore's time goes instead")
    arguments = parser.parse_args()
    chosen = [workload for workload in workloads if arguments.only in str(workload)]
    if arguments.operators:
        use_cores(arguments.threads)
        for workload in chosen:
            print_operators(works[OURS](workload), str(workload))
        return
    print(f"{'':28}{'seconds':^29}{'processor seconds':^29}{'first call':^21}{'peak memory, GB':^21}")
    names = f"{REFERENCE:>10}{OURS:>11}"
    print(f"{'workload':28}" + (names + f"{'ratio':>8}") * 2 + names * 2)
    for workload in chosen:
        result = compare(works, workload, arguments.threads, arguments.rounds)
        print(format_line(str(workload), result[REFERENCE], result[OURS]), flush=True)


def format_line(name: str, reference: Measurement, ours: Measurement) -> str:
    """Returns a line of the table."""
    line = f"{name:28}"
    for theirs, mine in ((reference.seconds, ours.seconds), (reference.processor_seconds, ours.processor_seconds)):
        line += f"{theirs:10.3f}{mine:11.3f}{mine / theirs:8.2f}"
    line += f"{reference.first:10.1f}{ours.first:11.1f}"
    return f"{line}{reference.peak_bytes / 1e9:10.2f}{ours.peak_bytes / 1e9:11.2f}"


def torch_forward(call: Callable[[], Sequence]) -> Work:
    """Returns a forward pass in PyTorch, whose outputs, tensors, go to the host."""
    import torch

    @torch.no_grad()
    def forward() -> None:
        for part in call():
            part.numpy()

    return forward


def torch_step(optimizer: "torch.optim.Optimizer", loss_of: Callable[[], "torch.Tensor"]) -> Work:
    """Returns a training step in PyTorch."""

    def step() -> None:
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def use_cores(count: int) -> None:
    """Lets this process run on `count` cores only, with as many threads, before a framework is imported."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def serve(make_work: MakeWork, workload: Workload, threads: int, connection: Connection) -> None:
    """Warms up, then runs once per message and answers with the seconds and the processor's seconds.

    A message of None ends it, answered with the peak memory in bytes.
    """
    use_cores(threads)
    work = make_work(workload)
    start = time.perf_counter()
    work()
    first = time.perf_counter() - start
    for _ in range(WARM_UP):
        work()
    connection.send(first)
    while connection.recv() is not None:
        start, start_of_processor = time.perf_counter(), time.process_time()
        work()
        connection.send((time.perf_counter() - start, time.process_time() - start_of_processor))
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def compare(works: Mapping[str, MakeWork], workload: Workload, threads: int, rounds: int) -> dict[str, Measurement]:
    """Returns the measurement of each framework."""
    context = multiprocessing.get_context("spawn")
    servers, firsts = {}, {}
    for name, make_work in works.items():
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(make_work, workload, threads, theirs), daemon=True)
        process.start()
        firsts[name] = ours.recv()
        servers[name] = (process, ours)
    times = {name: [] for name in works}
    for _ in range(rounds):
        for name, (_, connection) in servers.items():
            connection.send("run")
            times[name].append(connection.recv())
    result = {}
    for name, (process, connection) in servers.items():
        connection.send(None)
        medians = map(statistics.median, zip(*times[name], strict=True))
        result[name] = Measurement(firsts[name], *medians, connection.recv())
        process.join(30)
    return result


def print_operators(work: Work, name: str) -> None:
    """Prints how long MindSpore's operators take in one call, by kind and, for this repository's kernels, by Cell."""
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
    print(f"\n{name}\n{'operator':42}{'calls':>7}{'ms':>9}{'share':>8}")
    for kind, milliseconds in totals.most_common(20):
        print(f"{kind:42}{counts[kind]:7}{milliseconds:9.1f}{milliseconds / totals.total():8.1%}")
    print(f"{'all':42}{counts.total():7}{totals.total():9.1f}")


def operator_kind(operator: str, full_name: str) -> str:
    """Returns the name to count an operator under: a kernel is called by the class of the Cell that it is in."""
    if operator != "Custom":
        return operator
    cells = [part for part in full_name.split("/") if "-" in part and not part.startswith("Custom-op")]
    direction = "gradient" if "Grad_Custom" in full_name else "forward"
    return f"kernel of {cells[-1].rpartition('-')[2] if cells else 'an unnamed cell'}, {direction}"
