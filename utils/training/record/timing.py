"""Times of steps, and what an epoch adds up to."""

import math
import time
from dataclasses import dataclass

from utils.training.record.records import EpochRecord, StepRecord

_SMOOTHING = 0.9  # a step counts a tenth, so that one slow step hardly moves the time left


@dataclass(frozen=True)
class StepTimes:
    """Times of one step; see `StepRecord`."""

    data_ms: float
    step_ms: float
    images_per_second: float
    seconds_left: float


class StepTimer:
    """Measures steps and estimates the time left from their moving average, without the first one (it compiles).

    Args:
        images_per_step: images of one step.
        total_steps: steps of the run.
    """

    def __init__(self, images_per_step: int, total_steps: int) -> None:
        self._images_per_step, self._total_steps = images_per_step, total_steps
        self._average: float | None = None
        self._count = 0
        self._began = self._got = 0.0

    def begin(self) -> None:
        """Marks the start of waiting for a batch."""
        self._began = time.perf_counter()

    def got_batch(self) -> None:
        """Marks the arrival of the batch."""
        self._got = time.perf_counter()

    def end(self, global_step: int) -> StepTimes:
        """Marks the end of the step and returns its times."""
        now = time.perf_counter()
        whole = now - self._began
        self._count += 1
        if self._count <= 2 or self._average is None:
            self._average = whole
        else:
            self._average = _SMOOTHING * self._average + (1 - _SMOOTHING) * whole
        return StepTimes(
            data_ms=(self._got - self._began) * 1000,
            step_ms=(now - self._got) * 1000,
            images_per_second=self._images_per_step / max(whole, 1e-9),
            seconds_left=self._average * (self._total_steps - global_step),
        )


class EpochMeter:
    """Adds up the steps of one epoch."""

    def __init__(self) -> None:
        self.steps = 0
        self._finite_steps = 0
        self._sums: dict[str, float] = {}
        self._data_ms = self._step_ms = 0.0
        self._learning_rate = math.nan

    def add(self, record: StepRecord) -> None:
        """Adds a step."""
        self.steps += 1
        self._data_ms += record.data_ms
        self._step_ms += record.step_ms
        self._learning_rate = record.learning_rate
        if record.is_finite:
            self._finite_steps += 1
            for name, value in record.losses.items():
                self._sums[name] = self._sums.get(name, 0.0) + value

    def record(self, epoch: int, epochs: int, global_step: int, images_per_step: int) -> EpochRecord:
        """Returns the epoch's record."""
        seconds = (self._data_ms + self._step_ms) / 1000
        return EpochRecord(
            epoch=epoch,
            epochs=epochs,
            steps=self.steps,
            global_step=global_step,
            seconds=seconds,
            losses={name: total / self._finite_steps for name, total in self._sums.items()},
            learning_rate=self._learning_rate,
            data_ms=self._data_ms / self.steps,
            step_ms=self._step_ms / self.steps,
            images_per_second=self.steps * images_per_step / max(seconds, 1e-9),
        )
