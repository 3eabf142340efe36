"""What a run is: its course, what its checkpoints store of it, and where it leaves what it makes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.model_utils.errors import BadValueError
from utils.sharding import BatchSource
from utils.training.checkpoints.folder import CheckpointFolder
from utils.training.ends.time_limit import NO_LIMIT, TimeLimit
from utils.training.pictures.run_pictures import RunPictures
from utils.training.record.profiling import StepProfiler
from utils.training.record.records import LineFormats
from utils.training.record.run_folder import RunFolder


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """How long a run trains, at which rates, how often it says and saves something, and what it bears.

    Attributes:
        epochs: number of epochs.
        learning_rates: float[epochs * steps per epoch], the rate of each optimizer step of the whole run.
        log_interval: steps between log lines and rows of metrics.
        save_every_epochs: epochs between checkpoints; the last epoch is always saved.
        max_bad_steps: under dynamic loss scale, so many steps in a row that are not finite end the run; under a static
            scale the first one does.
        time_limit: after which the run stops with a checkpoint.

    Raises:
        BadValueError: there is nothing to train, or an interval is out of range.
    """

    epochs: int
    learning_rates: np.ndarray
    log_interval: int = 50
    save_every_epochs: int = 1
    max_bad_steps: int = 20
    time_limit: TimeLimit = NO_LIMIT

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise BadValueError(f"epochs={self.epochs}: wanted 1 or more, there is nothing to train")
        for name in ("log_interval", "save_every_epochs", "max_bad_steps"):
            if getattr(self, name) < 1:
                raise BadValueError(f"{name}={getattr(self, name)}: wanted 1 or more")

    def check(self, source: BatchSource, first_epoch: int) -> None:
        """Refuses a source without steps, a first epoch that is none, and missing rates.

        Raises:
            BadValueError: if there is nothing to train.
            ValueError: if there are fewer rates than steps.
        """
        steps = source.steps_per_epoch
        if steps < 1:
            raise BadValueError(
                f"the training set has fewer images than one step takes ({source.images_per_step}), so an epoch has no "
                "step; lower batch_size or add images"
            )
        if not 1 <= first_epoch <= self.epochs:
            raise BadValueError(f"first_epoch={first_epoch}: wanted 1 to {self.epochs}, the number of epochs")
        if len(self.learning_rates) < self.epochs * steps:
            raise ValueError(f"{len(self.learning_rates)} learning rates for {self.epochs} epochs of {steps} steps")

    def saves(self, epoch: int) -> bool:
        """Whether an epoch ends with a checkpoint."""
        return epoch == self.epochs or epoch % self.save_every_epochs == 0


@dataclass(frozen=True)
class RunIdentity:
    """What the checkpoints of a run store of it; see `TrainingState`, which has fields of the same names."""

    suite: str = ""
    seed: int = 0
    config_text: str = ""
    class_names: Sequence[str] = ()
    category_ids: Sequence[int] = ()


@dataclass(frozen=True, eq=False)
class RunOutput:
    """Where a run leaves what it makes.

    Attributes:
        folder: folder of the run.
        checkpoints: where checkpoints are kept.
        lines: the suite's documented log lines.
        on_saved: called with each checkpoint when it is written, but not with the best one.
        profiler: profiles the first steps; None: nothing does.
        pictures: draws the first batch; None: nothing does.
    """

    folder: RunFolder
    checkpoints: CheckpointFolder
    lines: LineFormats | None = None
    on_saved: Callable[[Path], None] | None = None
    profiler: StepProfiler | None = None
    pictures: RunPictures | None = None
