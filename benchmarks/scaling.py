"""One worker beside two on this machine, with gradients fused and not; and larger jobs on paper.

    python benchmarks/scaling.py segformer --data=FOLDER [--steps=30] [--cores=1] [-- --key=value...]
    python benchmarks/scaling.py --paper

The real train.py runs: first one worker on as many cores as each of the others gets, then two with gradient_fusion_mb
32 and with 0. All have the same batch for a worker. What follows `--` goes on to train.py, --config_path among it; else
the configuration is config/quickstart.yaml, and the data is what quickstart.sh draws. The first steps compile and five
are profiled, for the time in the sums over the workers, waiting for each other included; the medians are of later ones.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # this folder has files with the names of suites

from benchmarks.scaling_model import format_table
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError
from utils.training.record.profiling import FIRST_STEPS, PROFILE_FOLDER, STEPS, STEPS_FILE
from utils.words import counted

DATA_FLAGS = {"nas_fpn": "--coco_root", "segformer": "--data_path", "faster_rcnn": "--coco_root"}
SKIPPED = FIRST_STEPS + STEPS + 1  # the profile is written in the step after it
LIMIT_SECONDS = 1800.0
REDUCTION = "AllReduce"


@dataclass(frozen=True)
class Case:
    """One way to train.

    Attributes:
        workers: number of processes.
        fusion_mb: megabytes of gradients in a call.
    """

    workers: int
    fusion_mb: int

    def __str__(self) -> str:
        return counted(self.workers, "worker") + (f", gradient_fusion_mb {self.fusion_mb}" if self.workers > 1 else "")


@dataclass(frozen=True)
class Timing:
    """What a run came to.

    Attributes:
        steps_per_second: from the median of waiting for data and the step.
        images_per_second: of all workers.
        reduction_ms: in a step, in sums over the workers; while it was profiled.
        step_ms: of a step, while it was profiled.
    """

    steps_per_second: float
    images_per_second: float
    reduction_ms: float
    step_ms: float


CASES = (Case(1, 32), Case(2, 32), Case(2, 0))


def main() -> None:
    """Reads the command line and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", nargs="?", choices=sorted(DATA_FLAGS), default="segformer")
    parser.add_argument("--data", type=Path, default=ROOT / "sample_data" / "toy_town")
    parser.add_argument("--steps", type=int, default=30, help="steps that count")
    parser.add_argument("--cores", type=int, default=max(1, len(os.sched_getaffinity(0)) // 2), help="of each worker")
    parser.add_argument("--paper", action="store_true", help="print the table of larger jobs on paper instead")
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:cut])
    if arguments.paper:
        print(format_table())
        return
    extra = [f"{DATA_FLAGS[arguments.suite]}={arguments.data.resolve()}", *sys.argv[cut + 1 :]]
    if not any(text.startswith("--config_path") for text in extra):
        extra = [f"--config_path={ROOT / arguments.suite / 'config' / 'quickstart.yaml'}", *extra]
    timings: dict[Case, Timing] = {}
    for case in CASES:
        timings[case] = measure(case, arguments.suite, arguments.steps, arguments.cores, extra)
        print(format_timings(timings).splitlines()[-1], file=sys.stderr, flush=True)
    print(format_timings(timings))


def measure(case: Case, suite: str, steps: int, cores: int, extra: Sequence[str]) -> Timing:
    """Trains until enough steps are there and returns their times."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        command = [
            sys.executable,
            str(ROOT / suite / "train.py"),
            "--device_target=CPU",
            "--run_eval=False",
            "--enable_profiling=True",
            "--log_interval=1",
            f"--gradient_fusion_mb={case.fusion_mb}",
            *extra,
            f"--run_dir={run}",
        ]
        if case.workers > 1:
            command += ["--run_distribute=True", f"--device_num={case.workers}"]
        chosen = sorted(os.sched_getaffinity(0))[: cores * case.workers]
        with (run / "output").open("w") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                preexec_fn=lambda: os.sched_setaffinity(0, chosen),
            )
        try:
            rows = _wait_for_steps(process, run, SKIPPED + steps)
        finally:
            process.terminate()
            process.wait()
        return evaluate(rows[SKIPPED:], run / PROFILE_FOLDER)


def _wait_for_steps(process: subprocess.Popen, run: Path, count: int) -> list[dict]:
    """Returns the rows of the first steps as soon as there are so many."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        has_ended = process.poll() is not None
        rows = [row for row in _rows(run / "metrics.jsonl") if row["kind"] == "step"]
        if len(rows) >= count:
            return rows[:count]
        if has_ended or time.monotonic() > deadline:
            raise BadStateError(
                f"{len(rows)} steps of {count} when the run ended, or after {LIMIT_SECONDS:g} s: take "
                "more images or --epoch_size, or fewer --steps; the last output was:\n"
                f"{(run / 'output').read_text(errors='replace')[-2000:]}"
            )
        time.sleep(0.5)


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def evaluate(rows: Sequence[Mapping[str, float]], profile: Path) -> Timing:
    """Returns the times of steps that were not profiled, and what the profile says of the sums over the workers.

    Args:
        rows: of metrics.jsonl, of steps.
        profile: folder of the profile.
    """
    seconds = statistics.median((row["data_ms"] + row["step_ms"]) / 1000 for row in rows)
    images = statistics.median(row["images_per_second"] * (row["data_ms"] + row["step_ms"]) / 1000 for row in rows)
    reduction = 0.0
    for path in profile.rglob("cpu_op_detail_info_*.csv"):
        with path.open(newline="") as file:
            reduction += sum(
                float(row["op_total_time(ms)"]) for row in csv.DictReader(file) if row["op_type"] == REDUCTION
            )
    with (profile / STEPS_FILE).open(newline="") as file:
        profiled = [float(row["step_ms"]) for row in csv.DictReader(file)]
    return Timing(1 / seconds, images / seconds, reduction / len(profiled), sum(profiled) / len(profiled))


def format_timings(timings: Mapping[Case, Timing]) -> str:
    """Returns the table, in Markdown; the efficiency is beside the first case."""
    alone = next(iter(timings.values())).images_per_second
    head = ("", "steps/s", "images/s", "efficiency", "sums over workers", "share of the step")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for case, timing in timings.items():
        share = timing.images_per_second / alone / case.workers
        lines.append(
            f"| {case} | {timing.steps_per_second:.2f} | {timing.images_per_second:.2f} | {share:.0%} | "
            f"{timing.reduction_ms:.1f} ms | {timing.reduction_ms / timing.step_ms:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(main, "scaling.py")  # SIGTERM too ends what it has started
