"""The pictures that a training leaves in its folder: its first batch, and predictions on fixed pictures."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.drawing.guard import guard_drawing
from utils.images import write_image
from utils.training.pictures.batch_view import Batch, BatchView, draw_sheet
from utils.training.record.run_folder import RunFolder

MOST_OF_BATCH = 8  # pictures of the first batch: they are drawn within half a second

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PicturePlan:
    """Which evaluations of a run leave a picture of predictions; those of an epoch do so in a resumed run as well.

    Attributes:
        interval: evaluations from one picture to the next, from the first on; 0 for no pictures.
        first_epoch: the first that may be evaluated.
        epochs_between: epochs between evaluations.
        last_epoch: is always evaluated, and leaves a picture.
    """

    interval: int
    first_epoch: int
    epochs_between: int
    last_epoch: int

    def is_due(self, epoch: int) -> bool:
        """Whether the evaluation after an epoch leaves a picture."""
        if self.interval == 0:
            return False
        return epoch >= self.last_epoch or (epoch - self.first_epoch) // self.epochs_between % self.interval == 0


class RunPictures:
    """Draws and writes the pictures of a run; whatever fails there is said, and the run goes on.

    Every worker has one, worker 0 alone draws.

    Args:
        folder: of the run.
        plan: when predictions are drawn.
        view: shows batches; None: the first one is not drawn.
    """

    def __init__(self, folder: RunFolder, plan: PicturePlan, view: BatchView | None = None) -> None:
        self._folder, self._plan, self._view = folder, plan, view

    def add_first_batch(self, batch: Batch, epoch: int, step: int, *, is_new_run: bool) -> None:
        """Draws the first batch that this process is given; a resumed run keeps the picture that it has.

        Args:
            batch: arrays as the source yields them.
            epoch: of the batch.
            step: of the batch, from 0.
            is_new_run: whether nothing was trained before.
        """
        view, self._view = self._view, None
        path = self._folder.first_batch_path
        if view is None or not self._folder.writes or (path.exists() and not is_new_run):
            return
        with guard_drawing(f"the first batch in '{path}'"):
            shown = tuple(array[:MOST_OF_BATCH] for array in batch)
            names = view.names(epoch, step)[:MOST_OF_BATCH]
            self._write(path, draw_sheet(view, shown, names, f"epoch {epoch}, step {step + 1}"), "first_batch")
            logger.info("the first batch, as the network is fed it: %s", path)

    def are_due(self, epoch: int) -> bool:
        """Whether this worker draws predictions after an epoch."""
        return self._folder.writes and self._plan.is_due(epoch)

    def add_predictions(self, epoch: int, draw: Callable[[], np.ndarray]) -> None:
        """Writes a picture of predictions, uint8[H, W, 3] RGB, which `draw` makes."""
        path = self._folder.predictions_path(epoch)
        with guard_drawing(f"the predictions in '{path}'"):
            self._write(path, draw(), "predictions")

    def _write(self, path: Path, image: np.ndarray, name: str) -> None:
        """Writes a picture and offers it to the loggers, under a name that it keeps from epoch to epoch."""
        write_image(path, image)
        self._folder.log.add_picture(name, path)
