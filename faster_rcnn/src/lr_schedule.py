"""The learning rate of the published page; the other schedules are in utils/training/schedules.py."""

import numpy as np

from utils.training.schedules import WarmUp, half_cosine


def long_cosine_schedule(lr: float, epochs: int, steps_per_epoch: int, warm_up: WarmUp) -> np.ndarray:
    """Half a cosine as long as one epoch more than the run, counted from the end of the warm-up.

    These are the rates that the published page's training was made with; the last one is not 0: 1.7 % of `lr` with 12
    epochs of 7393 steps.

    Returns:
        float64[epochs * steps_per_epoch].
    """
    steps = np.arange(epochs * steps_per_epoch)
    progress = np.maximum(steps - warm_up.steps, 0) / ((epochs + 1) * steps_per_epoch)
    return warm_up.apply(half_cosine(lr, 0.0, progress), lr)
