"""A bar for each class: how much of it there is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from utils.drawing.figures import draw_figure
from utils.drawing.fonts import base_font, letter_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID = "#404040", "#e4e4e4"
MOST_BARS = 100  # more would make a figure that no viewer opens at once; the classes with most are shown
ROW_INCHES = 0.24  # of height for a class, in which its name has room (taste)


def class_bars(
    names: Sequence[str],
    values: np.ndarray,
    texts: Sequence[str],
    colours: np.ndarray,
    *,
    title: str,
    axis: str,
) -> bytes:
    """Draws a horizontal bar for each class, the longest on top.

    Args:
        names: name of each class.
        values: float64[C], length of each bar, 0 or more.
        texts: what stands behind each bar.
        colours: uint8[C, 3], RGB.
        title: of the figure.
        axis: what the lengths are.

    Returns:
        The bytes of a PNG file.
    """
    order = np.argsort(-values, kind="stable")[:MOST_BARS]
    height = 1.2 + ROW_INCHES * len(order)
    return draw_figure(lambda figure: _fill(figure, names, values, texts, colours, order, title, axis), 8, height, 110)


def _fill(
    figure: "Figure",
    names: Sequence[str],
    values: np.ndarray,
    texts: Sequence[str],
    colours: np.ndarray,
    order: np.ndarray,
    title: str,
    axis: str,
) -> None:
    axes = figure.add_subplot()
    places = np.arange(len(order))
    axes.barh(places, values[order], color=colours[order] / 255, height=0.72, edgecolor=INK, linewidth=0.4)
    letterings = letter_names(names)
    axes.set_yticks(places, [letterings[index].text for index in order])
    for label, index in zip(axes.get_yticklabels(), order, strict=True):
        label.set_parse_math(False)  # a name with two dollar signs is no formula
        if letterings[index].font != base_font():
            label.set_fontproperties(letterings[index].font)
    room = max(float(values.max(initial=0)), 1e-9)
    for place, index in zip(places, order, strict=True):
        axes.text(values[index] + room * 0.01, place, texts[index], va="center", fontsize=8, color=INK)
    axes.set_xlim(0, room * 1.3)  # for the texts
    axes.set_ylim(len(order) - 0.4, -0.6)
    dress(axes)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(axis)
    if len(order) < len(names):
        title += f", the {len(order)} classes of {len(names)} with most"
    axes.set_title(title, fontsize=11, color=INK, loc="left")


def dress(axes: "Axes") -> None:
    """Gives axes the looks of this project's figures."""
    axes.set_axisbelow(True)
    axes.grid(color=GRID)
    axes.tick_params(colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#b0b0b0")
