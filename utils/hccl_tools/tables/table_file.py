"""Files of rank tables: read as soon as they are complete, written whole."""

import json
import logging
import os
import time
from pathlib import Path

from utils.hccl_tools.tables.consistency import check_tables
from utils.hccl_tools.tables.json_entries import HOW_TO_FIX, shown_as_json
from utils.hccl_tools.tables.rank_table import INITIALIZING, RankTable, parse_table
from utils.installation import shown_file
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, os_errors_as
from utils.model_utils.files import write_file
from utils.model_utils.guards.json_text import JsonTextError, parse_json

MODELARTS_FILE = "jobstart_hccl.json"
WANTED = f"a rank table as {shown_file('utils/hccl_tools/hccl_tools.py')} makes"
POLL_SECONDS = 0.5  # a platform takes seconds to finish a table

logger = logging.getLogger(__name__)


def load_table(path: Path, wait_seconds: float = 0.0) -> RankTable:
    """Reads and checks a rank table, and waits for one that its platform has not finished.

    Args:
        path: the file; or a folder, in which ModelArts writes jobstart_hccl.json.
        wait_seconds: how long a table may be pending: its status is "initializing", or in a folder the file is
            missing or half written.

    Raises:
        BadValueError: the table is wrong; the field is named.
        MissingPathError: there is no such file.
        BadStateError: it was still pending when the time was over, or cannot be read.
    """
    is_being_written = os.path.isdir(path)  # unlike Path.is_dir, no exception for a path that cannot be looked up
    file = path / MODELARTS_FILE if is_being_written else path
    deadline = time.monotonic() + wait_seconds
    is_told = False
    while True:
        document, pending = _read_once(file, is_being_written)
        if not pending:
            break
        left = deadline - time.monotonic()
        if left <= 0:
            raise BadStateError(
                f"{pending} after {wait_seconds:g} seconds, wanted a completed rank table: see why the platform has "
                "not finished it, or wait longer "
                f"({shown_file('utils/hccl_tools/check.py')} FILE --wait_seconds SECONDS)"
            )
        if not is_told:
            logger.warning("%s: waiting up to %g seconds for the platform to complete it", pending, wait_seconds)
            is_told = True
        time.sleep(min(POLL_SECONDS, left))
    table = parse_table(document, str(file))
    check_tables([table])
    return table


def write_table(path: Path, table: RankTable) -> None:
    """Writes a table as template 1.0 or 1.2, whole or not at all.

    Raises:
        BadStateError: the folder or the disk does not take it.
    """
    advice = "run the command in a folder that can be written and has room"
    write_file(path, json.dumps(table.as_document(), indent=4).encode(), advice)


def _read_once(file: Path, is_being_written: bool) -> tuple[object, str]:
    """Returns the document, or why it is not there yet."""
    if is_being_written and not os.path.exists(file):
        return None, f"'{file}' is missing"
    text = _read_text(file)
    try:
        document = parse_json(text, _object_of_distinct_keys)
    except JsonTextError as error:
        if is_being_written:
            return None, f"'{file}' is not complete JSON"
        raise BadValueError(f"'{file}' is not JSON ({error}), wanted {WANTED}") from error
    except _RepeatedKeyError as error:
        raise BadValueError(
            f"{file}: key {shown_as_json(str(error))} stands twice in one object, wanted it once; {HOW_TO_FIX}"
        ) from error
    if isinstance(document, dict) and document.get("status") == INITIALIZING:
        return None, f"status in '{file}' is \"{INITIALIZING}\""
    return document, ""


def _read_text(file: Path) -> str:
    if not os.path.isfile(file):
        kind = "is not a regular file" if os.path.exists(file) else "does not exist"
        raise MissingPathError(
            f"rank table '{file}' {kind}; make one with {shown_file('utils/hccl_tools/hccl_tools.py')}"
        )
    try:
        with os_errors_as(BadStateError, f"rank table '{file}' cannot be read", ": change its permissions"):
            return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadValueError(f"'{file}' is not UTF-8 text, wanted {WANTED}") from error


class _RepeatedKeyError(Exception):
    """The name of a key that an object has twice; json would take the last."""


def _object_of_distinct_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _RepeatedKeyError(key)
        found[key] = value
    return found
