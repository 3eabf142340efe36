"""metrics.jsonl: one JSON object per line, appended while training runs.

Every row has `kind` ("step", "epoch" or "evaluation"), `epoch` and `global_step`. A number that is not finite is null.
"""

import json
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

from utils.model_utils.errors import BadStateError, os_errors_as
from utils.model_utils.files import write_file
from utils.model_utils.guards.json_text import JsonTextError, parse_json
from utils.training.record.growing_file import GrowingFile
from utils.training.record.loggers.protocol import ResumePoint
from utils.training.record.records import EpochRecord, EvaluationRecord, StepRecord
from utils.words import agreed, counted

_REQUIRED = {"kind", "epoch", "global_step"}
_KINDS = {StepRecord: "step", EpochRecord: "epoch", EvaluationRecord: "evaluation"}
_LEFT_OUT = {"epochs", "seconds_left"}
_BY_CLASS = "per_class"  # a table for each metric of classes
_ROUNDED = {"data_ms", "step_ms", "images_per_second", "seconds"}  # to microseconds
_OF_STEPS = {"step", "steps_per_epoch"}
_PLACES = {"epoch", "global_step", *_OF_STEPS}
_MOST_STEPS = 2**53  # so far every whole number is exact
_NUMBERS = {"learning_rate", "grad_norm", "loss_scale", "data_ms", "step_ms", "images_per_second", "seconds"}
_TABLES = {"losses", "metrics"}  # of name and number
_LARGEST = sys.float_info.max

logger = logging.getLogger(__name__)

Value: TypeAlias = str | int | float | bool | None | Mapping[str, "Value"]


class MetricsLog:
    """Appends rows to a metrics file.

    Args:
        path: the file; made when the first row is written.
        writes: whether this process is the one that writes it; in another, nothing happens.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path, self._writes = path, writes
        self._file = GrowingFile(path, lambda sentence: logger.warning("%s", sentence))

    def append(self, row: Mapping[str, Value]) -> None:
        """Appends one row; where the disk is full, it waits until there is room."""
        if self._writes:
            self._file.append(json.dumps(_without_non_finite(row), ensure_ascii=False, allow_nan=False) + "\n")

    def add(self, record: StepRecord | EpochRecord | EvaluationRecord) -> None:
        """Appends the row of a step, an epoch or an evaluation."""
        self.append(row_of(record))

    def add_picture(self, name: str, path: Path, global_step: int) -> None:
        """Does nothing: the picture is a file of the run folder already."""

    def begin(self, resumed: ResumePoint | None) -> None:
        """Removes what is of another run, or what a resumed one will write again; see `cut`."""
        if resumed is None:
            self.cut(0, keep_evaluation=False)
        else:
            self.cut(resumed.epochs_done, resumed.keep_evaluation)

    def close(self) -> None:
        """Writes what still waits for room.

        Raises:
            BadStateError: there is none, so that these rows are lost.
        """
        self._file.close()

    def cut(self, epochs_done: float, keep_evaluation: bool) -> None:
        """Removes what a resumed run will write again.

        Args:
            epochs_done: epochs, parts included, that the run has behind it where it resumes; later rows go. Steps would
                not do: with another batch size they count otherwise.
            keep_evaluation: whether an evaluation made at just this place stays.

        Raises:
            BadStateError: it cannot be written; all rows stay.
        """
        if not self._writes:
            return
        rows = [
            row
            for row in read_metrics(self.path)
            if (done := epochs_done_at(row)) < epochs_done
            or (done == epochs_done and (keep_evaluation or row["kind"] != "evaluation"))
        ]
        if not rows and not self.path.exists():
            return
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        write_file(self.path, content, "free some space or make its folder writable, then go on with --resume=auto")


def row_of(record: StepRecord | EpochRecord | EvaluationRecord) -> dict[str, Value]:
    """Returns the row of a step, an epoch or an evaluation; numbers that are not finite are still in it."""
    values = {name: value for name, value in vars(record).items() if name not in _LEFT_OUT}
    if not values.get(_BY_CLASS, True):
        del values[_BY_CLASS]
    rounded = {name: round(value, 3) for name, value in values.items() if name in _ROUNDED}
    return {"kind": _KINDS[type(record)], **values, **rounded}


def read_metrics(path: Path) -> Sequence[dict]:
    """Reads the rows of a metrics file; a missing file has none.

    Lines that are no rows are left out, and counted in the log: but for the last, which a crash may have cut short.
    """
    if not path.exists():
        return []
    with os_errors_as(BadStateError, f"'{path}' cannot be read", "; make it readable"):
        lines = path.read_bytes().splitlines()
    rows = [_row_of(line) for line in lines]
    damaged = [number for number, row in enumerate(rows[:-1], start=1) if row is None]
    if damaged:
        logger.warning(
            "%s: %s %s left out, first line %d; all others count",
            path,
            counted(len(damaged), "damaged row"),
            agreed(len(damaged), "is", "are"),
            damaged[0],
        )
    return [row for row in rows if row is not None]


def epochs_done_at(row: Mapping[str, Any]) -> float:
    """Returns how many epochs, parts included, the run had behind it at a row; all but steps end an epoch."""
    if row["kind"] != "step":
        return row["epoch"]
    return row["epoch"] - 1 + row["step"] / row["steps_per_epoch"]


def in_one_count(rows: Sequence[dict]) -> Sequence[dict]:
    """Returns the rows with global steps as the last one counts them; a resumed run may have other steps per epoch."""
    counts = [row["steps_per_epoch"] for row in rows if row["kind"] == "step"]
    return [{**row, "global_step": epochs_done_at(row) * counts[-1]} if counts else row for row in rows]


def _row_of(line: bytes) -> dict | None:
    """Returns the row of a line; None where it is none, or a value of it is not what its name stands for."""
    try:
        row = parse_json(line)
        if b"\\u" in line or not line.isascii():  # others cannot hold half of a surrogate pair, which no file takes
            json.dumps(row, ensure_ascii=False).encode()
    except (JsonTextError, UnicodeEncodeError, RecursionError):
        return None
    if not isinstance(row, dict) or not row.keys() >= _REQUIRED | (_OF_STEPS if row.get("kind") == "step" else set()):
        return None
    is_placed = all(_is_number(row[name]) and 0 <= row[name] < _MOST_STEPS for name in _PLACES & row.keys())
    has_numbers = all(row[name] is None or _is_number(row[name]) for name in _NUMBERS & row.keys())
    by_class = row.get(_BY_CLASS, {})
    tables = [row[name] for name in _TABLES & row.keys()]
    tables += by_class.values() if isinstance(by_class, dict) else [None]
    is_whole = isinstance(row["kind"], str) and is_placed and has_numbers and all(map(_is_table, tables))
    return row if is_whole and row.get("steps_per_epoch", 1) > 0 else None


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and all(item is None or _is_number(item) for item in value.values())


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(cast(float, value)) <= _LARGEST


def _without_non_finite(value: Value) -> Value:
    if isinstance(value, Mapping):
        return {key: _without_non_finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
