"""Sizes of boxes beside those of the anchors, and how well the best anchor of each fits."""

from typing import TYPE_CHECKING

import numpy as np

from utils.drawing.class_bars import INK, dress
from utils.drawing.figures import draw_figure
from utils.words import share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_box_sizes(
    sizes: np.ndarray, colours: np.ndarray, anchor_sizes: np.ndarray, best_ious: np.ndarray, pos_iou: float
) -> bytes:
    """Draws width against height of boxes and anchors, and a histogram of the IoU of each box with its best anchor.

    Args:
        sizes: float32[N, 2], width and height of the boxes in pixels of the input.
        colours: uint8[N, 3], RGB, of the class of each.
        anchor_sizes: float32[A, 2], the different widths and heights of anchors.
        best_ious: float32[K] in [0, 1].
        pos_iou: from which on an anchor learns a box.

    Returns:
        The bytes of a PNG file.
    """

    def fill(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        _draw_sizes(left, sizes, colours, anchor_sizes)
        _draw_ious(right, best_ious, pos_iou)
        for axes in (left, right):
            dress(axes)
            axes.title.set(fontsize=11, color=INK)

    return draw_figure(fill, 12, 5.6, 110)


def _draw_sizes(axes: "Axes", sizes: np.ndarray, colours: np.ndarray, anchor_sizes: np.ndarray) -> None:
    axes.scatter(
        anchor_sizes[:, 0],
        anchor_sizes[:, 1],
        marker="+",
        s=70,
        color="black",
        linewidth=1.1,
        label="anchors",
        zorder=3,
    )
    alpha = float(np.clip(200 / len(sizes), 0.15, 0.8))  # where there are many, their density is seen
    label = "boxes, in the colour of their class"
    axes.scatter(sizes[:, 0], sizes[:, 1], s=14, c=colours / 255, alpha=alpha, linewidth=0, label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("width in pixels of the input")
    axes.set_ylabel("height in pixels of the input")
    axes.set_title("Boxes and the shapes of anchors")
    axes.legend(loc="upper left", fontsize=8, framealpha=0.9)


def _draw_ious(axes: "Axes", best_ious: np.ndarray, pos_iou: float) -> None:
    axes.hist(best_ious, bins=np.linspace(0, 1, 41).tolist(), color="#1d84e8", edgecolor="white", linewidth=0.5)
    axes.axvline(pos_iou, color="#c0504d", linewidth=1.6)
    fitting = share((best_ious >= pos_iou).sum(), len(best_ious))
    axes.set_xlim(0, 1)
    axes.set_xlabel("IoU of a box with the anchor that fits it best")
    axes.set_ylabel("boxes")
    axes.set_title(f"{fitting} of the boxes have an anchor with an IoU of {pos_iou:g} or more (red line)")
