"""Processes that are found by what they carry: a job's mark in their environment, a run folder among their arguments.

Linux shows both under /proc. A mark is handed on to every child, also to one that has left its group or parent.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from utils.model_utils.errors import BadStateError

JOB_VARIABLE = "LAUNCH_JOB"
HOSTS_VARIABLE = "LAUNCH_JOB_HOSTS"  # number of hosts of a job that a launcher has started
_PROC = Path("/proc")
_ENDED = ("Z", "X")


def marked(mark: str) -> list[int]:
    """Returns the processes whose job's mark begins with a text."""
    wanted = f"{JOB_VARIABLE}={mark}".encode()
    return [pid for pid in _all() if any(entry.startswith(wanted) for entry in _entries(pid, "environ"))]


def using(folder: Path) -> list[int]:
    """Returns the processes that were started with a folder as their --run_dir; those above this one apart."""
    wanted, above = f"--run_dir={folder}".encode(), set(_ancestors())
    return [pid for pid in _all() if pid not in above and wanted in _entries(pid, "cmdline")]


def check_unused(folder: Path, pids: Sequence[int]) -> None:
    """Refuses a second run in a folder.

    Args:
        folder: the run folder.
        pids: the processes that use it.

    Raises:
        BadStateError: there are some.
    """
    if pids:
        raise BadStateError(
            f"process {pids[0]} of an earlier run still uses '{folder}': wait for its end, stop it with kill "
            f"{' '.join(map(str, pids))}, or give another --run_dir"
        )


def variable(pid: int, name: str) -> str | None:
    """Returns a variable that a process was started with, None without it or without the process."""
    prefix = f"{name}=".encode()
    found = (entry for entry in _entries(pid, "environ") if entry.startswith(prefix))
    return next((os.fsdecode(entry[len(prefix) :]) for entry in found), None)


def parent(pid: int) -> int | None:
    """Returns the number of a process's parent, None without the process."""
    status = _status(pid)
    return int(status[1]) if status else None


def children() -> list[int]:
    """Returns the processes that this one has started and that are running."""
    own = os.getpid()
    return [pid for pid in _all() if parent(pid) == own]


def is_running(pid: int) -> bool:
    """Returns whether a process is there and has not ended; one that its parent has not asked for yet has ended."""
    status = _status(pid)
    return bool(status) and status[0] not in _ENDED


def _ancestors() -> Iterator[int]:
    """Yields the processes that have started this one, such as `timeout`, whose arguments hold this one's."""
    pid = os.getppid()
    while pid:
        yield pid
        pid = parent(pid) or 0


def _all() -> Iterator[int]:
    own = os.getpid()
    pids = (int(name) for name in os.listdir(_PROC) if name.isdigit())
    return (pid for pid in pids if pid != own and is_running(pid))


def _entries(pid: int, file: str) -> list[bytes]:
    """Returns the texts of a file under /proc; none of a process that is gone or another user's."""
    try:
        return (_PROC / str(pid) / file).read_bytes().split(b"\0")
    except OSError:
        return []


def _status(pid: int) -> list[str]:
    """Returns state, parent and more; [] without the process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # the name before may hold spaces and brackets
