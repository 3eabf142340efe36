"""Moments at which a training is hurt: what is waited for, and how long after it."""

import random
from collections.abc import Callable
from pathlib import Path

from utils.model_utils.files import METRICS_NAME
from utils.tools.torture.small_suites import EPOCHS, RUN_NAME, SmallSuite

START, RECORDS, STEP, CHECKPOINT, SAVED, EVALUATION = (
    "start",
    "MindRecord writing",
    "step",
    "checkpoint writing",
    "checkpoint just written",
    "evaluation",
)
OF_A_RUN = (STEP, CHECKPOINT, CHECKPOINT, SAVED, EVALUATION)
# Seconds after it at most, about as long as the thing takes in small; what is written is hit while it is being written.
_DELAYS = {RECORDS: 0.03, STEP: 0.3, CHECKPOINT: 0.001, SAVED: 0.5, EVALUATION: 3.0}


def draw_names(suite: SmallSuite, draws: random.Random, count: int) -> list[str]:
    """Returns so many moments, those that a run comes to first at the beginning."""
    early = (START, RECORDS, RECORDS) if suite.records else (START,)
    names = [draws.choice(early if draws.random() < 0.4 else OF_A_RUN) for _ in range(count)]
    order = (RECORDS, START, *OF_A_RUN)
    return sorted(names, key=order.index)


def delay_after(name: str, start_seconds: float, draws: random.Random) -> float:
    """Returns how long after the moment a process is hurt; `start_seconds`: from its start to its first step."""
    return draws.uniform(0, _DELAYS.get(name, start_seconds))


def condition_of(name: str, suite: SmallSuite, here: Path) -> Callable[[], bool]:
    """Returns what says whether the moment has come, for a training that starts now."""
    run = here / RUN_NAME
    metrics, checkpoints = run / METRICS_NAME, run / suite.checkpoints
    before, finished = _size(metrics), set(_finished(checkpoints))
    last = f'"kind": "epoch", "epoch": {EPOCHS},'
    return {
        START: lambda: True,
        RECORDS: lambda: any(here.glob(f"*/{suite.records}/.*.building/*")),
        STEP: lambda: _size(metrics) not in (before, 0),
        CHECKPOINT: lambda: any(checkpoints.glob(".*.ckpt.*tmp*")),
        SAVED: lambda: not finished.issuperset(_finished(checkpoints)),
        EVALUATION: lambda: metrics.is_file() and last in metrics.read_text(errors="replace"),
    }[name]


def _finished(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("[!.]*.ckpt")]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
