"""Folders and files of results: checked before the work, and never seen half written."""

import contextlib
import errno
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from utils.model_utils.errors import BadStateError, MissingPathError, os_errors_as

STORED_MARK = "# Effective configuration"  # first words of the configuration that a command leaves
METRICS_NAME, RESULT_NAME, REPORT_NAME = "metrics.jsonl", "result.json", "report.html"  # of a run, of an evaluation
GO_ON = "free some space or make its folder writable, then give the command again"
_TEMPORARY_ENDING = ".tmp"
_TEMPORARY = re.compile(rf"\..+\.(\d{{1,10}}){re.escape(_TEMPORARY_ENDING)}", re.DOTALL)


def named_twice(paths: Sequence[Path]) -> int | None:
    """Returns the index of the first path that leads where an earlier one does; None where each leads elsewhere."""
    real = [os.path.realpath(path) for path in paths]
    return next((index for index, place in enumerate(real) if real.index(place) < index), None)


def is_stored_config(path: Path) -> bool:
    """Tells whether a file is a configuration that a command has left, and not one that somebody has written."""
    try:
        with path.open("rb") as file:
            return file.read(len(STORED_MARK)) == STORED_MARK.encode()
    except OSError:
        return False


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
    with os_errors_as(BadStateError, f"run folder '{path}' cannot be made", advice), free_space_said(path):
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


@contextlib.contextmanager
def replaced_file(path: Path, *, is_forced: bool = False) -> Iterator[BinaryIO]:
    """Opens the file that takes the place of `path` once the block has ended well; else nothing is left of it.

    It has a temporary name in the same folder, which is made where it is missing.

    Args:
        path: the file.
        is_forced: wait until it is on the disk, so that a power cut does not take it either.

    Raises:
        OSError: it cannot be written; where the disk is full, `strerror` says how much is free.
    """
    # a name has at most 255 bytes
    temporary = path.with_name(f".{os.fsdecode(os.fsencode(path.name)[-200:])}.{os.getpid()}{_TEMPORARY_ENDING}")
    try:
        with free_space_said(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                yield file
                if is_forced:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
            if is_forced:
                _force_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_file(path: Path, content: bytes, advice: str = "", what: str = "") -> None:
    """Writes a file of results, whole or not at all: a file that was there stays until the new one is complete.

    Args:
        path: the file; its folder is made where it is missing.
        content: of the file.
        advice: how to go on, as the end of the sentence of an error.
        what: what the file is, e.g. "picture", for that sentence.

    Raises:
        BadStateError: it cannot be written, e.g. because the disk is full.
    """
    named = f"{what} '{path}'" if what else f"'{path}'"
    with os_errors_as(BadStateError, f"{named} cannot be written", f": {advice or GO_ON}"), replaced_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def free_space_said(folder: Path) -> Iterator[None]:
    """Adds to an error of the block that says that the disk is full how much of it is free.

    Args:
        folder: where the block writes.
    """
    try:
        yield
    except OSError as error:
        if is_full(error) and error.strerror == os.strerror(error.errno or 0):  # not said yet
            error.strerror = f"{error.strerror}, {free_space(folder)}"
        raise


def is_full(error: BaseException | None) -> bool:
    """Returns whether an error of the system says that a disk, or what a user may have of it, is full."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def free_space(folder: Path) -> str:
    """Returns e.g. `12.5 MB are free`, of the disk of a folder that may not be there yet."""
    there = next((item for item in (folder, *folder.absolute().parents) if os.path.isdir(item)), Path("/"))
    try:
        found = os.statvfs(there)
    except OSError:
        return "how much is free is not known"
    if found.f_files and not found.f_favail:
        return "it takes no more files"
    return f"{found.f_bavail * found.f_frsize / 1e6:.1f} MB are free"


def remove_leftovers(folder: Path) -> None:
    """Removes what killed processes have left half written in a folder, which the caller has for itself."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            found = _TEMPORARY.fullmatch(path.name)
            if found and not is_other_process(int(found[1])):
                path.unlink(missing_ok=True)


def is_other_process(number: int) -> bool:
    """Whether another process of this machine has a number; in a container a killed one often had that of this one."""
    return number != os.getpid() and os.path.exists(f"/proc/{number}")


def _force_folder(folder: Path) -> None:
    """Forces the renaming itself to the disk, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def json_bytes(value: object, indent: int | None = None) -> bytes:
    """Returns JSON as UTF-8, letters as they are.

    A file name that is no UTF-8 reaches Python as half a surrogate pair, which UTF-8 does not have; it becomes JSON's
    own escape of it and is read back the same.
    """
    return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")


def stamp_of(path: Path) -> tuple[int, ...]:
    """Returns what changes with a file that is replaced or written to; nothing of one that is not there."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def umask() -> int:
    """Returns which permissions the process takes away from the files that it makes."""
    mask = os.umask(0o022)  # there is no other call that tells it
    os.umask(mask)
    return mask
