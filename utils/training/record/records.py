"""What a run records: steps, epochs, evaluations and its result. The rows of metrics.jsonl keep the order of fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias


@dataclass(frozen=True)
class StepRecord:
    """One optimizer step.

    Attributes:
        epoch: epoch number, from 1.
        epochs: number of epochs of the run.
        step: step number in the epoch, from 1.
        global_step: optimizer steps made since the run began, this one included.
        steps_per_epoch: optimizer steps of an epoch.
        losses: loss name to value, the total first.
        learning_rate: learning rate of the step.
        grad_norm: global norm of the gradients before clipping.
        loss_scale: loss scale of the step.
        is_finite: False if the step was skipped.
        data_ms: milliseconds spent waiting for the batch.
        step_ms: milliseconds of the step itself.
        images_per_second: images of the batch / (data time + step time).
        seconds_left: estimated time to the end of the run, without evaluations.
    """

    epoch: int
    epochs: int
    step: int
    global_step: int
    steps_per_epoch: int
    losses: Mapping[str, float]
    learning_rate: float
    grad_norm: float
    loss_scale: float
    is_finite: bool
    data_ms: float
    step_ms: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class EpochRecord:
    """One epoch, or what a resumed run made of it.

    Attributes:
        epoch: epoch number, from 1.
        epochs: number of epochs of the run.
        global_step: optimizer steps made since the run began.
        steps: steps made by this process in this epoch.
        losses: loss name to its mean over the finite ones of these steps.
        learning_rate: learning rate of the last step.
        seconds: wall time of these steps, data included.
        data_ms: mean milliseconds waited for a batch.
        step_ms: mean milliseconds of a step.
        images_per_second: images / seconds.
    """

    epoch: int
    epochs: int
    global_step: int
    steps: int
    losses: Mapping[str, float]
    learning_rate: float
    seconds: float
    data_ms: float
    step_ms: float
    images_per_second: float


ByClass: TypeAlias = Mapping[str, Mapping[str, float | None]]  # metric to class name to value; None: not defined


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found.

    Attributes:
        metrics: metric name to value.
        per_class: what it found of each class, e.g. {"IoU": {"road": 0.98, "train": None}}.
    """

    metrics: Mapping[str, float]
    per_class: ByClass = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationRecord:
    """Metrics of one evaluation.

    Attributes:
        epoch: the epoch after which it was made.
        global_step: optimizer steps made until then.
        metrics: metric name to value.
        seconds: how long it took.
        per_class: see `Evaluated`.
    """

    epoch: int
    global_step: int
    metrics: Mapping[str, float]
    seconds: float = 0.0
    per_class: ByClass = field(default_factory=dict)


@dataclass(frozen=True)
class TrainResult:
    """What a run came to.

    Attributes:
        best: the best evaluation of the run, earlier processes included; None without evaluation.
        last: the last evaluation of this process; None without.
        steps: optimizer steps made by this process.
        best_checkpoint: file of the best weights, if there is one.
        last_checkpoint: the newest checkpoint, if there is one.
        has_ended: whether the run has come to its end: false where a limit of time stopped it on the way.
    """

    best: EvaluationRecord | None
    last: EvaluationRecord | None
    steps: int
    best_checkpoint: Path | None = None
    last_checkpoint: Path | None = None
    has_ended: bool = True


class LineFormats(Protocol):
    """The lines that a suite's README documents; they are logged as they are."""

    def step_lines(self, record: StepRecord) -> list[str]:
        """Returns the lines of one step."""

    def epoch_lines(self, record: EpochRecord) -> list[str]:
        """Returns the lines at the end of an epoch, before its evaluation."""
