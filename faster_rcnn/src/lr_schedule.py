"""Learning rates as pure functions: one number for every step of the whole run."""

import math
from collections.abc import Sequence

import numpy as np


def long_cosine_schedule(
    lr: float, epochs: int, steps_per_epoch: int, warmup_steps: int, warmup_ratio: float
) -> np.ndarray:
    """Linear warm-up, then half a cosine as long as one epoch more than the run, counted from the end of the warm-up.

    These are the rates that the published page's training was made with; the last one is not 0: 1.7 % of `lr` with 12
    epochs of 7393 steps.

    Returns:
        float64[epochs * steps_per_epoch].
    """
    steps = np.arange(epochs * steps_per_epoch)
    progress = np.maximum(steps - warmup_steps, 0) / ((epochs + 1) * steps_per_epoch)
    return _with_warmup(_half_cosine(lr, 0.0, progress), lr, warmup_steps, warmup_ratio)


def cosine_schedule(lr: float, total_steps: int, warmup_steps: int, warmup_ratio: float, lr_end: float) -> np.ndarray:
    """Linear warm-up from `lr * warmup_ratio`, then half a cosine from `lr` to `lr_end` at the end of the run.

    Returns:
        float64[total_steps].
    """
    progress = np.maximum(np.arange(total_steps) - warmup_steps, 0) / max(total_steps - warmup_steps, 1)
    return _with_warmup(_half_cosine(lr, lr_end, progress), lr, warmup_steps, warmup_ratio)


def step_schedule(
    lr: float, total_steps: int, warmup_steps: int, warmup_ratio: float, milestones: Sequence[int], decay: float
) -> np.ndarray:
    """Linear warm-up from `lr * warmup_ratio`, then `lr`, multiplied by `decay` at each step in `milestones`.

    Returns:
        float64[total_steps].
    """
    passed = np.searchsorted(np.asarray(sorted(milestones), np.int64), np.arange(total_steps), side="right")
    return _with_warmup(lr * decay ** passed.astype(np.float64), lr, warmup_steps, warmup_ratio)


def _half_cosine(start: float, end: float, progress: np.ndarray) -> np.ndarray:
    """Goes from `start` at progress 0 to `end` at progress 1."""
    return end + 0.5 * (start - end) * (1.0 + np.cos(math.pi * progress))


def _with_warmup(rates: np.ndarray, lr: float, warmup_steps: int, warmup_ratio: float) -> np.ndarray:
    steps = np.arange(len(rates))
    ramp = lr * (warmup_ratio + (1.0 - warmup_ratio) * steps / max(warmup_steps, 1))
    return np.where(steps < warmup_steps, ramp, rates)
