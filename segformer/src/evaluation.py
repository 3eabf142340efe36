"""Predicts every image of a split and scores it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from utils.images import write_image

from .dataset import LABEL_ENDING, EvaluationImage, evaluation_images
from .drawing import comparison, overview
from .inference import Predictor
from .label_files import ImagePair
from .labels import id_table, palette
from .metrics import ConfusionMatrix
from .report import Evaluation, write_result

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Evaluator:
    """Evaluates a network on a split as often as it is asked to; one image is held at a time, few are read ahead.

    Attributes:
        predictor: its network may share its weights with a training network.
        pairs: images and labels of the split.
        class_names: name of each class.
        ignore_label: label of pixels that do not count.
        workers: threads that read images.
        log_interval: images between lines of the log.
    """

    predictor: Predictor
    pairs: Sequence[ImagePair]
    class_names: Sequence[str]
    ignore_label: int = 255
    workers: int = 1
    log_interval: int = 100

    def evaluate(
        self, picture_folder: Path | None = None, num_pictures: int = 0, prediction_folder: Path | None = None
    ) -> Evaluation:
        """Runs the whole split; predictions are scored at the size of the label.

        Args:
            picture_folder: where pictures of image, truth and prediction go, beside an `overview.jpg` of them.
            num_pictures: how many of the first images are drawn.
            prediction_folder: where each prediction goes as a PNG of Cityscapes' label ids, named as its server wants.

        Raises:
            UserError: a file is missing, damaged or does not fit the other of its pair.
        """
        logger.info("%s", format_size(len(self.pairs)))
        matrix = ConfusionMatrix(len(self.class_names), self.ignore_label)
        colours = palette(len(self.class_names))
        pictures: list[np.ndarray] = []
        start = last = time.monotonic()
        images = evaluation_images(self.pairs, len(self.class_names), self.ignore_label, self.workers)
        for done, item in enumerate(images, start=1):
            prediction = self.predictor.predict(item.image)
            matrix.add(prediction, item.label)
            if prediction_folder is not None:
                write_prediction(prediction_folder, item.pair, prediction)
            if picture_folder is not None and len(pictures) < num_pictures:
                pictures.append(_draw(picture_folder, len(pictures), item, prediction, colours))
            if done % self.log_interval == 0 or done == len(self.pairs):
                now = time.monotonic()
                since = (done - 1) % self.log_interval + 1
                logger.info("%s", format_progress(done, len(self.pairs), (now - last) / since))
                last = now
        if picture_folder is not None and pictures:
            names = ["" if absent else name for absent, name in zip(matrix.is_absent(), self.class_names, strict=True)]
            write_image(picture_folder / "overview.jpg", overview(pictures, names, colours))
        return Evaluation(matrix, len(self.pairs), time.monotonic() - start, len(self.predictor.input_sizes))


def write_prediction(folder: Path, pair: ImagePair, prediction: np.ndarray) -> Path:
    """Writes a prediction uint8[H, W] of train ids as label ids, `<city>_<sequence>_<frame>_pred_labelIds.png`.

    Raises:
        BadStateError: it cannot be written.
    """
    path = folder / f"{pair.label.name.removesuffix(LABEL_ENDING)}_pred_labelIds.png"
    write_result(path, cv2.imencode(".png", id_table()[prediction])[1].tobytes())
    return path


def _draw(folder: Path, number: int, item: EvaluationImage, prediction: np.ndarray, colours: np.ndarray) -> np.ndarray:
    picture = comparison(item.image, item.label, prediction, colours)
    write_image(folder / f"{number:03d}_{item.pair.image.stem}.jpg", picture)
    return picture


def metrics_of(evaluation: Evaluation) -> dict[str, float]:
    """Returns the numbers that the training loop logs, plots and chooses the best checkpoint by."""
    matrix = evaluation.matrix
    return {
        "mIoU": matrix.mean_iou(), "mean_accuracy": matrix.mean_accuracy(), "pixel_accuracy": matrix.pixel_accuracy(),
    }


def format_size(num_images: int) -> str:
    """Returns e.g. `eval dataset size:500`."""
    return f"eval dataset size:{num_images}"


def format_progress(done: int, total: int, seconds: float) -> str:
    """Returns e.g. `eval image 100/500 done, step cost: 593ms`; the mean time of the images since the last such line.

    The network's compilation is part of the first.
    """
    return f"eval image {done}/{total} done, step cost: {seconds * 1000:.0f}ms"


def format_total(seconds: float) -> str:
    """Returns e.g. `all eval process done, cost:353s`."""
    return f"all eval process done, cost:{seconds:.0f}s"
