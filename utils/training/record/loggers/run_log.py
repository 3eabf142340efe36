"""All loggers of a run as one: metrics.jsonl, without which a run does not go on, and those that may fail."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from utils.model_utils.errors import UserError, first_line
from utils.training.record.loggers.protocol import ResumePoint, RunLogger
from utils.training.record.records import EpochRecord, EvaluationRecord, StepRecord

logger = logging.getLogger(__name__)


class Guarded:
    """A logger whose first failure is said in one warning; from then on it is left alone, and the run goes on.

    What can fail is not ours to list: a full disk, another version of a library, a server.

    Args:
        name: of the logger, for the warning.
        inner: the logger.
    """

    def __init__(self, name: str, inner: RunLogger) -> None:
        self.name, self._inner = name, inner
        self._is_off = False

    def begin(self, resumed: ResumePoint | None) -> None:
        """See `RunLogger`."""
        self._try(lambda: self._inner.begin(resumed))

    def add(self, record: StepRecord | EpochRecord | EvaluationRecord) -> None:
        """See `RunLogger`."""
        self._try(lambda: self._inner.add(record))

    def add_picture(self, name: str, path: Path, global_step: int) -> None:
        """See `RunLogger`."""
        self._try(lambda: self._inner.add_picture(name, path, global_step))

    def close(self) -> None:
        """See `RunLogger`."""
        self._try(self._inner.close)
        self._is_off = True

    def _try(self, act: Callable[[], None]) -> None:
        if self._is_off:
            return
        try:
            act()
        except (Exception, SystemExit) as error:
            self._is_off = True
            reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {first_line(error)}"
            logger.warning(
                "the logger %s has failed and is off for the rest of this run, which goes on (%s); all numbers are in "
                "metrics.jsonl",
                self.name,
                reason,
            )
            logger.debug("a logger has failed", exc_info=True)


class RunLog:
    """Hands what a run records to each of its loggers.

    Args:
        metrics: metrics.jsonl; its errors end the run.
        others: loggers beside it.
    """

    def __init__(self, metrics: RunLogger, others: Sequence[Guarded] = ()) -> None:
        self._metrics, self._others = metrics, others
        self._has_begun = False
        self._waiting: list[tuple[str, Path]] = []
        self._global_step = 0

    def begin(self, resumed: ResumePoint | None) -> None:
        """Opens all logs; see `RunLogger.begin`. The others may read in metrics.jsonl what the run has behind it."""
        self._metrics.begin(resumed)
        for each in self._others:
            each.begin(resumed)
        self._has_begun = True
        if resumed is not None:
            self._global_step = round(resumed.global_step * resumed.step_scale)
        for name, path in self._waiting:
            self.add_picture(name, path)
        self._waiting.clear()

    def add(self, record: StepRecord | EpochRecord | EvaluationRecord) -> None:
        """Takes a step, an epoch or an evaluation."""
        self._global_step = record.global_step
        for each in (self._metrics, *self._others):
            each.add(record)

    def add_picture(self, name: str, path: Path, global_step: int | None = None) -> None:
        """Offers a picture, a PNG or JPEG file that is written, to the loggers that show pictures.

        Args:
            name: what it shows, the same each time it is drawn anew, e.g. "curves" or "predictions/000_street".
            path: the file.
            global_step: when it was drawn; None for the latest that is logged.
        """
        if not self._has_begun:
            self._waiting.append((name, path))
            return
        for each in self._others:
            each.add_picture(name, path, self._global_step if global_step is None else global_step)

    def close(self) -> None:
        """Closes the loggers beside metrics.jsonl, which the run folder closes."""
        for each in self._others:
            each.close()
