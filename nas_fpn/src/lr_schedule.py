"""The learning rate of the published page; the other schedules are in utils/training/schedules.py."""

import numpy as np

from utils.training.schedules import cosine_schedule

# Where the page's second to fifth ramps begin, as shares of lr. With lr 0.1 the five ramps run 1e-6 -> 3.3e-6 and
# 1e-5 -> 1e-4 -> 1e-3 -> 1e-2 -> 0.1; the log on the page shows 3e-6, 2.8e-5 and 4.6e-5 after epochs 2, 3 and 4.
_RAMP_STARTS = (1e-4, 1e-3, 1e-2, 1e-1)


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
    decay = cosine_schedule(lr, rest, lr_end=lr * lr_end_rate)
    return np.concatenate([*ramps, decay])[:total_steps]
