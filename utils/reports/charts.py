"""Line charts of a page, as SVG: drawn here, so that they are seen without a script, which only lights up lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 560, 340  # of the drawing; a browser scales it to its column
LEFT, RIGHT, TOP, BOTTOM = 76, 14, 12, 40  # room around the lines, on the left for a title and numbers of 8 characters
GIVEN = "given"  # class of a line whose colour is not the chart's
NUM_COLOURS = 8  # that page.css has for lines
MAX_LEGEND = 12  # more lines than these are named where the pointer rests, not below the chart
TICKS = 5  # about as many numbers at a side


@dataclass(frozen=True, eq=False)
class Line:
    """A line of a chart.

    Attributes:
        name: plain text.
        x: float[N].
        y: float[N]; where a value is NaN the line has a gap.
        is_main: drawn thick, above the others.
        rgb: colour, 0 to 255 each; None for one of the chart's own. Of many lines none has it before it is lit.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    is_main: bool = False
    rgb: tuple[int, int, int] | None = None


def line_chart(
    lines: Sequence[Line],
    x_title: str,
    y_title: str,
    *,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> str:
    """Returns a chart with a legend; without a point that is defined, a sentence.

    Args:
        lines: what is drawn.
        x_title: of the lower side.
        y_title: of the left side.
        x_range: least and most of the lower side; None: of the lines.
        y_range: likewise of the left side.
    """
    xs, ys = _defined([line.x for line in lines]), _defined([line.y for line in lines])
    if not len(xs) or not len(ys):
        return '<p class="empty">nothing to draw</p>'
    x_ticks, y_ticks = _ticks(x_range or (xs.min(), xs.max())), _ticks(y_range or (ys.min(), ys.max()))
    x_span, y_span = x_range or _span(x_ticks, xs), y_range or _span(y_ticks, ys)
    parts = [*_grid(x_ticks, y_ticks, x_span, y_span), *_titles(x_title, y_title)]
    order = sorted(range(len(lines)), key=lambda index: lines[index].is_main)
    are_many = len(lines) > MAX_LEGEND
    parts += [_path(lines[index], _colour(lines, index, are_many), x_span, y_span) for index in order]
    legend = "" if len(lines) == 1 else _legend(lines, are_many)
    return (
        f'<figure class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y_title)}">'
        f"{''.join(parts)}</svg><figcaption>{legend}</figcaption></figure>"
    )


def _defined(columns: Sequence[np.ndarray]) -> np.ndarray:
    values = np.concatenate([np.zeros(0), *(np.asarray(each, np.float64) for each in columns)])
    return values[np.isfinite(values)]


def _ticks(span: tuple[float, float]) -> list[float]:
    """Returns round numbers that cover a span."""
    low, high = float(span[0]), float(span[1])
    if high <= low:
        room = (abs(low) or 1.0) / 2
        low, high = (low - room if low else 0.0), high + room
    raw = (high - low) / TICKS
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _span(ticks: Sequence[float], values: np.ndarray) -> tuple[float, float]:
    return min(ticks[0], float(values.min())), max(ticks[-1], float(values.max()))


def _place_x(values: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    return LEFT + (values - span[0]) / (span[1] - span[0]) * (WIDTH - LEFT - RIGHT)


def _place_y(values: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    return HEIGHT - BOTTOM - (values - span[0]) / (span[1] - span[0]) * (HEIGHT - TOP - BOTTOM)


def _grid(
    x_ticks: Sequence[float], y_ticks: Sequence[float], x_span: tuple[float, float], y_span: tuple[float, float]
) -> list[str]:
    parts = []
    bottom = HEIGHT - BOTTOM
    for tick, y in zip(y_ticks, _place_y(np.array(y_ticks), y_span).tolist(), strict=True):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick, x in zip(x_ticks, _place_x(np.array(x_ticks), x_span).tolist(), strict=True):
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    return parts


def _titles(x_title: str, y_title: str) -> list[str]:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return [
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x_title)}</text>",
        f'<text class="axis" x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        f"{escape(y_title)}</text>",
    ]


def _colour(lines: Sequence[Line], index: int, are_many: bool) -> str:
    """Returns the class of a line: its colour; of many lines only the main ones have one."""
    if lines[index].is_main:
        return "main"
    if are_many:
        return "quiet"
    return GIVEN if lines[index].rgb is not None else f"colour{index % NUM_COLOURS}"


def _hex(line: Line) -> str:
    return "#" + "".join(f"{value:02x}" for value in line.rgb or ())


def _path(line: Line, colour: str, x_span: tuple[float, float], y_span: tuple[float, float]) -> str:
    x, y = np.asarray(line.x, np.float64), np.asarray(line.y, np.float64)
    is_point = np.isfinite(x) & np.isfinite(y)
    begins = is_point & ~np.append(False, is_point[:-1])  # after a gap the pen is set down anew
    words = [
        f"{'M' if begin else 'L'}{px:.1f} {py:.1f}"
        for begin, px, py, point in zip(
            begins.tolist(), _place_x(x, x_span).tolist(), _place_y(y, y_span).tolist(), is_point.tolist(), strict=True
        )
        if point
    ]
    name = escape(line.name)
    alone = " dotted" if is_point.sum() == 1 else ""  # a line of one point is seen by its round ends
    if alone:
        words.append(f"L{words[0][1:]}")
    style = f' style="stroke: {_hex(line)}"' if colour == GIVEN else ""
    return (
        f'<path class="line {colour}{alone}"{style} data-name="{name}" d="{"".join(words)}">'
        f"<title>{name}</title></path>"
    )


def _mark(line: Line, colour: str) -> str:
    """Returns what stands before the name of a line with a given colour; those of the chart's own are drawn by CSS."""
    return f'<i style="background: {_hex(line)}"></i>' if colour == GIVEN else ""


def _legend(lines: Sequence[Line], are_many: bool) -> str:
    shown = [index for index, line in enumerate(lines) if line.is_main or not are_many]
    names = "".join(
        f'<span class="{_colour(lines, index, are_many)}" data-name="{escape(lines[index].name)}">'
        f"{_mark(lines[index], _colour(lines, index, are_many))}{escape(lines[index].name)}"
        f"{'' if np.isfinite(lines[index].y).any() else ' (no values)'}</span>"
        for index in shown
    )
    rest = len(lines) - len(shown)
    hint = f"<em>the other {rest} lines: point at one, or at a row of the table</em>" if rest > 0 else ""
    return f'<div class="legend">{names}{hint}</div>'
