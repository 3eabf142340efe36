"""The folder in which a run keeps its checkpoints."""

import logging
import re
from pathlib import Path

from utils.model_utils.errors import BadStateError, BadValueError, UserError, os_errors_as
from utils.model_utils.files import free_space_said, remove_leftovers
from utils.training.checkpoints.checkpoint import Checkpoint, TrainingState, load_resumable, save_checkpoint

EARLIER_TEMPORARY = ".*.tmp-*"  # name of what earlier versions left half written
GO_ON = ", then go on with --resume=auto: earlier checkpoints are untouched"

logger = logging.getLogger(__name__)


class CheckpointFolder:
    """The checkpoints of one run: the last few, and the best.

    Args:
        path: the folder; made where it is missing when the first checkpoint is written.
        pattern: file name with {epoch} and, mostly, {step} (in the epoch), e.g. "retinanet_nasfpn-{epoch}_{step}.ckpt".
        best_name: file name of the best weights, e.g. "retinanet_nasfpn_best.ckpt".
        keep_last: number of checkpoints to keep beside the best; 0 for all.

    Raises:
        BadValueError: if the pattern lacks {epoch} or `keep_last` is negative.
    """

    def __init__(self, path: Path, *, pattern: str, best_name: str, keep_last: int = 3) -> None:
        if "{epoch}" not in pattern:
            raise BadValueError(
                f"checkpoint name '{pattern}' lacks {{epoch}}; write it like 'net-{{epoch}}_{{step}}.ckpt'"
            )
        if keep_last < 0:
            raise BadValueError(f"keep_last={keep_last}: wanted 0 (all) or more")
        self.path = Path(path)
        self.best_path = self.path / best_name
        self.keep_last = keep_last
        self._pattern = pattern
        expression = re.escape(pattern).replace(r"\{epoch\}", r"(?P<epoch>\d+)")
        self._expression = re.compile(expression.replace(r"\{step\}", r"(?P<step>\d+)"))

    def save(self, state: TrainingState) -> Path:
        """Writes the checkpoint of the state's epoch and step and removes the oldest ones; returns the file."""
        path = self.path / self._pattern.format(epoch=state.epoch, step=state.step_in_epoch)
        save_checkpoint(path, state, GO_ON)
        if self.keep_last:
            for old in self.files()[self.keep_last :]:
                old.unlink(missing_ok=True)
        return path

    def save_best(self, state: TrainingState) -> Path:
        """Writes the best checkpoint; returns the file."""
        save_checkpoint(self.best_path, state, GO_ON)
        return self.best_path

    def files(self) -> list[Path]:
        """Returns the finished checkpoints, the best one aside, newest (by the epoch and step in the name) first."""
        found = []
        for path in self.path.iterdir() if self.path.is_dir() else ():
            parts = self._expression.fullmatch(path.name)
            if parts and path != self.best_path:
                found.append((int(parts["epoch"]), int(parts.groupdict().get("step") or 0), path))
        return [path for *_, path in sorted(found, reverse=True)]

    def latest(self, suite: str) -> Checkpoint | None:
        """Returns the newest checkpoint that can be read; a damaged one is named in the log and passed over."""
        for path in self.files():
            try:
                return load_resumable(path, suite)
            except UserError as error:
                logger.warning("passing over a checkpoint: %s", error)
        return None

    def prepare(self) -> None:
        """Makes the folder and removes what killed processes left half-written; call it with the run folder's lock.

        Raises:
            BadStateError: if the folder cannot be made.
        """
        what = f"checkpoint folder '{self.path}' cannot be made"
        with os_errors_as(BadStateError, what, "; free some space or choose another"), free_space_said(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.path)
        for path in self.path.glob(EARLIER_TEMPORARY):
            path.unlink(missing_ok=True)
