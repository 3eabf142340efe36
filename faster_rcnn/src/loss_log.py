"""The lines of the page: in the log, and by themselves in loss_<rank>.log."""

from collections.abc import Mapping
from pathlib import Path

from utils.model_utils.errors import BadStateError
from utils.model_utils.files import make_writable_folder
from utils.training.record.records import EpochRecord, StepRecord

from .network_define import FasterRcnnTraining

LOSS_ORDER = (*FasterRcnnTraining.loss_names[1:], FasterRcnnTraining.loss_names[0])  # the total comes last


class LossLog:
    """Gives the training loop the page's line of a step and writes it to a file of its own.

    Args:
        path: the file; its folder is made where it is missing.
        continues: append to what an earlier part of the run has written; otherwise the file begins anew.

    Raises:
        BadStateError: it cannot be written.
    """

    def __init__(self, path: Path, continues: bool) -> None:
        self.path = path
        make_writable_folder(path.parent, "--run_dir")
        self._write("", "a" if continues else "w")

    def step_lines(self, record: StepRecord) -> list[str]:
        """Returns the line of a step, after writing it to the file."""
        line = format_loss_line(record.epoch, record.step, record.losses)
        self._write(f"{line}\n", "a")
        return [line]

    def epoch_lines(self, _record: EpochRecord) -> list[str]:
        """Returns nothing: the page has no line for an epoch."""
        return []

    def _write(self, text: str, mode: str) -> None:
        try:
            with self.path.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise BadStateError(
                f"'{self.path}' cannot be written ({error.strerror}); free some space or make it writable, "
                "then go on with --resume=auto"
            ) from error


def format_loss_line(epoch: int, step: int, losses: Mapping[str, float]) -> str:
    """Returns e.g. `epoch: 1 step: 7393, rpn_loss: 0.12054, ..., total_loss: 0.52655`."""
    return ", ".join([f"epoch: {epoch} step: {step}", *(f"{name}: {losses[name]:.5f}" for name in LOSS_ORDER)])
