"""Predicts every image of a split, scores it, and words the result as the page shows it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from utils.images import write_image
from utils.model_utils.errors import BadStateError
from utils.model_utils.files import write_bytes

from .dataset import LABEL_ENDING, EvaluationImage, evaluation_images
from .drawing import comparison, overview
from .inference import Predictor
from .label_files import ImagePair
from .labels import id_table, palette
from .metrics import ConfusionMatrix

logger = logging.getLogger(__name__)

RULE = "=" * 63


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One evaluation of a split.

    Attributes:
        matrix: pixels by true and predicted class.
        num_images: images that were evaluated.
        seconds: how long it took.
        num_input_sizes: different sizes that the network was compiled for.
    """

    matrix: ConfusionMatrix
    num_images: int
    seconds: float
    num_input_sizes: int


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


def write_result(path: Path, content: bytes) -> None:
    """Writes a file of a run folder, under a temporary name first.

    Raises:
        BadStateError: it cannot be written, e.g. because the disk is full.
    """
    try:
        write_bytes(path, content)
    except OSError as error:
        raise BadStateError(
            f"'{path}' cannot be written ({error.strerror}): check the folder and the disk, or choose another --run_dir"
        ) from error


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


def format_result(matrix: ConfusionMatrix, class_names: Sequence[str], checkpoint: str) -> str:
    """Returns the block of the page: the IoU of each class, then their mean and the checkpoint's name."""
    lines = ["====================== Evaluation Result ======================"]
    for name, iou in zip(class_names, matrix.iou(), strict=True):
        lines.append(f"===> class: {name}, IoU: {'absent' if np.isnan(iou) else float(iou)}")
    lines += [RULE, f"===> mIoU: {matrix.mean_iou()}, ckpt: {checkpoint}", RULE]
    return "\n".join(lines)


def format_accuracy(matrix: ConfusionMatrix, class_names: Sequence[str]) -> str:
    """Returns what the page's block leaves out: accuracies, and the classes that are no part of the means."""
    accuracy = matrix.class_accuracy()
    lines = [
        f"===> class: {name}, accuracy: {'not in the labels' if np.isnan(value) else float(value)}"
        for name, value in zip(class_names, accuracy, strict=True)
    ]
    lines += [
        RULE, f"===> mean accuracy: {matrix.mean_accuracy()}", f"===> pixel accuracy: {matrix.pixel_accuracy()}",
        format_absent(matrix, class_names), RULE,
    ]
    return "\n".join(lines)


def format_absent(matrix: ConfusionMatrix, class_names: Sequence[str]) -> str:
    """Returns which classes the mean IoU is over."""
    absent = [name for name, is_absent in zip(class_names, matrix.is_absent(), strict=True) if is_absent]
    total = len(class_names)
    if not absent:
        return f"===> mIoU is over all {total} classes"
    return (f"===> mIoU is over {total - len(absent)} of {total} classes; neither labelled nor predicted, so left out: "
            f"{', '.join(absent)}")


def format_manner(evaluation: Evaluation, how: str) -> str:
    """Returns what was evaluated and how, e.g. `evaluated 500 images, whole image in 512x1024; ...`."""
    sizes = evaluation.num_input_sizes
    return (f"evaluated {evaluation.num_images} images, {how}; scored at the size of the labels; the network was "
            f"compiled for {sizes} input size{'s' * (sizes != 1)}")
