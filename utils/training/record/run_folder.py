"""The folder that a run owns: configuration, log, metrics, curves, checkpoints and pictures."""

import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from utils.model_utils.errors import BadStateError, os_errors_as
from utils.model_utils.files import (
    METRICS_NAME,
    check_writable_folder,
    free_space_said,
    is_stored_config,
    make_writable_folder,
    remove_leftovers,
    write_file,
)
from utils.training.record.loggers.run_log import Guarded, RunLog
from utils.training.record.metrics_log import MetricsLog

logger = logging.getLogger(__name__)

CONFIG_NAME = "config.yaml"
PREDICTIONS = "predictions"  # folder in that of the run
LOCK_NAME = ".run.lock"


class RunFolder:
    """The folder of a run: looked at first, made and taken when the run begins, so that one that cannot leaves nothing.

    From `begin` on it is locked against a second run until it is closed or the process ends.

    Args:
        path: the folder.
        resume: go on with the run that the folder holds, if any.
        overwrite: remove the checkpoints, metrics and curves of the run that the folder holds, if any.
        checkpoints: folder of the checkpoints, relative to `path`, as the suite's page names it.
        names: glob patterns of their names, with {epoch} and {step} for numbers; other files are no part of a run.
        needed: a file that the new run begins with: a run that it is a part of is not removed.
        writes: whether this process is the one of its job that writes; another one neither makes nor locks anything.
        on_begin: called when the folder is there and nothing but this run writes into it.
        loggers: take what the run records beside metrics.jsonl.

    Attributes:
        path: the folder.
        writes: as given.
        config_path: effective configuration (YAML).
        log_path: log with time, rank and level.
        curves_path: picture of the curves.
        first_batch_path: picture of the first batch.
        checkpoints_path: folder of the checkpoints.
        metrics: rows of metrics.jsonl.
        log: takes what the run records and the pictures that it draws: metrics.jsonl and the loggers.

    Raises:
        MissingPathError: if the path is a file.
        BadStateError: if the folder cannot be written, another process trains in it, or it holds a run and neither
            `resume` nor `overwrite` is set, or `overwrite` would remove what is needed, or somebody's own config.yaml
            is there.
    """

    def __init__(
        self,
        path: Path,
        *,
        resume: bool = False,
        overwrite: bool = False,
        checkpoints: str = "checkpoints",
        names: Sequence[str] = ("*.ckpt",),
        needed: str = "",
        writes: bool = True,
        on_begin: Callable[[], None] | None = None,
        loggers: Sequence[Guarded] = (),
    ) -> None:
        self.path = Path(path)
        self.config_path = self.path / CONFIG_NAME
        self.log_path = self.path / "train.log"
        self.curves_path = self.path / "curves.png"
        self.first_batch_path = self.path / "first_batch.jpg"
        self.checkpoints_path = self.path / checkpoints
        self._names = [re.sub(r"\{\w+\}", "[0-9]*", name) for name in names]
        self._needed = needed
        self.metrics = MetricsLog(self.path / METRICS_NAME, writes=writes)
        self.log = RunLog(self.metrics, loggers if writes else ())
        self.writes = writes
        self._resume, self._overwrite, self._on_begin = resume, overwrite, on_begin
        self._lock = FileLock(self.path / LOCK_NAME, timeout=0)
        if not writes:
            return
        check_writable_folder(self.path, "--run_dir")
        try:
            if Path(self._lock.lock_file).exists():  # of an earlier run, or of one that trains there now
                self._take_lock()
            self._refuse_run()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self.log.close()
        try:
            self.metrics.close()
        except BadStateError as error:
            if kind is None:
                raise
            logger.warning("%s", error)
        finally:
            self.close()

    def close(self) -> None:
        """Gives up the lock."""
        self._lock.release()

    def begin(self, config_text: str) -> None:
        """Makes and locks the folder, removes the earlier run where that is wanted, and writes the configuration.

        Args:
            config_text: the effective configuration.

        Raises:
            BadStateError: it cannot be written, or another process has begun a run in it meanwhile.
        """
        if not self.writes:
            return
        make_writable_folder(self.path, "--run_dir")
        self._take_lock()
        self._refuse_run()
        remove_leftovers(self.path)
        if self.holds_run() and not self._resume:
            pictures = [self.curves_path, self.first_batch_path, *(self.path / PREDICTIONS).glob("epoch_[0-9]*.jpg")]
            for path in [*self._checkpoint_files(), self.metrics.path, *pictures]:
                path.unlink(missing_ok=True)
            logger.info("removed the earlier run in %s", self.path)
        self.write_config(config_text)
        if self._on_begin is not None:
            self._on_begin()

    def write_config(self, text: str) -> None:
        """Writes the effective configuration.

        Raises:
            BadStateError: it cannot be written.
        """
        write_file(self.config_path, text.encode(), "free some space or choose another --run_dir")

    def predictions_path(self, epoch: int) -> Path:
        """Returns the picture of what is predicted after an epoch."""
        return self.path / PREDICTIONS / f"epoch_{epoch:04d}.jpg"

    def holds_run(self) -> bool:
        """Whether the folder has checkpoints or metrics."""
        metrics = self.metrics.path
        return (metrics.is_file() and metrics.stat().st_size > 0) or any(self._checkpoint_files())

    def _take_lock(self) -> None:
        if self._lock.is_locked:
            return
        advice = "; free some space or choose another --run_dir"
        with (
            os_errors_as(BadStateError, f"run folder '{self.path}' cannot be locked", advice),
            free_space_said(self.path),
        ):
            try:
                self._lock.acquire()
            except Timeout as error:
                raise BadStateError(
                    f"another process is training in '{self.path}'; wait for it, stop it, or choose another --run_dir"
                ) from error

    def _refuse_run(self) -> None:
        own = self.config_path
        if own.exists() and own.stat().st_size and not is_stored_config(own) and not self.holds_run():
            raise BadStateError(
                f"'{own}' was not left by a training, which would replace it: rename it, or choose another --run_dir"
            )
        if self._resume or not self.holds_run():
            return
        if not self._overwrite:
            raise BadStateError(
                f"'{self.path}' already holds a run; continue it with --resume=auto, choose another --run_dir, or "
                "discard it, checkpoints included, with --overwrite=True"
            )
        is_there = os.path.exists(self._needed)
        if is_there and any(path.samefile(self._needed) for path in self._checkpoint_files()):
            raise BadStateError(
                f"pre_trained '{self._needed}' is a checkpoint of the run in '{self.path}', which --overwrite=True "
                "removes; copy it to another folder first, or choose another --run_dir"
            )

    def _checkpoint_files(self) -> list[Path]:
        return sorted({path for name in self._names for path in self.checkpoints_path.glob(name)})
