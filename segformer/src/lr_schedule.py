"""Learning rates as pure functions: one number for every step of the whole run."""

import math

import numpy as np


def constant_schedule(lr: float, total_steps: int, warmup_steps: int = 0, warmup_ratio: float = 1.0) -> np.ndarray:
    """Returns `lr` at every step, with the warm-up of `warmup_factors`: float64[total_steps]."""
    return lr * warmup_factors(total_steps, warmup_steps, warmup_ratio)


def poly_schedule(
    lr: float,
    total_steps: int,
    warmup_steps: int = 0,
    warmup_ratio: float = 1.0,
    *,
    power: float = 1.0,
    lr_end: float = 0.0,
) -> np.ndarray:
    """Falls from `lr` to `lr_end` as (1 - progress) ** power, the paper's decay with power 1.

    The decay begins with the run and the warm-up is a factor on it, as in MMSegmentation, with which the paper was
    made: with 1500 of 160000 steps the highest rate is 0.99 lr.

    Returns:
        float64[total_steps].
    """
    remaining = 1.0 - np.arange(total_steps) / max(total_steps, 1)
    return ((lr - lr_end) * remaining**power + lr_end) * warmup_factors(total_steps, warmup_steps, warmup_ratio)


def cosine_schedule(
    lr: float, total_steps: int, warmup_steps: int = 0, warmup_ratio: float = 1.0, *, lr_end: float = 0.0
) -> np.ndarray:
    """Falls from `lr` to `lr_end` as half a cosine over the run; the warm-up is a factor on it.

    Returns:
        float64[total_steps].
    """
    progress = np.arange(total_steps) / max(total_steps, 1)
    rates = lr_end + 0.5 * (lr - lr_end) * (1.0 + np.cos(math.pi * progress))
    return rates * warmup_factors(total_steps, warmup_steps, warmup_ratio)


def warmup_factors(total_steps: int, warmup_steps: int, warmup_ratio: float) -> np.ndarray:
    """Rises evenly from `warmup_ratio` at the first step to 1 at step `warmup_steps`, and stays there.

    Returns:
        float64[total_steps].
    """
    progress = np.minimum(np.arange(total_steps) / max(warmup_steps, 1), 1.0) if warmup_steps else np.ones(total_steps)
    return warmup_ratio + (1.0 - warmup_ratio) * progress
