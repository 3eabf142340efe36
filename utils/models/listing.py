"""What is printed of the table."""

import textwrap
from collections.abc import Iterable, Mapping
from itertools import groupby

from utils.installation import console_command
from utils.models.checks import shown_size, what_is_checked
from utils.models.table import PublishedModel

WIDTH = 116  # of wrapped sentences
MARK = "*"
FOOT = (
    "Figures are the publishers', in per cent; none was measured here. Of entries that are not verified nobody has "
    "downloaded the files yet: address, size and hash are those of the index that `show NAME` names. "
    + MARK
    + ": terms "
    "narrower than an open licence, which `show NAME` and `get NAME` say."
)


def list_lines(models: Iterable[PublishedModel]) -> list[str]:
    """Returns the lines of `list`: a row for each entry, by suites."""
    ordered = sorted(models, key=lambda model: model.suite)
    rows: list[tuple[str, ...]] = [("NAME", "HOLDS", "PUBLISHER'S FIGURE", "SIZE", "VERIFIED", "LICENCE")]
    rows += [_row(model) for model in ordered]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = iter(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )
    found = [f"  {next(lines)}"]
    for suite, group in groupby(ordered, key=lambda model: model.suite):
        found.append(suite)
        found += [f"  {next(lines)}" for _ in group]
    return [*found, "", *textwrap.wrap(FOOT, WIDTH)]


def _row(model: PublishedModel) -> tuple[str, ...]:
    size = model.files[0].size
    return (
        model.name,
        model.holds,
        str(model.metric),
        shown_size(size),
        "yes" if model.verified else "no",
        f"{model.licence.label}{MARK if model.licence.restricted else ''}",
    )


def show_lines(model: PublishedModel) -> list[str]:
    """Returns the lines of `show`."""
    metric = model.metric
    figure = f"{metric} (of {metric.publisher}, not measured here)" if metric.value is not None else metric.note
    facts: Mapping[str, str] = {
        "suite": f"{model.suite}, {model.config}",
        "holds": "the whole network" if model.is_network else "the backbone, a start for training",
        "figure": figure,
        "figure read in": str(metric.source or model.source) if metric.value is not None else "-",
        "address read in": str(model.source),
        "verified": "yes" if model.verified else "no: nobody has downloaded the files yet",
    }
    width = max(map(len, facts))
    lines = [f"{model.name}: {model.title}", *(f"  {name.ljust(width)}  {value}" for name, value in facts.items())]
    for file in model.files:
        lines.append(f"  {'file'.ljust(width)}  {model.address}{file.name} ({what_is_checked(file)})")
    return [*lines, *terms_lines(model), f"get it: {console_command('models', 'get', model.name)}"]


def terms_lines(model: PublishedModel) -> list[str]:
    """Returns the lines about the licence, which a user sees before anything is downloaded."""
    licence = model.licence
    warning = " - READ THIS FIRST" if licence.restricted else ""
    return [
        f"licence: {licence.label}{warning}",
        *textwrap.wrap(licence.terms, WIDTH, initial_indent="  ", subsequent_indent="  "),
    ]
