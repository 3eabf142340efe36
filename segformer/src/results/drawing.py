"""Pictures of segmentations: rows of image, truth and prediction, and the confusion matrix."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from utils.drawing.class_maps import overlay
from utils.drawing.contact_sheet import contact_sheet
from utils.drawing.figures import draw_figure
from utils.drawing.fonts import Lettering, base_font, letter_names
from utils.drawing.legend import draw_legend
from utils.drawing.panels import GAP, GROUND, title_line

from .metrics import ConfusionMatrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL_WIDTH = 640  # three panels in a row fit on a screen of 1920 pixels
MIN_PANEL_WIDTH = 240  # smaller pictures are enlarged by a whole factor: headings and legend need room
PANELS = ("image", "truth", "prediction")
LEGEND_TEXT = 20  # pixels; names read well beside panels of 640 (taste)
MAX_NAMED_CLASSES = 40  # a matrix of more has no numbers in its cells


def comparison(image: np.ndarray, label: np.ndarray, prediction: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Puts the image, the truth over it and the prediction over it side by side.

    Args:
        image: uint8[H, W, 3], RGB.
        label: uint8[H, W]; what belongs to no class has a dark colour.
        prediction: uint8[H, W].
        colours: uint8[256, 3].

    Returns:
        uint8[H', W', 3], RGB, each panel at most `PANEL_WIDTH` wide, and not below `MIN_PANEL_WIDTH`.
    """
    width = min(PANEL_WIDTH, image.shape[1])
    width *= max(1, -(-MIN_PANEL_WIDTH // width))
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    # the classes are made small before they are coloured, so that no colours between them appear
    method = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR
    small = cv2.resize(image, (width, height), interpolation=method)
    true, predicted = (
        cv2.resize(classes, (width, height), interpolation=cv2.INTER_NEAREST) for classes in (label, prediction)
    )
    gap = np.full((height, GAP, 3), GROUND, np.uint8)
    return np.hstack([small, gap, overlay(small, true, colours), gap, overlay(small, predicted, colours)])


def framed(row: np.ndarray, class_names: Sequence[str], is_shown: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Puts headings above a picture of `comparison` and a legend below it.

    Args:
        row: uint8[H, W, 3].
        class_names: name of each class.
        is_shown: bool[C], which classes stand in the legend.
        colours: uint8[256, 3].
    """
    return np.vstack([_titles(row.shape[1]), row, _legend(class_names, is_shown, colours, row.shape[1])])


def overview(
    rows: Sequence[np.ndarray], class_names: Sequence[str], is_shown: np.ndarray, colours: np.ndarray
) -> np.ndarray:
    """Puts pictures of `comparison` under each other, above a legend of the classes.

    Args:
        rows: uint8[H, W, 3] each.
        class_names: name of each class.
        is_shown: bool[C], which classes stand in the legend.
        colours: uint8[256, 3].
    """
    sheet = contact_sheet(rows, columns=1, cell_width=max(row.shape[1] for row in rows), gap=GAP)
    titles = _titles(sheet.shape[1] - 2 * GAP)
    margin = np.full((titles.shape[0], GAP, 3), GROUND, np.uint8)
    legend = _legend(class_names, is_shown, colours, sheet.shape[1])
    return np.vstack([np.hstack([margin, titles, margin]), sheet, legend])


def _titles(width: int) -> np.ndarray:
    """Draws what each panel of a row of `width` pixels shows, above it."""
    panel = (width - (len(PANELS) - 1) * GAP) // len(PANELS)
    lines = [title_line(text, panel, LEGEND_TEXT) for text in PANELS]
    gap = np.full((lines[0].shape[0], GAP, 3), GROUND, np.uint8)
    row = np.hstack([part for line in lines for part in (line, gap)])
    return row[:, :width]


def _legend(class_names: Sequence[str], is_shown: np.ndarray, colours: np.ndarray, width: int) -> np.ndarray:
    """Draws a patch and a name for each class that is shown."""
    shown, letterings = np.flatnonzero(is_shown), letter_names(class_names)
    return draw_legend([letterings[index] for index in shown], colours[shown], width, LEGEND_TEXT)


def confusion_picture(matrix: ConfusionMatrix, class_names: Sequence[str]) -> bytes:
    """Draws what each true class was taken for, in percent of its pixels, as the bytes of a PNG file.

    Classes that are absent from labels and predictions are left out.
    """
    shown = np.flatnonzero(~matrix.is_absent())
    counts = matrix.counts[np.ix_(shown, shown)]
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    letterings = letter_names(class_names)
    names = [letterings[index] for index in shown]
    longest = max((len(name.text) for name in names), default=0)
    # 3 inches hold names of ten letters, title and scale; a letter more takes about 0.08 inches
    side = 3 + 0.42 * max(len(names), 6) + 0.08 * max(longest - 10, 0)
    title = f"Percent of each true class (mean IoU {matrix.mean_iou():.4f})"
    return draw_figure(lambda figure: _fill(figure, percent, names, title), width=side + 0.8, height=side, dpi=110)


def _fill(figure: "Figure", percent: np.ndarray, names: Sequence[Lettering], title: str) -> None:
    """Draws a matrix float64[C, C] in percent, with the names of its classes at both sides."""
    figure.set_layout_engine("constrained", h_pad=0.15)  # inches; long names push the title over the edge otherwise
    axes = figure.add_subplot()
    shades = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    texts = [name.text for name in names]
    axes.set_xticks(range(len(names)), texts, rotation=90)
    axes.set_yticks(range(len(names)), texts)
    for label, name in zip([*axes.get_xticklabels(), *axes.get_yticklabels()], [*names, *names], strict=True):
        label.set_parse_math(False)  # a name with two dollar signs is no formula
        if name.font != base_font():
            label.set_fontproperties(name.font)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(title)
    figure.colorbar(shades, ax=axes, shrink=0.7)
    if len(names) <= MAX_NAMED_CLASSES:
        for row, column in np.argwhere(percent >= 0.5):
            axes.text(
                column,
                row,
                f"{percent[row, column]:.0f}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if percent[row, column] > 55 else "black",
            )
