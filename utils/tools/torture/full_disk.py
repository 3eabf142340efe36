"""Trainings whose disk is full at some moment: one sentence, nothing half-written, and they go on once it is not."""

import contextlib
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from utils.tools.small_disk import mount_fault, resize, small_disk
from utils.tools.torture.bench import Bench, Try, last_line
from utils.tools.torture.compare import unfinished_files
from utils.tools.torture.small_suites import DATA_NAME, RUN_NAME

KIND = "full disk"
DISK_SHARE = 0.7  # of the tries: the others limit the size of each file, which breaks off each writer by itself
RECORDS_SHARE = 0.8  # begin with MindRecord files, which otherwise are what the room does not suffice for
ROOMY_KILOBYTES, ROOMY_FILES = 2**18, 100_000  # for all that a small training leaves
_MODES = ("disk", "limit")


@contextlib.contextmanager
def disk_or_none(folder: Path, is_wanted: bool) -> Iterator[Path | None]:
    """Yields a disk of its own for a try, None where none is wanted or can be had: a limit on each file then does."""
    if not is_wanted or mount_fault(folder):
        yield None
        return
    with small_disk(folder, ROOMY_KILOBYTES, ROOMY_FILES):
        yield folder


def leave(disk: Path, free: int) -> None:
    """Leaves so many bytes of a disk free, rounded up to kilobytes."""
    resize(disk, -(-(shutil.disk_usage(disk).used + free) // 1024))


def try_full_disk(bench: Bench) -> Try:
    """Gives a training too little room a few times, then enough, and compares it with the undisturbed one."""
    tried, here = bench.new_try(KIND)
    reference = bench.reference()
    has_records = bool(bench.suite.records) and bench.draws.random() < RECORDS_SHARE
    data = reference.here / DATA_NAME if has_records else None
    with disk_or_none(here, bench.draws.random() < DISK_SHARE) as disk:
        bench.fill(here, data)
        for free in _sizes(bench, reference.here, has_records, disk is not None):
            if not _hurt(bench, here, disk, free, tried):
                break
        if disk is not None:
            resize(disk, ROOMY_KILOBYTES)
        bench.complete(tried, here)
        if disk is not None and tried.lost:
            bench.keep(here)
    return tried


def _hurt(bench: Bench, here: Path, disk: Path | None, free: int, tried: Try) -> bool:
    """Trains with so little room; returns whether the training has failed of it, as it has to fail."""
    if disk is not None:
        leave(disk, free)
    with limited_files(None if disk else free), bench.start(here) as training:
        code, output, left = training.finish(), training.output, training.left_over()
    if code == 0:
        return False
    sentences = re.findall(r"(?m)^train\.py: error: .*", output)
    tried.moments.append({"mode": _MODES[disk is None], "bytes": free, "said": (sentences or [last_line(output)])[-1]})
    if len(sentences) != 1 or code != 2:
        tried.lost.append(f"exit code {code}, {len(sentences)} sentences: {last_line(output)}")
    tried.lost += ["a traceback"] * ("Traceback" in output)
    tried.lost += [f"process {pid} has stayed" for pid in left]
    tried.lost += [f"'{name}' is left" for name in unfinished_files(here)] + bench.broken(here)
    return True


def _sizes(bench: Bench, whole: Path, has_records: bool, is_disk: bool) -> list[int]:
    """Returns how much room there is each time, more and more: a part of what the undisturbed training has taken.

    A limit is on the size of each file; MindRecord files are sparse and take less of a disk than their size is.
    """
    needed = _bytes_of(whole / RUN_NAME)
    if not has_records:
        needed += _bytes_of(whole / DATA_NAME) - _bytes_of(bench.folder / DATA_NAME)
    largest = max(path.stat().st_size for path in (whole / RUN_NAME).rglob("*") if path.is_file())
    return sorted(int(bench.draws.random() * (needed if is_disk else largest)) for _ in range(bench.draw_count()))


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def limited_files(most: int | None) -> Iterator[None]:
    """Lets no file of processes that are started here grow beyond so many bytes; None: no limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
