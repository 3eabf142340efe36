"""Progress of a run on a terminal."""

import sys

from rich import progress
from rich.console import Console

from utils.training.record.lines import format_duration
from utils.training.record.records import StepRecord

_BAR_UPDATES_PER_SECOND = 4  # as often as one can read it; steps may be faster


class ProgressBar(progress.Progress):
    """A bar over the steps of the whole run, drawn on standard error if that is a terminal; otherwise it draws nothing.

    Args:
        total_steps: optimizer steps of the run.
        done_steps: steps made by earlier processes.
    """

    def __init__(self, total_steps: int, done_steps: int) -> None:
        super().__init__(
            progress.TextColumn("epoch {task.fields[epoch]}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TextColumn("loss {task.fields[loss]}"),
            progress.TextColumn("{task.fields[speed]} img/s"),
            progress.TextColumn("eta {task.fields[left]}"),
            console=Console(stderr=True),
            refresh_per_second=_BAR_UPDATES_PER_SECOND,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self.add_task(
            "train", total=total_steps, completed=done_steps, epoch="-", loss="-", speed="-", left="-"
        )

    def show_step(self, record: StepRecord) -> None:
        """Shows one more step."""
        self.update(
            self._task,
            completed=record.global_step,
            epoch=f"{record.epoch}/{record.epochs}",
            loss=f"{next(iter(record.losses.values())):.4f}",
            speed=f"{record.images_per_second:.1f}",
            left=format_duration(record.seconds_left),
        )
