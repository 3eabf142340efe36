"""Learning rates as pure functions: one number for every step of the whole run, float64[total_steps]."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class WarmUp:
    """How the rate rises, evenly, in the first steps.

    Attributes:
        steps: how many; 0 for no warm-up.
        ratio: share of the rate that the first step has.
        is_factor: the warm-up multiplies a decay that begins with the run, as in MMSegmentation. Without it the decay
            begins when the warm-up ends, as in MMDetection.
    """

    steps: int = 0
    ratio: float = 1.0
    is_factor: bool = False

    @property
    def decay_start(self) -> int:
        """The step at which a decay begins."""
        return 0 if self.is_factor else self.steps

    def apply(self, rates: np.ndarray, lr: float) -> np.ndarray:
        """Returns the rates with the warm-up to `lr` in them. The order of operations decides their last bits."""
        steps = np.arange(len(rates))
        if self.is_factor:
            progress = np.minimum(steps / self.steps, 1.0) if self.steps else np.ones(len(rates))
            return rates * (self.ratio + (1.0 - self.ratio) * progress)
        ramp = lr * (self.ratio + (1.0 - self.ratio) * steps / max(self.steps, 1))
        return np.where(steps < self.steps, ramp, rates)


NO_WARM_UP = WarmUp()


def constant_schedule(lr: float, total_steps: int, warm_up: WarmUp = NO_WARM_UP) -> np.ndarray:
    """Stays at `lr`."""
    return warm_up.apply(np.full(total_steps, lr), lr)


def poly_schedule(
    lr: float, total_steps: int, warm_up: WarmUp = NO_WARM_UP, *, power: float = 1.0, lr_end: float = 0.0
) -> np.ndarray:
    """Falls from `lr` to `lr_end` as (1 - progress) ** power, SegFormer's decay with power 1.

    With the paper's 1500 steps of warm-up as a factor in 160000 the highest rate is 0.99 lr.
    """
    remaining = 1.0 - decay_progress(total_steps, warm_up)
    return warm_up.apply((lr - lr_end) * remaining**power + lr_end, lr)


def cosine_schedule(lr: float, total_steps: int, warm_up: WarmUp = NO_WARM_UP, *, lr_end: float = 0.0) -> np.ndarray:
    """Falls from `lr` to `lr_end`, at the end of the run, as half a cosine."""
    return warm_up.apply(half_cosine(lr, lr_end, decay_progress(total_steps, warm_up)), lr)


def step_schedule(lr: float, total_steps: int, warm_up: WarmUp, milestones: Sequence[int], decay: float) -> np.ndarray:
    """Stays at `lr`, multiplied by `decay` at each step in `milestones`."""
    passed = np.searchsorted(np.asarray(sorted(milestones), np.int64), np.arange(total_steps), side="right")
    return warm_up.apply(lr * decay ** passed.astype(np.float64), lr)


def decay_progress(total_steps: int, warm_up: WarmUp) -> np.ndarray:
    """Returns how far the decay is at each step: 0 until it begins, 1 at the step after the last."""
    start = warm_up.decay_start
    return np.maximum(np.arange(total_steps) - start, 0) / max(total_steps - start, 1)


def half_cosine(start: float, end: float, progress: np.ndarray) -> np.ndarray:
    """Goes from `start` at progress 0 to `end` at progress 1."""
    return end + 0.5 * (start - end) * (1.0 + np.cos(math.pi * progress))
