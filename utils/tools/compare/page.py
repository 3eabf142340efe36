"""The page that shows runs side by side."""

from collections.abc import Callable, Sequence

import numpy as np

from utils.image_files import evenly_spread
from utils.installation import version
from utils.reports.charts import Line, line_chart
from utils.reports.page import Section, page, paragraph, side_by_side, subheading
from utils.reports.tables import Cell, Column, sortable_table
from utils.tools.compare.differences import DIGITS, class_rows, key_rows, number_rows
from utils.tools.compare.reading import Run
from utils.words import counted

TITLE = "Runs side by side"
MAX_POINTS = 600  # of a line: a screen shows no more
Series = dict[str, tuple[list[float], list[float]]]


def compare_page(runs: Sequence[Run]) -> bytes:
    """Returns an HTML file that shows runs side by side."""
    sections = [_numbers(runs), _keys(runs)]
    if any(run.metrics() for run in runs):
        sections.append(_curves("metrics", "Metrics", runs, Run.metrics, "The evaluations of a training."))
    if any(run.losses() for run in runs):
        intro = "The mean of every epoch; for a training of one or two epochs, each logged step."
        sections.append(_curves("losses", "Losses", runs, Run.losses, intro))
    classes = class_rows(runs)
    if classes:
        sections.append(
            Section("classes", "Classes", "AP of each class, or IoU for segmentation.", _table("class", runs, classes))
        )
    about = [(run.name, str(run.folder)) for run in runs]
    return page(TITLE, about, sections, f"mszoo {version()}")


def _numbers(runs: Sequence[Run]) -> Section:
    intro = (
        "For a training: its last epoch, and its best evaluation by the first metric. For an evaluation: the numbers "
        "of result.json. A dash: the run has no such number."
    )
    return Section("numbers", "Numbers", intro, _table("number", runs, number_rows(runs)))


def _table(first: str, runs: Sequence[Run], rows: Sequence[tuple[str, Sequence[float | int | None]]]) -> str:
    columns = [Column(first), *(Column(run.name, str(run.folder), digits=DIGITS) for run in runs)]
    cells: list[list[Cell]] = [[name, *values] for name, values in rows]
    return sortable_table(columns, cells)


def _keys(runs: Sequence[Run]) -> Section:
    rows, others = key_rows(runs)
    without = [run.name for run in runs if not run.keys]
    body = ""
    if without:
        body += paragraph(f"Without a stored configuration: {', '.join(without)}.")
    if rows:
        cells: list[list[Cell]] = [[name, *values] for name, values in rows]
        body += sortable_table([Column("key"), *(Column(run.name) for run in runs)], cells)
    elif len(runs) - len(without) > 1:
        body += paragraph("All shared keys have the same values.")
    if others:
        body += paragraph(f"Not shown: {counted(others, 'key')} that only some of the runs have.")
    intro = "Keys whose values differ in the stored configurations; the folder of a run does not count."
    return Section("keys", "Keys that differ", intro, body)


def _curves(name: str, title: str, runs: Sequence[Run], series_of: Callable[[Run], Series], intro: str) -> Section:
    found = [(run.name, series_of(run)) for run in runs]
    names = list(dict.fromkeys(each for _, series in found for each in series))
    charts = [
        subheading(each)
        + line_chart(
            [_line(run, *series.get(each, ((), ()))) for run, series in found],
            "epoch",
            each,
        )
        for each in names
    ]
    return Section(name, title, intro, side_by_side(*charts))


def _line(run: str, places: Sequence[float], values: Sequence[float]) -> Line:
    """Returns the line of a run; one without points keeps its colour for the other charts."""
    return Line(run, _thinned(places), _thinned(values))


def _thinned(values: Sequence[float]) -> np.ndarray:
    """Returns at most `MAX_POINTS` of the values, evenly spread, the first and the last among them."""
    return np.array(evenly_spread(values, MAX_POINTS), np.float64)
