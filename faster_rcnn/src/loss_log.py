"""The lines of the page: in the log, and by themselves in loss_<rank>.log."""

from collections.abc import Mapping
from pathlib import Path

from utils.model_utils.errors import BadStateError, os_errors_as
from utils.training.record.records import EpochRecord, StepRecord

from .network_define import FasterRcnnTraining

LOSS_ORDER = (*FasterRcnnTraining.loss_names[1:], FasterRcnnTraining.loss_names[0])  # the total comes last


class LossLog:
    """Gives the training loop the page's line of a step and writes it to a file of its own.

    Args:
        path: the file; it and its folder are made with the first line.
        continues: append to what an earlier part of the run has written; otherwise the file begins anew.
    """

    def __init__(self, path: Path, continues: bool) -> None:
        self.path = path
        self._mode = "a" if continues else "w"

    def step_lines(self, record: StepRecord) -> list[str]:
        """Returns the line of a step, after writing it to the file.

        Raises:
            BadStateError: it cannot be written.
        """
        line = format_loss_line(record.epoch, record.step, record.losses)
        advice = "; free some space or choose another --run_dir"
        with os_errors_as(BadStateError, f"'{self.path}' cannot be written", advice):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open(self._mode, encoding="utf-8") as file:
                file.write(f"{line}\n")
        self._mode = "a"
        return [line]

    def epoch_lines(self, _record: EpochRecord) -> list[str]:
        """Returns nothing: the page has no line for an epoch."""
        return []


def format_loss_line(epoch: int, step: int, losses: Mapping[str, float]) -> str:
    """Returns e.g. `epoch: 1 step: 7393, rpn_loss: 0.12054, ..., total_loss: 0.52655`."""
    return ", ".join([f"epoch: {epoch} step: {step}", *(f"{name}: {losses[name]:.5f}" for name in LOSS_ORDER)])
