"""Folders and files of results: checked before the work, and never seen half written."""

import contextlib
import json
import os
from pathlib import Path

from utils.model_utils.errors import BadStateError, MissingPathError, os_errors_as

STORED_MARK = "# Effective configuration"  # first words of the configuration that a command leaves


def make_writable_folder(path: Path, flag: str) -> None:
    """Makes a folder where it is missing and checks that files can be written into it.

    Args:
        path: the folder.
        flag: argument that chooses it, for the message.

    Raises:
        MissingPathError: a file is in the way.
        BadStateError: it cannot be made or is not writable.
    """
    # unlike Path.exists, no exception for a path that cannot be looked up
    in_the_way = next((item for item in (path, *path.parents) if os.path.exists(item)), path)
    if os.path.exists(in_the_way) and not in_the_way.is_dir():
        raise MissingPathError(f"run folder '{path}' cannot be made: '{in_the_way}' is a file; choose another {flag}")
    advice = f"; choose another {flag} or make its parent writable"
    with os_errors_as(BadStateError, f"run folder '{path}' cannot be made", advice):
        path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.W_OK | os.X_OK):
        raise BadStateError(f"run folder '{path}' is not writable; choose another {flag} or change its permissions")


def check_writable_folder(path: Path, flag: str) -> None:
    """Finds out whether files can be written into a folder before there are any: a missing one stays missing.

    Args:
        path: the folder.
        flag: argument that chooses it, for the message.

    Raises:
        MissingPathError: a file is in the way.
        BadStateError: it could not be made, or is not writable.
    """
    missing = [folder for folder in (path, *path.parents) if not os.path.exists(folder)]
    try:
        make_writable_folder(path, flag)
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):  # not made, or another process has put something there
                folder.rmdir()


def write_bytes(path: Path, content: bytes) -> None:
    """Writes to a temporary name in the same folder, which is made where it is missing, and renames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # a name has at most 255 bytes
    temporary = path.with_name(f".{os.fsdecode(os.fsencode(path.name)[-200:])}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, content: bytes, advice: str = "check the folder and the disk") -> None:
    """Writes a file of results as `write_bytes` does.

    Raises:
        BadStateError: it cannot be written, e.g. because the disk is full; the sentence ends with `advice`.
    """
    with os_errors_as(BadStateError, f"'{path}' cannot be written", f": {advice}"):
        write_bytes(path, content)


def json_bytes(value: object, indent: int | None = None) -> bytes:
    """Returns JSON as UTF-8, letters as they are.

    A file name that is no UTF-8 reaches Python as half a surrogate pair, which UTF-8 does not have; it becomes JSON's
    own escape of it and is read back the same.
    """
    return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")


def umask() -> int:
    """Returns which permissions the process takes away from the files that it makes."""
    mask = os.umask(0o022)  # there is no other call that tells it
    os.umask(mask)
    return mask
