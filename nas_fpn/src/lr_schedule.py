"""Learning rates as pure functions: one number for every step of the whole run."""

import math

import numpy as np

# Where the page's second to fifth ramps begin, as shares of lr: with lr 0.1 the five run 1e-6 -> 3.3e-6, 1e-5 -> 1e-4
# -> 1e-3 -> 1e-2 -> 0.1. The log on the page shows them: 3e-6 after epoch 2, 2.8e-5 after epoch 3, 4.6e-5 after epoch
# 4.
_RAMP_STARTS = (1e-4, 1e-3, 1e-2, 1e-1)


def cosine_schedule(lr: float, total_steps: int, warmup_steps: int, warmup_ratio: float, lr_end: float) -> np.ndarray:
    """Linear warm-up from `lr * warmup_ratio`, then half a cosine from `lr` to `lr_end`.

    Returns:
        float64[total_steps].
    """
    steps = np.arange(total_steps)
    progress = np.clip((steps - warmup_steps) / max(total_steps - warmup_steps, 1), 0.0, 1.0)
    rates = lr_end + 0.5 * (lr - lr_end) * (1.0 + np.cos(math.pi * progress))
    return _with_warmup(rates, lr, warmup_steps, warmup_ratio)


def step_schedule(
    lr: float, total_steps: int, warmup_steps: int, warmup_ratio: float, milestones: tuple[int, ...], decay: float
) -> np.ndarray:
    """Linear warm-up from `lr * warmup_ratio`, then `lr`, multiplied by `decay` at each step in `milestones`.

    Returns:
        float64[total_steps].
    """
    passed = np.searchsorted(np.asarray(sorted(milestones), np.int64), np.arange(total_steps), side="right")
    return _with_warmup(lr * decay ** passed.astype(np.float64), lr, warmup_steps, warmup_ratio)


def five_stage_schedule(
    lr: float,
    lr_init: float,
    lr_end_rate: float,
    total_epochs: int,
    warmup_epochs: tuple[int, int, int, int, int],
    steps_per_epoch: int,
) -> np.ndarray:
    """The five warm-up ramps of the page, then half a cosine from `lr` to `lr * lr_end_rate`.

    Stage k lasts `warmup_epochs[k]` epochs. The first ramp ends at a third of the second's start, a jump that the run
    on the page has too.

    Returns:
        float64[total_epochs * steps_per_epoch].
    """
    starts = (lr_init, *(lr * share for share in _RAMP_STARTS))
    ends = (starts[1] / 3, *starts[2:], lr)
    ramps = [
        start + (end - start) * np.arange(epochs * steps_per_epoch) / max(epochs * steps_per_epoch, 1)
        for start, end, epochs in zip(starts, ends, warmup_epochs, strict=True)
    ]
    total_steps = total_epochs * steps_per_epoch
    rest = max(total_steps - sum(len(ramp) for ramp in ramps), 0)
    decay = cosine_schedule(lr, rest, 0, 1.0, lr * lr_end_rate)
    return np.concatenate([*ramps, decay])[:total_steps]


def _with_warmup(rates: np.ndarray, lr: float, warmup_steps: int, warmup_ratio: float) -> np.ndarray:
    steps = np.arange(len(rates))
    ramp = lr * (warmup_ratio + (1.0 - warmup_ratio) * steps / max(warmup_steps, 1))
    return np.where(steps < warmup_steps, ramp, rates)
