"""Finds the checkpoint that a run begins with, and reads it: once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from utils.model_utils.config.schema import TrainingKeys
from utils.model_utils.workers import ALONE, Workers
from utils.training.checkpoints.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_resumable,
    position_of,
    position_values,
)
from utils.training.checkpoints.folder import CheckpointFolder
from utils.training.checkpoints.stored_keys import format_changes

logger = logging.getLogger(__name__)

AUTO = "auto"


@dataclass(frozen=True, eq=False)
class Beginning:
    """What a run begins with. Worker 0 alone has the arrays; the others get its parameters.

    Attributes:
        continued: the checkpoint that the run goes on from; None where it starts anew.
        pretrained: whose weights a run that starts anew begins with; None for random ones, and on other workers.
        takes_optimizer: such a run takes optimizer state, averages and loss scale of `pretrained` too, where it has
            them.
        first_epoch: where such a run begins in the schedule and in the order of the data.
    """

    continued: Checkpoint | None = None
    pretrained: Checkpoint | None = None
    takes_optimizer: bool = False
    first_epoch: int = 1

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The file whose weights the run begins with."""
        return self.continued or self.pretrained


ANEW = Beginning()
Keys = TypeVar("Keys", bound=TrainingKeys)


def configured_weights(config: TrainingKeys) -> Path | None:
    """Returns the file that `pre_trained` names, if any."""
    return Path(config.pre_trained) if config.pre_trained else None


def find_beginning(
    config: Keys,
    checkpoints: CheckpointFolder,
    suite: str,
    workers: Workers = ALONE,
    *,
    find_pretrained: Callable[[Keys], Path | None] = configured_weights,
    takes_optimizer: bool = True,
) -> Beginning:
    """Reads what a run begins with.

    Args:
        config: the configuration.
        checkpoints: those of the run.
        suite: name of the suite; a checkpoint of another is refused.
        workers: all of them have to call this.
        find_pretrained: returns the file whose weights a run that starts anew begins with; None for random ones.
        takes_optimizer: whether a run that starts after the epochs of an earlier one goes on with its optimizer.

    Raises:
        MissingPathError: if a file does not exist.
        BadValueError: if it cannot be begun with.
    """
    continued = find_continued(config.resume, checkpoints, suite, workers)
    if continued is not None:
        if workers.is_main:
            log_changed_course(config, continued)
        return Beginning(continued)
    path = find_pretrained(config)
    return Beginning(
        pretrained=load_checkpoint(path, suite) if path is not None and workers.is_main else None,
        takes_optimizer=takes_optimizer and path is not None and config.pre_trained_epoch_size > 0,
        first_epoch=config.pre_trained_epoch_size + 1,
    )


def log_changed_course(config: TrainingKeys, continued: Checkpoint) -> None:
    """Says which keys that change what the run learns have another value than the checkpoint was made with."""
    changes = format_changes(config, continued, type(config).keys_in("COURSE_OF_TRAINING"))
    if changes:
        logger.warning("resuming %s with another configuration: %s", continued.path, ", ".join(changes))


def find_continued(
    resume: str, checkpoints: CheckpointFolder, suite: str, workers: Workers = ALONE
) -> Checkpoint | None:
    """Returns the checkpoint to go on from, or None to start anew.

    Worker 0 looks, which may be on another machine than the others; these get what it finds without the arrays.

    Args:
        resume: "" for none, "auto" for the newest of `checkpoints` if there is one, or a file.
        checkpoints: the run's checkpoints.
        suite: name of the suite.
        workers: all of them have to call this.

    Raises:
        MissingPathError: if the file does not exist.
        BadValueError: if the file cannot be resumed from.
    """
    if not workers.is_main:
        values: dict[str, object] | None = workers.broadcast(None)
        return position_of(values) if values is not None else None
    found = _find_continued(resume, checkpoints, suite)
    workers.broadcast(found and position_values(found))
    return found


def _find_continued(resume: str, checkpoints: CheckpointFolder, suite: str) -> Checkpoint | None:
    if not resume:
        return None
    if resume != AUTO:
        return load_resumable(Path(resume), suite)
    found = checkpoints.latest(suite)
    if found is None:
        logger.info("resume=auto: no checkpoint in %s, starting from the beginning", checkpoints.path)
    return found
