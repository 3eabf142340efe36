"""The report as text: what was looked at, the findings by severity, the classes."""

import textwrap
from collections.abc import Iterator, Sequence

from utils.checking.findings import BOXES, SEVERITIES, Finding, Report, SplitSummary, cut
from utils.words import counted

MOST_CLASSES = 30  # of a longer list the rarest of the first split stand in the table, all in the JSON
MOST_OF_NAME = 40  # letters of a class name in the table
NARROW, WIDE = 60, 120  # limits of the width


def format_report(report: Report, title: str, width: int = 100) -> str:
    """Returns the text.

    Args:
        report: what was found.
        title: its first line.
        width: of the terminal in letters.
    """
    width = min(max(width, NARROW), WIDE)
    lines = [title, *(line for each in report.splits for line in _described(each))]
    for severity in SEVERITIES:
        found = [each for each in report.findings if each.severity == severity]
        if found:
            lines += ["", f"{severity}s", *(line for each in found for line in _rows(each, found, width))]
    lines += _class_table(report)
    if report.suggestions:
        keys = " ".join(f"--{key}={_value(value)}" for key, value in report.suggestions.items())
        lines += ["", f"keys that would suit these pictures better: {keys}"]
    return "\n".join([*lines, "", report.summary()])


def _described(split: SplitSummary) -> Iterator[str]:
    boxes = "" if split.boxes is None else f"{counted(split.boxes, 'box')}, "
    size = "" if split.size is None else f", most {split.size[0]} x {split.size[1]} (height x width)"
    yield f"  {split.name}: {counted(split.images, 'picture')}{size}, {boxes}{counted(split.classes, 'class')}"
    yield f"    {split.source}"


def _rows(finding: Finding, column: Sequence[Finding], width: int) -> Iterator[str]:
    counts = max(len(f"{each.count:,}") for each in column)
    splits = max(len(each.split) for each in column)
    start = f"  {finding.count:>{counts},}  {finding.split:{splits}}  "
    yield from _hung(finding.what, start, width)
    if finding.examples:
        more = ", ..." if finding.count > len(finding.examples) else ""
        yield from _hung(", ".join(finding.examples) + more, " " * len(start) + ("e.g. " if more else ""), width)
    if finding.fix:
        yield from _hung(finding.fix, " " * len(start) + "-> ", width)


def _hung(text: str, start: str, width: int) -> list[str]:
    """Returns a text behind `start`, its further lines below its first word; a number stays with its percent sign."""
    lines = textwrap.wrap(
        text.replace(" %", "\N{NO-BREAK SPACE}%"),
        max(width, len(start) + NARROW // 2),
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _class_table(report: Report) -> list[str]:
    if not report.classes:
        return []
    splits = [each.name for each in report.splits]
    rows = list(report.classes.items())
    title = f"classes by {report.class_unit}"
    if len(rows) > MOST_CLASSES:
        rows = sorted(rows, key=lambda row: row[1].get(splits[0], 0))[:MOST_CLASSES]
        title = f"the {MOST_CLASSES} rarest of {counted(len(report.classes), 'class')} by {report.class_unit}"
    rows = [(cut(name, MOST_OF_NAME), numbers) for name, numbers in rows]
    names = max(len(name) for name, _ in rows)
    widths = [max(len(split), 8) for split in splits]
    head = "  ".join(f"{split:>{width}}" for split, width in zip(splits, widths, strict=True))
    return [
        "",
        title,
        f"  {'':{names}}  {head}",
        *(
            f"  {name:{names}}  "
            + "  ".join(
                f"{_number(numbers.get(split), report.class_unit):>{width}}"
                for split, width in zip(splits, widths, strict=True)
            )
            for name, numbers in rows
        ),
    ]


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if unit == BOXES else f"{100 * value:.2f} %"


def _value(value: object) -> str:
    return f"[{','.join(f'{each:g}' for each in value)}]" if isinstance(value, list | tuple) else f"{value:g}"
