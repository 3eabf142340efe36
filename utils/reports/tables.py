"""Tables of a page: those that a click on a heading sorts, and matrices whose cells are shaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from utils.words import counted

Cell = str | float | int | None
ROUNDED_FROM = 100.0  # of numbers as large as this one digit behind the point is enough
NOTHING = "–"  # in the place of what is not defined
SHADE = "share"  # property of page.css: how long the bar of a cell is, or how dark its ground


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: heading.
        hint: what it means; shown where the pointer rests.
        digits: behind the point of its numbers; those that are whole have none.
        is_share: from 0 to 1, so that a bar is drawn.
    """

    title: str
    hint: str = ""
    digits: int = 3
    is_share: bool = False


def sortable_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], total: Sequence[Cell] = ()) -> str:
    """Returns a table that a click on a heading sorts.

    Args:
        columns: the first one names the rows.
        rows: a cell for each column; None for what is not defined, which sorts last.
        total: a row that stays below the others; empty for none.
    """
    kinds = [" class=text" if rows and isinstance(rows[0][place], str) else "" for place in range(len(columns))]
    head = "".join(
        f'<th scope="col"{kind} title="{escape(each.hint)}"><button type="button">{escape(each.title)}</button></th>'
        for each, kind in zip(columns, kinds, strict=True)
    )
    body = "\n".join(f'<tr data-name="{escape(str(row[0]))}">{_cells(columns, row)}</tr>' for row in rows)
    foot = f"<tfoot><tr>{_cells(columns, total)}</tr></tfoot>" if total else ""
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody>{foot}</table></div>"
    )


def matrix_table(counts: np.ndarray, names: Sequence[str], corner: str, *, unit: str) -> str:
    """Returns a matrix, each cell shaded by its share of its row, which is shown in percent.

    Args:
        counts: int64[R, R].
        names: of rows and columns.
        corner: what rows and columns are, plain text.
        unit: noun for what is counted, for the hint of a cell.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(map(_shaded, shares[index].tolist(), counts[index].tolist(), [unit] * len(names)))
        + f'<td class="sum">{int(counts[index].sum()):,}</td></tr>'
        for index, name in enumerate(names)
    )
    return (
        f'<div class="scroll"><table class="matrix"><thead><tr><th class="corner">{escape(corner)}</th>{head}'
        f'<th scope="col" class="sum"><span>all</span></th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def fold_matrix(
    matrix: np.ndarray, names: Sequence[str], most: int, *, num_fixed: int = 0
) -> tuple[np.ndarray, list[str]]:
    """Returns a confusion matrix of at most `most` classes, those with the most errors; the others share a place.

    Args:
        matrix: int64[C, C].
        names: of the C rows and columns.
        most: classes that keep their own row and column.
        num_fixed: of the last rows and columns, which are no classes and stay as they are.
    """
    count = len(names) - num_fixed
    if count <= most:
        return matrix, list(names)
    wrong = (matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix))[:count]
    kept = np.sort(np.argsort(-wrong, kind="stable")[:most])
    place = np.full(len(names), most)
    place[kept], place[count:] = np.arange(most), most + 1 + np.arange(num_fixed)
    side = most + 1 + num_fixed
    folded = np.zeros((side, side), np.int64)
    np.add.at(folded, (place[:, None], place), matrix)
    return folded, [*(names[index] for index in kept.tolist()), counted(count - most, "other class"), *names[count:]]


def show_number(value: float | None, digits: int = 3) -> str:
    """Returns a number as text; a dash for None and NaN."""
    if value is None or value != value:
        return NOTHING
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.{digits}f}" if abs(value) < ROUNDED_FROM else f"{value:,.1f}"


def _cells(columns: Sequence[Column], row: Sequence[Cell]) -> str:
    first, *others = zip(columns, row, strict=True)
    name = f'<th scope="row">{escape(str(first[1]))}</th>'
    return name + "".join(_cell(column, value) for column, value in others)


def _cell(column: Column, value: Cell) -> str:
    if isinstance(value, str):
        return f'<td class="text">{escape(value)}</td>'
    number = "" if value is None or value != value else f"{value:.6g}"
    bar = f' style="--{SHADE}:{min(max(value, 0), 1):.3f}"' if column.is_share and number and value is not None else ""
    return f'<td data-value="{number}"{bar}>{show_number(value, column.digits)}</td>'


def _shaded(share: float, count: int, unit: str) -> str:
    if not count:
        return "<td></td>"
    percent = f"{100 * share:.0f}" if share >= 0.005 else "&middot;"
    strong = ' class="strong"' if share > 0.55 else ""
    return f'<td{strong} style="--{SHADE}:{share:.3f}" title="{escape(counted(count, unit))}">{percent}</td>'
