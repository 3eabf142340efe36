"""report.html of a segmentation: which classes are found, what they are taken for, and the pictures that show it."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from utils.drawing.class_maps import overlay
from utils.drawing.guard import guard_drawing
from utils.drawing.panels import side_by_side
from utils.installation import version
from utils.model_utils.files import REPORT_NAME, write_file
from utils.reports.page import Figure, Section, colour_legend, figures, page, paragraph, subheading
from utils.reports.pictures import Shot, gallery, small_jpeg
from utils.reports.tables import Cell, Column, fold_matrix, matrix_table, show_number, sortable_table
from utils.words import agreed, counted

from .extremes import Extreme, Extremes, error_map
from .metrics import ConfusionMatrix
from .report import SegmentationEvaluation

MAX_MATRIX = 30  # classes of the confusion matrix; the others share a row and a column
NUM_WORST_CLASSES = 5  # in the sentence above the table
IOU = "pixels that are labelled and predicted as the class, divided by all that are labelled or predicted as it"
ACCURACY = "share of the pixels labelled as the class that are predicted as it"
PRECISION = "share of the pixels predicted as the class that are labelled so"

logger = logging.getLogger(__name__)


def write_page(
    evaluation: SegmentationEvaluation,
    extremes: Extremes,
    class_names: Sequence[str],
    colours: np.ndarray,
    about: Mapping[str, str],
    folder: Path,
) -> None:
    """Writes report.html; what goes wrong is said, and no more: call it when the numbers are written.

    Args:
        evaluation: what was found.
        extremes: the worst and the best pictures.
        class_names: name of each class.
        colours: uint8[256, 3], RGB of each class.
        about: what was evaluated, as words and texts.
        folder: takes the file.
    """
    path = folder / REPORT_NAME
    with guard_drawing(f"the report in '{path}'"):
        matrix = evaluation.matrix
        facts = {
            **about,
            "pictures": f"{evaluation.num_images:,}",
            "pixels": f"{int(matrix.counts.sum()):,}, labelled as {counted(_num_labelled(matrix), 'class')}",
        }
        sections = [
            _numbers(matrix),
            _classes(matrix, class_names),
            _confusion(matrix, class_names),
            _pictures(extremes, matrix, class_names, colours),
        ]
        write_file(path, page("Evaluation of a segmentation", list(facts.items()), sections, f"mszoo {version()}"))
        logger.info("report: %s (open it in a browser)", path)


def _num_labelled(matrix: ConfusionMatrix) -> int:
    return int((~matrix.is_unlabelled()).sum())


def _numbers(matrix: ConfusionMatrix) -> Section:
    cards = figures(
        [
            Figure(
                "mIoU",
                show_number(matrix.mean_iou()),
                "mean of the IoU of the classes; a small class counts as much as a large one",
            ),
            Figure(
                "mean accuracy",
                show_number(matrix.mean_accuracy()),
                "mean over the classes of the share of their pixels that were found",
            ),
            Figure(
                "pixel accuracy",
                show_number(matrix.pixel_accuracy()),
                "share of all pixels that are right; large classes dominate it",
            ),
        ]
    )
    intro = (
        "All numbers are from 0 to 1, more is better. Pixels of all pictures are counted together; pixels without a "
        "class in the labels do not count."
    )
    return Section("numbers", "Numbers", intro, cards)


def _classes(matrix: ConfusionMatrix, names: Sequence[str]) -> Section:
    counts = matrix.counts
    iou, accuracy = matrix.iou(), matrix.class_accuracy()
    predicted = counts.sum(axis=0)
    precision = np.where(predicted > 0, np.diag(counts) / np.maximum(predicted, 1), np.nan)
    share = counts.sum(axis=1) / max(int(counts.sum()), 1)
    columns = [
        Column("class"),
        Column("IoU", IOU, is_share=True),
        Column("accuracy", ACCURACY, is_share=True),
        Column("precision", PRECISION, is_share=True),
        Column("% of the pixels", "share of the labelled pixels", digits=2),
        Column("most often taken for"),
    ]
    shown = np.flatnonzero(~matrix.is_absent())
    order = shown[np.argsort(iou[shown], kind="stable")]
    rows: list[list[Cell]] = [
        [names[index], *map(float, (iou[index], accuracy[index], precision[index], 100 * share[index])), taken]
        for index, taken in ((index, _taken_for(counts[index], index, names)) for index in order.tolist())
    ]
    total: list[Cell] = ["mean", matrix.mean_iou(), matrix.mean_accuracy(), None, None, ""]
    worst = ", ".join(f"{names[index]} ({iou[index]:.3f})" for index in order[:NUM_WORST_CLASSES].tolist())
    absent = int(matrix.is_absent().sum())
    left_out = (
        f" {counted(absent, 'class')} {agreed(absent, 'is', 'are')} neither labelled nor predicted, and left out."
        if absent
        else ""
    )
    intro = f"Worst first: {worst}. Click a heading to sort.{left_out}"
    return Section("classes", "Classes", intro, sortable_table(columns, rows, total))


def _taken_for(row: np.ndarray, index: int, names: Sequence[str]) -> str:
    """Returns which other class the pixels of a class, int64[C], are mostly taken for."""
    others = row.copy()
    others[index] = 0
    most = int(others.argmax())
    return f"{names[most]} ({100 * others[most] / row.sum():.1f} %)" if others[most] else ""


def _confusion(matrix: ConfusionMatrix, names: Sequence[str]) -> Section:
    shown = np.flatnonzero(~matrix.is_absent())
    counts, shown_names = fold_matrix(
        matrix.counts[np.ix_(shown, shown)], [names[index] for index in shown.tolist()], MAX_MATRIX
    )
    table = matrix_table(counts, shown_names, "row: truth, column: prediction; in percent of the row", unit="pixel")
    intro = "What the pixels of each class were taken for. The diagonal is the accuracy of each class."
    return Section("confusion", "Confusions", intro, table)


def _pictures(extremes: Extremes, matrix: ConfusionMatrix, names: Sequence[str], colours: np.ndarray) -> Section:
    shown = np.flatnonzero(~matrix.is_absent()).tolist()
    legend = colour_legend([(names[index], tuple(colours[index].tolist())) for index in shown])
    body = legend
    for title, chosen in (("Worst", extremes.worst), ("Best", extremes.best)):
        if chosen:
            body += subheading(title) + gallery([_shot(each, names, colours) for each in chosen])
    if not extremes.worst:
        body = paragraph("No picture has a labelled pixel.")
    intro = (
        "Sorted by the mean IoU of the picture, over the classes in its label. In the map of errors wrong pixels are "
        "red; pixels without a class do not count and are nearly black. Click a picture to enlarge it."
    )
    return Section("pictures", "Pictures", intro, body)


def _shot(kept: Extreme, names: Sequence[str], colours: np.ndarray) -> Shot:
    maps = error_map(kept.image, kept.label, kept.prediction, len(names))
    upper = side_by_side([kept.image, overlay(kept.image, kept.label, colours)], ["image", "truth"])
    lower = side_by_side([overlay(kept.image, kept.prediction, colours), maps], ["prediction", "errors"])
    note = (
        f"mIoU {kept.mean_iou:.3f}, {100 * kept.pixel_accuracy:.1f} % of the pixels right; lowest IoU: "
        f"{names[kept.worst_class]} ({kept.worst_iou:.2f})"
    )
    return Shot(small_jpeg(np.vstack([upper, lower])), kept.path.name, note)
