"""How a long training wears: memory, open files, threads and child processes over thousands of steps."""

import json
import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils.model_utils.errors import BadStateError
from utils.model_utils.files import METRICS_NAME
from utils.tools.torture.small_suites import BATCH_SIZE, RUN_NAME, SmallSuite
from utils.tools.torture.watched import Watched

STEPS, IMAGES = 5000, 3000
LAST_SHARE = 0.6  # of the steps are looked at: before, MindSpore and the allocator still fill their pools
MOST_SLOPE_KB, MOST_PEAK_MB = 4.0, 20.0  # a step; above the median
EPOCHS = 100
SAMPLE_SECONDS = 0.25
LONGEST_SECONDS = 7200
_LOG_INTERVAL = 10
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024
_COUNTS = ("files", "threads", "children")


@dataclass(frozen=True)
class Sample:
    """A process at a moment; `step` is the last one that it has noted."""

    step: int
    rss_kb: float
    files: int
    threads: int
    children: int


def pictures(steps: int, images: int) -> tuple[int, int]:
    """Returns how many pictures are to be drawn for training and for evaluation."""
    return max(1, steps // EPOCHS) * BATCH_SIZE, max(1, -(-images // EPOCHS))


def run_soak(suite: SmallSuite, here: Path, log: Path) -> list[Sample]:
    """Trains `EPOCHS` epochs, each with an evaluation, and looks at the process all the time.

    Raises:
        BadStateError: the training has failed.
    """
    arguments = (
        f"--batch_size={BATCH_SIZE}",
        f"--epoch_size={EPOCHS}",
        suite.rows_every(_LOG_INTERVAL),
        "--run_eval=True",
        "--eval_start_epoch=1",
        "--eval_interval=1",
        "--keep_checkpoint_max=2",
    )
    samples: list[Sample] = []
    metrics = _Steps(here / RUN_NAME / METRICS_NAME)
    with Watched(suite.command(here, *arguments), here, log) as training:
        while training.is_there():
            if (sample := _look(training.process.pid, metrics.last())) is not None:
                samples.append(sample)
            if training.waits(SAMPLE_SECONDS, LONGEST_SECONDS):
                break
    if training.process.returncode:
        raise BadStateError(f"the training ended with exit code {training.process.returncode}; its output: '{log}'")
    return samples


class _Steps:
    """The steps of a run, read from where the last reading ended."""

    def __init__(self, path: Path) -> None:
        self._path, self._position, self._last = path, 0, 0

    def last(self) -> int:
        """Returns the last step that was noted."""
        if self._path.is_file():
            with self._path.open("rb") as file:
                file.seek(self._position)
                for line in file:
                    if line.endswith(b"\n"):
                        self._position += len(line)
                        self._last = json.loads(line)["global_step"]
        return self._last


def _look(pid: int, step: int) -> Sample | None:
    """Returns what /proc says; None of a process that has just ended."""
    folder = Path("/proc", str(pid))
    try:
        resident = int((folder / "statm").read_text().split()[1]) * _PAGE_KB
        tasks = list((folder / "task").iterdir())
        children = sum(len((task / "children").read_text().split()) for task in tasks)
        return Sample(step, resident, len(os.listdir(folder / "fd")), len(tasks), children)
    except (OSError, IndexError):
        return None


def judge(samples: list[Sample], steps: int) -> dict[str, object]:
    """Returns the figures of the last steps, and under "lost" what is above its limit."""
    first = (1 - LAST_SHARE) * steps
    last = [sample for sample in samples if sample.step >= first]
    if len(last) < 30:  # ten for each third: fewer say nothing of growth
        raise BadStateError(f"only {len(last)} looks at the last {LAST_SHARE:.0%} of the steps, wanted 30: give more")
    resident = [sample.rss_kb for sample in last]
    slope = float(np.polyfit([sample.step for sample in last], resident, 1)[0])
    peak = (max(resident) - statistics.median(resident)) / 1024
    figures: dict[str, object] = {
        "samples": len(last),
        "rss_median_mb": round(statistics.median(resident) / 1024, 1),
        "rss_slope_kb_per_step": round(slope, 3),
        "rss_peak_above_median_mb": round(peak, 1),
    }
    lost = [f"memory grows by {slope:.1f} kB a step"] * (slope >= MOST_SLOPE_KB)
    lost += [f"memory was {peak:.0f} MB above its median"] * (peak > MOST_PEAK_MB)
    third = len(last) // 3
    for name in _COUNTS:
        before, after = (
            statistics.median(getattr(sample, name) for sample in part) for part in (last[:third], last[-third:])
        )
        figures[name] = [before, after]
        lost += [f"{name} grow from {before:g} to {after:g}"] * (after > before)
    return {**figures, "lost": lost}


def line_of(figures: dict[str, Any]) -> str:
    """Returns the line of a soak."""
    counts = ", ".join(f"{name} {before:g} to {after:g}" for name in _COUNTS for before, after in [figures[name]])
    end = "LOST: " + "; ".join(figures["lost"]) if figures["lost"] else "no growth"
    return (
        f"{figures['rss_median_mb']} MB, slope {figures['rss_slope_kb_per_step']} kB a step, at most "
        f"{figures['rss_peak_above_median_mb']} MB above the median, {counts}: {end}"
    )
