"""The lines of the page: in the log, and by themselves in loss_<rank>.log."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.model_utils.files import write_file
from utils.training.record.growing_file import GrowingFile
from utils.training.record.records import EpochRecord, StepRecord

from .network_define import FasterRcnnTraining

logger = logging.getLogger(__name__)

_POSITION = re.compile(r"epoch: (\d+) step: (\d+), .*\n")
LOSS_ORDER = (*FasterRcnnTraining.loss_names[1:], FasterRcnnTraining.loss_names[0])  # the total comes last


class LossLog:
    """Gives the training loop the page's line of a step and writes it to a file of its own.

    Args:
        path: the file; it and its folder are made with the first line.
        goes_on_after: append to what the run has written up to this step, (epoch, step); None begins the file anew.
    """

    def __init__(self, path: Path, goes_on_after: tuple[int, int] | None = None) -> None:
        self.path, self._goes_on_after = path, goes_on_after
        self._is_begun = False
        self._file = GrowingFile(path, lambda sentence: logger.warning("%s", sentence))

    def step_lines(self, record: StepRecord) -> list[str]:
        """Returns the line of a step, after writing it to the file; where the disk is full, it waits there.

        Raises:
            BadStateError: the file cannot be begun.
        """
        line = format_loss_line(record.epoch, record.step, record.losses)
        if not self._is_begun:
            self._begin()
            self._is_begun = True
        self._file.append(f"{line}\n")
        return [line]

    def epoch_lines(self, _record: EpochRecord) -> list[str]:
        """Returns nothing: the page has no line for an epoch."""
        return []

    def _begin(self) -> None:
        """Makes the file; of a run that goes on it removes the lines of steps after the checkpoint."""
        kept: Sequence[str] = ()
        if self._goes_on_after is not None and self.path.exists():
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            kept = lines_until(lines, self._goes_on_after)
            if len(kept) == len(lines):
                return
        advice = "free some space or make its folder writable, then go on with --resume=auto"
        write_file(self.path, "".join(kept).encode(), advice)


def lines_until(lines: Sequence[str], last: tuple[int, int]) -> Sequence[str]:
    """Returns lines without those at their end that come after (epoch, step) `last`, or that a crash cut short.

    It goes backwards, since the steps of earlier lines may be of another batch size and count otherwise.
    """
    for count in range(len(lines), 0, -1):
        found = _POSITION.fullmatch(lines[count - 1])
        if found and (int(found[1]), int(found[2])) <= last:
            return lines[:count]
    return []


def format_loss_line(epoch: int, step: int, losses: Mapping[str, float]) -> str:
    """Returns e.g. `epoch: 1 step: 7393, rpn_loss: 0.12054, ..., total_loss: 0.52655`."""
    return ", ".join([f"epoch: {epoch} step: {step}", *(f"{name}: {losses[name]:.5f}" for name in LOSS_ORDER)])
