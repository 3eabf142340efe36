"""curves.png: losses, learning rate, metrics and times of a run, drawn from metrics.jsonl."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.drawing.figures import draw_figure
from utils.drawing.guard import guard_drawing
from utils.model_utils.files import write_file
from utils.training.record.metrics_log import in_one_count, read_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SECONDS_BETWEEN_DRAWINGS = 10.0  # drawing takes about half a second, an epoch of few images less
_COLOURS = ("#1f4e79", "#c0504d", "#2e8b57", "#8064a2", "#d98e04", "#3fa7c4", "#7f7f7f", "#b0508f")
_GRID = "#e4e4e4"
_INK = "#404040"
_MAX_METRIC_LINES = 6  # more lines, and a legend of more, would hide each other
_OF_STEPS = ("losses", "learning_rate", "is_finite", "step_ms", "data_ms")  # what is drawn of a step
_NO_QUALITY = "_threshold"  # a score that another metric is of; higher is not better
_SMOOTHED_SHARE = 40  # the smoothing window is a 40th of the points: the noise goes, the course of a run stays


class CurvePicture:
    """Redraws the picture of a run; drawing failures are logged, never raised.

    Args:
        metrics_path: metrics.jsonl of the run.
        picture_path: the PNG file to write.
    """

    def __init__(self, metrics_path: Path, picture_path: Path) -> None:
        self._metrics_path, self._picture_path = metrics_path, picture_path
        self._drawn_at = -math.inf

    def draw_if_due(self) -> None:
        """Draws unless it was done a moment ago (epochs may be very short)."""
        if time.monotonic() - self._drawn_at >= _SECONDS_BETWEEN_DRAWINGS:
            self.draw()

    def draw(self) -> None:
        """Draws."""
        with guard_drawing(f"the curves in '{self._picture_path}'"):
            draw_curves(self._metrics_path, self._picture_path)
        self._drawn_at = time.monotonic()


def draw_curves(metrics_path: Path, picture_path: Path) -> None:
    """Draws the picture of a metrics file, a PNG; without rows it does nothing.

    Raises:
        BadStateError: if the picture cannot be written.
        ImportError: if matplotlib is not installed.
    """
    rows = in_one_count(read_metrics(metrics_path))
    steps = [row for row in rows if row["kind"] == "step" and all(row.get(name) is not None for name in _OF_STEPS)]
    evaluations = [row for row in rows if row["kind"] == "evaluation" and "metrics" in row]
    if not steps:
        return
    picture = draw_figure(lambda figure: _fill(figure, steps, evaluations), width=12, height=7.5, dpi=110)
    write_file(picture_path, picture)


def _fill(figure: "Figure", steps: Sequence[dict], evaluations: Sequence[dict]) -> None:
    figure.set_layout_engine("constrained", hspace=0.06, wspace=0.04)
    losses, metrics, rate, times = figure.subplots(2, 2).flatten()
    _draw_losses(losses, steps)
    _draw_metrics(metrics, evaluations)
    _draw_line(rate, "learning rate", steps, "learning_rate")
    _draw_times(times, steps)
    for axes in (losses, metrics, rate, times):
        _dress(axes, steps[-1]["global_step"])


def smooth(
    values: Sequence[float | None], average: Callable[[Sequence[float]], float] = statistics.fmean
) -> list[float]:
    """Returns the centred running average over a 40th of the values (at least 5); missing ones are left out of it."""
    half = max(2, len(values) // _SMOOTHED_SHARE // 2)
    smoothed = []
    for index in range(len(values)):
        reach = min(half, index, len(values) - 1 - index)
        window = [value for value in values[index - reach : index + reach + 1] if value is not None]
        smoothed.append(average(window) if window else math.nan)
    return smoothed


def _draw_losses(axes: "Axes", steps: Sequence[dict]) -> None:
    positions = [row["global_step"] for row in steps]
    names = list(steps[0]["losses"])
    for index, name in enumerate(names):
        values = [row["losses"].get(name) for row in steps]
        colour = _COLOURS[index % len(_COLOURS)]
        raw = [math.nan if value is None else value for value in values]
        axes.plot(positions, raw, color=colour, alpha=0.22, linewidth=0.9)
        axes.plot(positions, smooth(values), color=colour, linewidth=2.0 if index == 0 else 1.5, label=name)
    skipped = [row["global_step"] for row in steps if not row["is_finite"]]
    if skipped:
        axes.plot(
            skipped,
            [0.02] * len(skipped),
            "v",
            color="#c00000",
            transform=axes.get_xaxis_transform(),
            label="skipped",
            clip_on=False,
        )
    positive = [value for row in steps for value in row["losses"].values() if value is not None]
    if positive and min(positive) > 0 and max(positive) / min(positive) > 100:
        axes.set_yscale("log")
    axes.set_title("loss")
    axes.legend(frameon=False, fontsize=9)


def _draw_metrics(axes: "Axes", evaluations: Sequence[dict]) -> None:
    axes.set_title("evaluation")
    if not evaluations:
        axes.text(0.5, 0.5, "no evaluation yet", transform=axes.transAxes, ha="center", va="center", color="#909090")
        return
    positions = [row["global_step"] for row in evaluations]
    names = [name for name in evaluations[-1]["metrics"] if not name.endswith(_NO_QUALITY)]
    for index, name in enumerate(names[:_MAX_METRIC_LINES]):
        values = [row["metrics"].get(name) for row in evaluations]
        values = [math.nan if value is None else value for value in values]
        axes.plot(
            positions,
            values,
            "o-",
            color=_COLOURS[index % len(_COLOURS)],
            markersize=3.5,
            linewidth=1.6,
            label=f"{name} {values[-1]:.3f}",
        )
    axes.legend(frameon=False, fontsize=9)


def _draw_line(axes: "Axes", title: str, steps: Sequence[dict], key: str) -> None:
    axes.plot([row["global_step"] for row in steps], [row[key] for row in steps], color=_COLOURS[0], linewidth=1.8)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    axes.set_ylim(bottom=0)
    axes.set_title(title)


def _draw_times(axes: "Axes", steps: Sequence[dict]) -> None:
    positions = [row["global_step"] for row in steps]
    shown = []
    for key, label, colour in (("step_ms", "step", _COLOURS[0]), ("data_ms", "waiting for data", _COLOURS[1])):
        values = [row[key] for row in steps]
        axes.plot(positions, values, color=colour, alpha=0.22, linewidth=0.9)
        axes.plot(positions, smooth(values, statistics.median), color=colour, linewidth=1.8, label=label)
        shown += values
    # The first step compiles for a long time; let it leave the picture rather than flatten it.
    usual = sorted(shown)[min(len(shown) - 1, int(0.97 * len(shown)))]
    axes.set_ylim(0, max(usual * 1.4, 1.0))
    axes.set_title("milliseconds per step")
    axes.legend(frameon=False, fontsize=9)


def _dress(axes: "Axes", last_step: int) -> None:
    axes.set_xlim(0, max(last_step, 1))
    axes.set_xlabel("optimizer step", color=_INK, fontsize=9)
    axes.title.set(fontsize=11, fontweight="bold", color=_INK)
    axes.grid(True, color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, labelsize=9, length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#b0b0b0")
