"""Which folder a set of MindRecord files lies in or goes to, who writes there, and who reads it.

A set lies in the folder that is given for it. Where one there is in use, another goes into a folder in it that is named
after its fingerprint, and is found there later. Whoever reads a set holds its first file (`utils.model_utils.in_use`);
whoever makes one holds a lock file in its folder.
"""

import contextlib
import functools
import logging
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import filelock

from utils.detection.data.mindrecord_info import (
    MindRecordInfo,
    UnusableSetError,
    damaged,
    first_shard,
    index_of,
    read_mindrecord_info,
    set_files,
    stamps_of,
)
from utils.detection.data.mindrecord_writer import BUILD_DIR_NAME
from utils.model_utils.device_adapter import available_cores
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, os_errors_as
from utils.model_utils.files import free_space_said
from utils.model_utils.guards.checksums import find_damage
from utils.model_utils.in_use import Hold, claim, hold
from utils.words import agreed, counted

SAID_BEFORE_BYTES = 10**9  # a slow disk takes ten seconds for so many; nobody should wonder for longer
REPLACING_SECONDS = 10.0  # a set is moved to its place within milliseconds, on a slow disk within seconds
BESIDE = re.compile(r"[0-9a-f]{8}")  # a folder for a set: how its fingerprint begins
FORBIDDEN_IN_PREFIX = set("\\/:*?\"<>|`&';")

logger = logging.getLogger(__name__)


def hold_mindrecord(folder: Path, prefix: str) -> MindRecordInfo:
    """Reads what a set holds, as `read_mindrecord_info`, and keeps others from replacing it while somebody has that.

    Raises:
        MissingPathError: there are no such files.
        BadStateError: they cannot be used.
    """
    started = time.monotonic()
    while True:
        first = first_shard(folder, prefix)
        with os_errors_as(BadStateError, f"MindRecord file '{first}' cannot be read", "; check its permissions"):
            held = _hold_or_none(first)
        info = read_mindrecord_info(folder, prefix) if held is not None else None
        if held is not None and info is not None and held.is_of(first):
            return replace(info, hold=held)
        if time.monotonic() - started > REPLACING_SECONDS:
            raise UnusableSetError(f"MindRecord files '{folder / prefix}*' are being replaced", "start again")
        time.sleep(0.05)


def check_contents(info: MindRecordInfo) -> MindRecordInfo:
    """Reads a set once to see that no bit of it has changed since it was made, and returns it.

    A set of an earlier version has no checksums and is taken as it is. Each worker reads all of it: side by side they
    take as long as one, and the pages that one has read from the disk are there for the others.

    Raises:
        BadStateError: a file is not as it was written, or cannot be read.
    """
    indices = stamps_of([index_of(path) for path in info.files])
    _check_contents(info.files, (*info.stamps, *indices), info.has_checksums)
    return info


@functools.lru_cache(maxsize=8)  # the sets that a process opens: training, evaluation, each asked for twice or so
def _check_contents(files: tuple[Path, ...], _stamps: tuple[tuple[int, ...], ...], needs_checksums: bool) -> None:
    started = time.perf_counter()
    first, num_bytes = files[0], sum(path.stat().st_size for path in files)
    if needs_checksums and num_bytes > SAID_BEFORE_BYTES:
        logger.info("reading MindRecord files '%s' ... (%.1f GB) once for their checksums", first, num_bytes / 1e9)
    with (
        os_errors_as(BadStateError, f"MindRecord file '{first}' ... cannot be read", "; check its permissions"),
        ThreadPoolExecutor(min(len(files), available_cores())) as pool,
    ):
        problems = list(
            pool.map(lambda path: find_damage(path, index_of(path), needs_checksums=needs_checksums), files)
        )
    for path, problem in zip(files, problems, strict=True):
        if problem:
            raise damaged(path, problem)
    if needs_checksums:
        logger.info(
            "%s '%s' ... %s checksums (%.1f MB read in %.1f s)",
            counted(len(files), "MindRecord file"),
            first,
            agreed(len(files), "fits its", "fit their"),
            num_bytes / 1e6,
            time.perf_counter() - started,
        )


def _hold_or_none(path: Path) -> Hold | None:
    try:
        return hold(path)
    except FileNotFoundError:  # just now
        return None


def places(folder: Path) -> list[Path]:
    """Returns the folders that may hold a set: the folder itself and those in it that are named after a fingerprint."""
    inner = [path for path in folder.iterdir() if BESIDE.fullmatch(path.name)] if folder.is_dir() else []
    return [folder, *sorted(inner)]


@contextlib.contextmanager
def place_for(folder: Path, prefix: str, fingerprint: str, timeout_seconds: float) -> Iterator[Path]:
    """Yields where a new set goes: the folder, or one in it. The caller holds the lock of the former.

    The latter is taken where a set of the folder is in use, or has another prefix and names that could be of this one.
    """
    others = set_files(folder, prefix)[1]
    claimed = None if others else _claim(folder, prefix)
    if claimed is not None:
        with claimed:
            yield folder
        return
    beside = folder / fingerprint[:8]
    kept = f"'{others[0]}' ... of another prefix" if others else f"'{folder / prefix}*' are in use and"
    logger.info("MindRecord files %s stay as they are: the new ones go to '%s'", kept, beside)
    with locked(beside, prefix, timeout_seconds):
        claimed = _claim(beside, prefix)
        if claimed is None:
            raise BadStateError(
                f"MindRecord files '{folder / prefix}*' and '{beside / prefix}*' are both in use: wait until the runs "
                "that read them have ended, or choose another mindrecord_dir"
            )
        with claimed:
            yield beside


def _claim(folder: Path, prefix: str) -> contextlib.AbstractContextManager | None:
    """Takes the set in a folder away from whoever would begin to read it; None where somebody reads it."""
    try:
        return claim(first_shard(folder, prefix))
    except (BadStateError, FileNotFoundError):  # MissingPathError is one: there is no set
        return contextlib.nullcontext()
    except OSError:  # a file of somebody else
        return None


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Removes what killed writers have left beside the set of a folder. The caller holds the folder's lock."""
    for place in places(folder)[1:]:
        building = place / BUILD_DIR_NAME.format(prefix=prefix)
        if building.is_dir():
            # somebody for whom this is the folder itself may be writing
            with (
                contextlib.suppress(filelock.Timeout, OSError),
                filelock.FileLock(_lock_file(place, prefix), timeout=0),
            ):
                shutil.rmtree(building, ignore_errors=True)


def say_disk_use(folder: Path, prefix: str) -> None:
    """Says what the sets of this name take together, where there are several."""
    used = {place: size for place in places(folder) if (size := _bytes_in(place, prefix))}
    if len(used) > 1:
        logger.info(
            "%d sets of MindRecord files '%s' take %.1f MB in '%s': %s",
            len(used),
            prefix,
            sum(used.values()) / 1e6,
            folder,
            ", ".join(f"{size / 1e6:.1f} MB in '{place}'" for place, size in used.items()),
        )


def _bytes_in(place: Path, prefix: str) -> int:
    with contextlib.suppress(OSError):  # somebody removes what is no longer read
        return sum(path.stat().st_size for path in set_files(place, prefix)[0])
    return 0


@contextlib.contextmanager
def locked(folder: Path, prefix: str, timeout_seconds: float) -> Iterator[None]:
    """Holds the right to write this set; the operating system takes it back when the process dies."""
    if set(prefix) & FORBIDDEN_IN_PREFIX or prefix != prefix.strip() or not prefix:
        raise BadValueError(
            f"MindRecord prefix {prefix!r} is not a plain file name; leave out {sorted(FORBIDDEN_IN_PREFIX)}"
        )
    lock = filelock.FileLock(_lock_file(folder, prefix))
    try:
        with free_space_said(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _acquire(lock, folder / prefix, timeout_seconds)
    except (FileExistsError, NotADirectoryError) as error:
        raise MissingPathError(f"mindrecord_dir '{folder}' is a file, wanted a folder; choose another path") from error
    except OSError as error:
        raise BadStateError(
            f"mindrecord_dir '{folder}' cannot be written to ({error.strerror}); make room, check its permissions, or "
            "choose another"
        ) from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # nothing was made, so nothing stays; the folder does where it is in use
            Path(lock.lock_file).unlink(missing_ok=True)
            folder.rmdir()
        raise
    finally:
        lock.release()


def _lock_file(folder: Path, prefix: str) -> Path:
    return folder / f".{prefix}.lock"


def _acquire(lock: filelock.BaseFileLock, target: Path, timeout_seconds: float) -> None:
    with contextlib.suppress(filelock.Timeout):
        lock.acquire(timeout=0)
        return
    logger.info("another process is writing '%s'; waiting for it, at most %.0f s", target, timeout_seconds)
    try:
        lock.acquire(timeout=timeout_seconds, poll_interval=0.5)  # nobody notices half a second after a wait of minutes
    except filelock.Timeout as error:
        raise BadStateError(
            f"another process has been writing MindRecord files '{target}*' for more than {timeout_seconds:.0f} s; "
            "wait for it or end it, then start again"
        ) from error
