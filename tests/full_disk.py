"""Runs a command on a disk that gets full: a tmpfs of so many kilobytes, whose mounting needs root.

    trial = Trial(command, disk, again=["--resume=auto"])
    needed = trial.undisturbed(keep)
    for kilobytes in drawn_sizes(seed, needed, 5):
        print(trial.at(kilobytes, keep))

`at` runs the command, notes what it came to, gives the disk room, runs it once more and compares with `keep`.
"""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.suites import run
from utils.tools.small_disk import resize, small_disk

PLENTY = 256 * 1024  # kilobytes: more than any toy takes
TIMES = ("data_ms", "step_ms", "images_per_second", "seconds", "seconds_per_image")
# Files that hold times, are those of a kind that is compared by its rows, or show where a process began.
_NOT_COMPARED = (".log", ".txt", ".lock", ".csv", "curves.png", "first_batch.jpg", "log")


@dataclass
class Moment:
    """What a command came to on a disk with little room.

    Attributes:
        kilobytes: that were free.
        code: exit code.
        last_line: of standard error, which has the sentence.
        files: left on the disk.
        faults: what is wrong with that, "" nothing.
        was_full: whether the disk was what it failed for.
    """

    kilobytes: int
    code: int
    last_line: str
    files: tuple[str, ...]
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kilobytes} kB: code {self.code}, {self.last_line!r}, {len(self.files)} files, {self.faults}"


@dataclass
class Trial:
    """A command, and where it writes.

    Attributes:
        command: program and arguments.
        disk: an empty folder, all that the command writes goes there.
        cwd: where it is called; None for the disk itself.
        again: adds arguments when it is given once more, e.g. --resume=auto.
        prepare: fills the disk with what is to be there before.
        may_lack: names of files that a command does without where there is no room, and says so.
    """

    command: Sequence[object]
    disk: Path
    cwd: Path | None = None
    again: Sequence[str] = ()
    prepare: Callable[[Path], None] | None = None
    may_lack: Sequence[str] = ()

    def undisturbed(self, keep: Path) -> int:
        """Runs it with plenty of room, copies what it leaves to `keep`; returns the kilobytes that it took."""
        with small_disk(self.disk, PLENTY):
            before = self._prepare()
            finished = self._run(())
            assert finished.returncode == 0, finished.stdout + finished.stderr
            shutil.copytree(self.disk, keep)
            return _used(self.disk) - before

    def at(self, kilobytes: int, expected: Path) -> Moment:
        """Runs it with so much room and once more with plenty, and compares with what it leaves undisturbed."""
        with small_disk(self.disk, PLENTY):
            resize(self.disk, self._prepare() + kilobytes)
            finished = self._run(())
            lines = [line for line in finished.stderr.splitlines() if line.strip()]
            moment = Moment(kilobytes, finished.returncode, lines[-1] if lines else "", names_in(self.disk))
            moment.faults += _faults_of(finished, moment.files)
            resize(self.disk, PLENTY)
            if finished.returncode:
                second = self._run(self.again)
                if second.returncode:
                    moment.faults.append(f"a second start with room fails: {second.stderr[-600:]}")
            moment.faults += differences(expected, self.disk, self.may_lack if not finished.returncode else ())
        return moment

    def _prepare(self) -> int:
        """Fills the disk with what is to be there before; returns the kilobytes that this takes."""
        if self.prepare is not None:
            self.prepare(self.disk)
        return _used(self.disk)

    def _run(self, more: Sequence[str]) -> subprocess.CompletedProcess:
        return run([*self.command, *more], self.cwd or self.disk)


def _used(disk: Path) -> int:
    return shutil.disk_usage(disk).used // 1024


def drawn_sizes(seed: int, needed: int, count: int) -> list[int]:
    """Returns how much room there is, kilobytes, from tiny to just enough; equal for an equal seed."""
    draws = random.Random(seed)
    return [4, *sorted(draws.randrange(4, max(needed, 8), 4) for _ in range(count - 2)), needed + 64]


def names_in(folder: Path) -> tuple[str, ...]:
    """Returns the files beneath a folder."""
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))


def _faults_of(finished: subprocess.CompletedProcess, names: Sequence[str]) -> list[str]:
    output = finished.stdout + finished.stderr
    faults = [f"{word} is shown" for word in ("Traceback", "Logging error", "Exception ignored") if word in output]
    if finished.returncode not in (0, 2):
        faults.append(f"exit code {finished.returncode}")
    if finished.returncode == 2 and "error: " not in finished.stderr:
        faults.append("no sentence")
    return faults + [f"{name} is left" for name in names if "tmp" in name or "building" in name or "export-" in name]


def differences(expected: Path, found: Path, may_lack: Sequence[str] = ()) -> list[str]:
    """Returns how two folders of one command differ, times aside."""
    names, others = (
        {name for name in names_in(folder) if not name.endswith(_NOT_COMPARED)} for folder in (expected, found)
    )
    missing = [name for name in sorted(names - others) if not name.endswith(tuple(may_lack) or ("\0",))]
    faults = [f"{name} is missing" for name in missing] + [f"{name} is new" for name in sorted(others - names)]
    return faults + [
        f"{name} differs" for name in sorted(names & others) if not _are_equal(expected / name, found / name)
    ]


def _are_equal(one: Path, other: Path) -> bool:
    readers = {".ckpt": _arrays, ".jsonl": _rows, ".json": lambda path: _without_times(json.loads(path.read_text()))}
    if one.suffix == ".mindir" or ".mindrecord" in one.name or one.name.startswith(("FasterRcnn", "nasfpn", "NasFpn")):
        return abs(one.stat().st_size - other.stat().st_size) < 4096  # MindSpore writes names that it counts up
    read = readers.get(one.suffix, Path.read_bytes)
    return read(one) == read(other)


def _arrays(path: Path) -> dict[str, bytes]:
    from utils.training.checkpoints.checkpoint_file import STATE_NAME, read_checkpoint_file

    arrays = read_checkpoint_file(path)
    return {name: np.ascontiguousarray(array).tobytes() for name, array in arrays.items() if name != STATE_NAME}


def _rows(path: Path) -> list[object]:
    return [_without_times(json.loads(line)) for line in path.read_text().splitlines()]


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_times(item) for name, item in value.items() if name not in TIMES}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def python(script: Path) -> list[object]:
    """Returns how a command is begun."""
    return [sys.executable, script]
