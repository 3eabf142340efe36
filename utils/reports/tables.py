"""Tables of a page: those that a click on a heading sorts, and matrices whose cells are shaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

Cell = str | float | int | None
NOTHING = "–"  # in the place of what is not defined


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


def matrix_table(
    counts: np.ndarray, row_names: Sequence[str], column_names: Sequence[str], corner: str, *, unit: str = "box"
) -> str:
    """Returns a matrix, each cell shaded by its share of its row, which is shown in percent.

    Args:
        counts: int64[R, C].
        row_names: of R rows.
        column_names: of C columns.
        corner: what rows and columns are, plain text.
        unit: of the counts, its name in the hint of a cell.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in column_names)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(map(_shaded, shares[index].tolist(), counts[index].tolist(), [unit] * counts.shape[1]))
        + f'<td class="sum">{int(counts[index].sum()):,}</td></tr>'
        for index, name in enumerate(row_names)
    )
    return (
        f'<div class="scroll"><table class="matrix"><thead><tr><th class="corner">{escape(corner)}</th>{head}'
        f'<th scope="col" class="sum"><span>all</span></th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def show_number(value: float | None, digits: int = 3) -> str:
    """Returns a number as text; a dash for None and NaN."""
    if value is None or value != value:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def _cells(columns: Sequence[Column], row: Sequence[Cell]) -> str:
    first, *others = zip(columns, row, strict=True)
    name = f'<th scope="row">{escape(str(first[1]))}</th>'
    return name + "".join(_cell(column, value) for column, value in others)


def _cell(column: Column, value: Cell) -> str:
    if isinstance(value, str):
        return f'<td class="text">{escape(value)}</td>'
    number = "" if value is None or value != value else f"{value:.6g}"
    bar = f' style="--share:{min(max(value, 0), 1):.3f}"' if column.is_share and number and value is not None else ""
    return f'<td data-value="{number}"{bar}>{show_number(value, column.digits)}</td>'


def _shaded(share: float, count: int, unit: str) -> str:
    if not count:
        return "<td></td>"
    percent = f"{100 * share:.0f}" if share >= 0.005 else "&middot;"
    strong = ' class="strong"' if share > 0.55 else ""
    return f'<td{strong} style="--share:{share:.3f}" title="{count:,} {escape(unit)}">{percent}</td>'
