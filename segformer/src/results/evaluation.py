"""Predicts every image of a split and scores it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from utils.drawing.guard import guard_drawing
from utils.image_files import evenly_spread
from utils.images import write_image
from utils.model_utils.files import write_file
from utils.model_utils.workers import ALONE, Workers

from ..dataset import evaluation_images
from ..labels.classes import class_colours, id_table
from ..labels.files import ImagePair
from ..labels.sources import LABEL_ENDING
from .drawing import comparison, confusion_picture, framed, overview
from .extremes import Extremes
from .inference import Predictor, in_order_of_canvas
from .metrics import ConfusionMatrix
from .report import SegmentationEvaluation, write_run_file

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SegmentationEvaluator:
    """Evaluates a network on a split as often as it is asked to; one image is held at a time, few are read ahead.

    Several workers share the images; all of them have to ask, and get the numbers of the whole split.

    Attributes:
        predictor: its network may share its weights with a training network.
        pairs: images and labels of the split.
        class_names: name of each class.
        colours: uint8[256, 3], RGB, of each class; None for those that `class_colours` gives the names.
        ignore_label: label of pixels that do not count.
        num_loaders: threads that read images.
        log_interval: images between lines of the log.
        workers: the workers of the job.
    """

    predictor: Predictor
    pairs: Sequence[ImagePair]
    class_names: Sequence[str]
    colours: np.ndarray | None = None
    ignore_label: int = 255
    num_loaders: int = 1
    log_interval: int = 100
    workers: Workers = ALONE

    def evaluate(
        self, num_pictures: int = 0, prediction_folder: Path | None = None, extremes: Extremes | None = None
    ) -> SegmentationEvaluation:
        """Runs the whole split; predictions are scored at the size of the label.

        Args:
            num_pictures: of how many images of this worker's share, evenly spread, image, truth and prediction are
                drawn.
            prediction_folder: where each prediction goes as a PNG of Cityscapes' label ids, named as its server wants.
            extremes: keeps the worst and the best pictures of this worker's share; None where nobody asks for them.

        Raises:
            UserError: a file is missing, damaged or does not fit the other of its pair.
        """
        progress = _Progress(len(self.pairs), self.log_interval, self.workers)
        matrix = ConfusionMatrix(len(self.class_names), self.ignore_label)
        pictures: dict[Path, np.ndarray] = {}
        held: dict[Path, np.ndarray] = {}  # which classes are in a picture, bool[256]
        share = self._share()
        shared = {pair.image for pair in share}
        drawn = evenly_spread([pair.image for pair in self.pairs if pair.image in shared], num_pictures)
        colours = class_colours(self.class_names) if self.colours is None else self.colours
        for item in evaluation_images(share, len(self.class_names), self.ignore_label, self.num_loaders):
            prediction = self.predictor.predict(item.image)
            before = matrix.counts.copy()
            matrix.add(prediction, item.label)
            if extremes is not None:
                with guard_drawing(f"the picture of '{item.pair.image}' for the report"):
                    extremes.add(item.pair.image, item.image, item.label, prediction, matrix.counts - before)
            if prediction_folder is not None:
                write_prediction(prediction_folder, item.pair, prediction)
            if item.pair.image in drawn:
                with guard_drawing(f"the picture of '{item.pair.image}'"):
                    pictures[item.pair.image] = comparison(item.image, item.label, prediction, colours)
                    held[item.pair.image] = np.bincount(np.append(item.label, prediction), minlength=256) > 0
            progress.add_image()
        own: dict[str, Any] = {"counts": matrix.counts, "sizes": sorted(self.predictor.input_sizes)}
        shares = self.workers.gather(own)
        matrix.counts = np.sum([share["counts"] for share in shares], axis=0)
        num_sizes = len({tuple(size) for share in shares for size in share["sizes"]})
        named = [(path, pictures[path]) for path in drawn if path in pictures]
        shown = tuple((f"{number:03d}_{path.stem}.jpg", picture) for number, (path, picture) in enumerate(named))
        present = tuple(held[path][: len(self.class_names)] for path, _ in named)
        return SegmentationEvaluation(matrix, len(self.pairs), progress.seconds(), num_sizes, shown, present, colours)

    def _share(self) -> Sequence[ImagePair]:
        """Returns the images of this worker: where canvases follow the pictures, those of as few sizes as can be."""
        if not self.predictor.follows_pictures:
            return self.workers.share(self.pairs)
        return self.workers.share_block(in_order_of_canvas(self.predictor, self.pairs, lambda pair: pair.image))


class _Progress:
    """The documented lines about an evaluation, logged by worker 0, which takes the others to be as far as itself.

    Args:
        total: images of all workers.
        log_interval: images between lines.
        workers: the workers of the job.
    """

    def __init__(self, total: int, log_interval: int, workers: Workers) -> None:
        self._total, self._interval, self._workers = total, log_interval, workers
        self._done = self._said = 0
        self._start = self._last = time.monotonic()
        self._log(format_size(total))

    def add_image(self) -> None:
        """Counts an image of this worker's share."""
        self._done = min(self._done + self._workers.count, self._total)
        is_due = self._done // self._interval > self._said // self._interval or self._done == self._total
        if is_due:
            now = time.monotonic()
            self._log(format_progress(self._done, self._total, (now - self._last) / (self._done - self._said)))
            self._last, self._said = now, self._done

    def seconds(self) -> float:
        """Returns how long it has taken so far."""
        return time.monotonic() - self._start

    def _log(self, line: str) -> None:
        if self._workers.is_main:
            logger.info("%s", line)


def write_prediction(folder: Path, pair: ImagePair, prediction: np.ndarray) -> Path:
    """Writes a prediction uint8[H, W] of train ids as label ids, `<city>_<sequence>_<frame>_pred_labelIds.png`.

    Raises:
        BadStateError: it cannot be written.
    """
    path = folder / f"{pair.label.name.removesuffix(LABEL_ENDING).removesuffix('.png')}_pred_labelIds.png"
    write_run_file(path, cv2.imencode(".png", id_table()[prediction])[1].tobytes())
    return path


def write_pictures(evaluation: SegmentationEvaluation, class_names: Sequence[str], folder: Path) -> None:
    """Writes the pictures of an evaluation, an `overview.jpg` of them, and the confusion matrix beside their folder.

    What cannot be drawn or written is said, and no more: call it when the numbers are written.

    Args:
        evaluation: has the pictures.
        class_names: name of each class.
        folder: of the evaluation; the pictures go into `pictures` in it.
    """
    confusion = folder / "confusion_matrix.png"
    with guard_drawing(f"the confusion matrix in '{confusion}'"):
        write_file(confusion, confusion_picture(evaluation.matrix, class_names))
    if not evaluation.pictures:
        return
    with guard_drawing(f"the pictures in '{folder / 'pictures'}'"):
        colours = class_colours(class_names) if evaluation.colours is None else evaluation.colours
        is_shown = ~evaluation.matrix.is_absent()
        for number, (name, picture) in enumerate(evaluation.pictures):
            present = evaluation.present[number] if evaluation.present else is_shown
            write_image(folder / "pictures" / name, framed(picture, class_names, present, colours))
        sheet = overview([picture for _, picture in evaluation.pictures], class_names, is_shown, colours)
        write_image(folder / "pictures" / "overview.jpg", sheet)


def segmentation_metrics(evaluation: SegmentationEvaluation) -> dict[str, float]:
    """Returns the numbers that the training loop logs, plots and chooses the best checkpoint by."""
    matrix = evaluation.matrix
    return {
        "mIoU": matrix.mean_iou(),
        "mean_accuracy": matrix.mean_accuracy(),
        "pixel_accuracy": matrix.pixel_accuracy(),
    }


def format_size(num_images: int) -> str:
    """Returns e.g. `eval dataset size:500`."""
    return f"eval dataset size:{num_images}"


def format_progress(done: int, total: int, seconds: float) -> str:
    """Returns e.g. `eval image 100/500 done, step cost: 593ms`; the mean time of the images since the last such line.

    The network's compilation is part of the first. Of several workers, it is their time over the images of them all.
    """
    return f"eval image {done}/{total} done, step cost: {seconds * 1000:.0f}ms"


def format_total(seconds: float) -> str:
    """Returns e.g. `all eval process done, cost:353s`."""
    return f"all eval process done, cost:{seconds:.0f}s"
