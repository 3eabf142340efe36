"""What every logger of a run can do; metrics.jsonl is the first of them (`utils/training/record/metrics_log.py`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from utils.training.record.records import EpochRecord, EvaluationRecord, StepRecord


@dataclass(frozen=True)
class ResumePoint:
    """Where a resumed run goes on: what its earlier process has logged after it will be logged again.

    Attributes:
        epochs_done: epochs, parts included, that the run has behind it.
        global_step: optimizer steps that the earlier process had made there.
        step_scale: global steps of this process for one of the earlier; with another batch size it is not 1.
        keep_evaluation: whether an evaluation made at just this place stays.
    """

    epochs_done: float
    global_step: int
    step_scale: float = 1.0
    keep_evaluation: bool = False


class RunLogger(Protocol):
    """Takes what a run records; only worker 0 has any."""

    def begin(self, resumed: ResumePoint | None) -> None:
        """Opens the log, once the folder of the run is there; of an earlier run, or of steps to come, nothing stays.

        Args:
            resumed: where the run goes on; None where it begins.
        """

    def add(self, record: StepRecord | EpochRecord | EvaluationRecord) -> None:
        """Takes a step, an epoch or an evaluation."""

    def add_picture(self, name: str, path: Path, global_step: int) -> None:
        """Takes a picture, a PNG or JPEG file that is written; `name` is the same each time it is drawn anew."""

    def close(self) -> None:
        """Writes what is left; called once, at the end of the run."""
