"""Tries and survivals by suite and kind: a line for each try, a table at the end, and a JSON file."""

import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from utils.installation import ROOT
from utils.model_utils.files import json_bytes, write_file
from utils.tools.torture.bench import Try

HEADER = ("suite", "kind", "tries", "moments", "survived", "lost")
_SHOWN_LETTERS = 160  # of a sentence in the line of a try


def line_of(tried: Try) -> str:
    """Returns the line of a try."""
    places = ", ".join(_place(moment) for moment in tried.moments) or "was not hurt"
    end = "LOST: " + "; ".join(tried.lost) if tried.lost else "survived"
    return f"{tried.suite}, {tried.kind}, try {tried.number} ({tried.seconds:.0f} s): {places}: {end}"


def _place(moment: dict[str, object]) -> str:
    if "said" in moment:
        return f"{moment['bytes']} bytes free: {str(moment['said'])[:_SHOWN_LETTERS]}"
    rank = f" rank {moment['rank']}" if "rank" in moment else ""
    seconds = f" ended in {moment['seconds']} s" if "seconds" in moment else ""
    return f"{moment['at']}{rank}{seconds}{' (half-written)' if moment.get('in_writing') else ''}"


def table_rows(tries: Iterable[Try]) -> list[tuple[str, str, int, int, int, int]]:
    """Returns suite, kind, tries, moments, how many have survived, how many have lost something; and the sums."""
    counts: dict[tuple[str, str], list[int]] = {}
    for tried in tries:
        for key in ((tried.suite, tried.kind), ("all", tried.kind)):
            count = counts.setdefault(key, [0, 0, 0, 0])
            for place, more in enumerate((1, len(tried.moments), not tried.lost, bool(tried.lost))):
                count[place] += more
    return [
        (*key, count[0], count[1], count[2], count[3])
        for key, count in sorted(counts.items(), key=lambda item: (item[0][0] == "all", item[0]))
    ]


def table_of(tries: Iterable[Try]) -> str:
    """Returns the table as Markdown."""
    rows = [HEADER, ("---",) * len(HEADER), *table_rows(tries)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def write_report(path: Path, tries: Sequence[Try], facts: dict[str, object]) -> None:
    """Writes the JSON file.

    Raises:
        BadStateError: it cannot be written.
    """
    rows = [dict(zip(HEADER, row, strict=True)) for row in table_rows(tries)]
    write_figures(path, {**facts, "table": rows, "tries": [asdict(tried) for tried in tries]})


def write_figures(path: Path, figures: dict[str, object]) -> None:
    """Writes a JSON file.

    Raises:
        BadStateError: it cannot be written.
    """
    write_file(path, json_bytes(figures, indent=1))


def facts_of_this_run(**own: object) -> dict[str, object]:
    """Returns when, where and of which commit the figures are."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _first_line(["git", "rev-parse", "--short", "HEAD"]) or "unknown",
        "processor": _processor(),
        **own,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


def _first_line(command: list[str]) -> str:
    try:
        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return finished.stdout.strip()
