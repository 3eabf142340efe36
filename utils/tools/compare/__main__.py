"""Shows runs side by side: a table here, and a page for the browser.

python -m utils.tools.compare RUN RUN... [--out FILE] [--overwrite]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from utils.installation import console_command
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError, BadValueError
from utils.model_utils.files import write_file
from utils.model_utils.guards.arguments import SentenceParser
from utils.reports.tables import show_number
from utils.tools.compare.differences import DIGITS, class_rows, key_rows, number_rows
from utils.tools.compare.page import TITLE, compare_page
from utils.tools.compare.reading import Run, read_runs
from utils.words import counted

DEFAULT_OUT = Path("compare.html")
MARK_BYTES = 4096  # of a file, in which the title of a page of ours stands


def main(arguments: Sequence[str] | None = None) -> None:
    """Does what the command line asks for; None takes the arguments of the process.

    Raises:
        UserError: a run cannot be read, or the page not be written.
    """
    parsed = _parser().parse_args(arguments)
    if len(parsed.runs) < 2:
        raise BadValueError(f"compare got {counted(len(parsed.runs), 'run')}, wanted two or more: name their folders")
    _check_out(parsed.out, parsed.overwrite)
    runs = read_runs(parsed.runs)
    print(format_runs(runs))
    write_file(parsed.out, compare_page(runs), "choose another --out")
    print(f"\ncurves: {parsed.out} (open it in a browser)")


def format_runs(runs: Sequence[Run]) -> str:
    """Returns the numbers of runs as aligned columns, below them the keys that differ and AP or IoU of each class."""
    head = ["", *(run.name for run in runs)]
    numbers = [[name, *_shown(values)] for name, values in number_rows(runs)]
    parts = [_aligned([head, *numbers])]
    keys, others = key_rows(runs)
    if keys:
        parts.append(_aligned([["keys that differ", *head[1:]], *([name, *values] for name, values in keys)]))
    if others:
        parts.append(f"not shown: {counted(others, 'key')} that only some of the runs have")
    classes = [[name, *_shown(values)] for name, values in class_rows(runs)]
    if classes:
        parts.append(_aligned([["AP or IoU", *head[1:]], *classes]))
    return "\n\n".join(parts)


def _aligned(table: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    first, *others = widths
    return "\n".join(
        "  ".join([f"{row[0]:<{first}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], others, strict=True))])
        for row in table
    )


def _shown(values: Sequence[float | int | None]) -> list[str]:
    return [show_number(value, DIGITS) for value in values]


def _check_out(path: Path, overwrite: bool) -> None:
    """Refuses to take the place of a file that this command has not written."""
    if path.is_dir():
        raise BadStateError(f"'{path}' is a folder: give the name of a file, e.g. --out {path / DEFAULT_OUT}")
    if not path.exists() or overwrite:
        return
    try:
        with path.open("rb") as file:
            is_own = f"<title>{TITLE}</title>".encode() in file.read(MARK_BYTES)
    except OSError:
        is_own = False
    if not is_own:
        raise BadStateError(f"'{path}' is there already: choose another --out, or replace it with --overwrite")


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        prog=console_command("compare"),
        description="Shows numbers, curves and differing keys of runs side by side, in the terminal and as an HTML "
        "page.",
        allow_abbrev=False,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run_dir of a training or an evaluation")
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="FILE", help=f"HTML page to write; '{DEFAULT_OUT}' by default"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that this command did not write")
    return parser


if __name__ == "__main__":
    run_command(main, "compare")
