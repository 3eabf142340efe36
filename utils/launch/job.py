"""A job of several processes: started through msrun, watched, and ended as a whole.

msrun reports a worker that died within a second, but goes on until its scheduler has noticed too, 40 seconds later.
So its report is read from its output, and the rest is ended here. msrun lets its workers lead sessions of their own:
no signal to a group reaches them all, a mark in their environment does.
"""

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import time
import types
import uuid
from collections.abc import Iterable, Sequence

from utils.launch.job_devices import RANK_TABLE_FILE, check_present
from utils.launch.job_plan import JobPlan, Rank
from utils.launch.processes.logged_process import (
    FORWARDED,
    POLL_SECONDS,
    LogFile,
    shell_code,
    show,
    start_apart,
    tell_full_disk,
)
from utils.launch.processes.ports import check_free
from utils.launch.processes.process_search import (
    HOSTS_VARIABLE,
    JOB_VARIABLE,
    check_unused,
    is_running,
    marked,
    parent,
    using,
    variable,
)
from utils.launch.processes.scheduler import SCHEDULER_SECONDS
from utils.model_utils.errors import BadStateError
from utils.model_utils.files import make_writable_folder
from utils.model_utils.local_adapter import ROLE_VARIABLE, SCHEDULER_ROLE
from utils.model_utils.signals import taken_signals

STOP_SECONDS = 60.0  # a command that is asked to stop ends its step and writes a checkpoint
KILL_SECONDS = 10.0  # SIGKILL acts at once, unless a process waits for a disk
LEAVE_SECONDS = 20.0  # the workers of another host end at the same step, and take leave of the scheduler within five
_FIRST_LINE = re.compile(rb"process (\d+)\n")  # of worker.py
_REPORT = re.compile(rb"Worker process (\d+) exit with exception\. Error code: (-?\d+)")

logger = logging.getLogger(__name__)


def prepare_job(plan: JobPlan) -> None:
    """Checks that a job can be started here, and makes its folders.

    Raises:
        UserError: it cannot.
    """
    check_no_other_run(plan)
    check_present(plan.devices)
    if plan.devices.node_rank == 0:
        check_free(plan.devices.master_addr, plan.master_port, "a launcher's --master_port")
    plan.msrun_command()  # says now what is missing
    for folder in (*(rank.folder for rank in plan.ranks), plan.folder):
        make_writable_folder(folder, "--run_dir")


def check_no_other_run(plan: JobPlan) -> None:
    """Checks that no process of an earlier run uses one of the folders.

    Raises:
        BadStateError: one does.
    """
    of_job = marked(_mark_of(plan))
    found = {plan.ranks[0].folder: _launcher_of(of_job) or of_job}
    found |= {rank.folder: pids for rank in plan.ranks if not of_job and (pids := using(rank.folder))}
    for folder, pids in found.items():
        check_unused(folder, pids)


def _launcher_of(pids: Sequence[int]) -> list[int]:
    """Returns the process that watches a job, which ends it as a whole; none where it is gone."""
    watching = {int((variable(pid, JOB_VARIABLE) or "##").split("#")[-2] or 0) for pid in pids}
    return [number for number in watching if any(parent(pid) == number for pid in pids)]


def run_job(plan: JobPlan, *, is_shown: bool = True, stop_seconds: float = STOP_SECONDS) -> int:
    """Runs a job to its end; returns 0, or the exit code of the worker that failed first.

    Ctrl-C, SIGTERM and a closed terminal are passed on to the workers, which are waited for; at the second one they
    are ended. One that is ignored (`nohup`, `&` in a script) stays so. Nothing of the job is running afterwards.

    Args:
        plan: what to start; the folders are there.
        is_shown: copies the output of the lowest rank of this host to standard output.
        stop_seconds: how long workers that were asked to stop may take.

    Raises:
        BadStateError: msrun cannot be started.
    """
    job = _Job(plan, stop_seconds)
    with taken_signals(FORWARDED, job.ask_to_stop):
        try:
            job.start()
            return job.watch(is_shown)
        finally:
            job.end_all()


class _Job:
    """The processes of a job on this host."""

    def __init__(self, plan: JobPlan, stop_seconds: float) -> None:
        self._plan = plan
        self._stop_seconds = stop_seconds
        self._mark = f"{_mark_of(plan)}{os.getpid()}#{uuid.uuid4().hex}"
        self._asked: list[signal.Signals] = []
        self._pids: dict[int, int] = {}  # of each rank that was seen
        self._ended: dict[int, float] = {}  # when each rank was first missed
        self._logs = {rank.number: LogFile(rank.log) for rank in plan.ranks}
        self._output = LogFile(plan.folder / "msrun.log")
        self._read = b""
        self._started: subprocess.Popen | None = None

    def start(self) -> None:
        """Starts msrun, which starts the others."""
        plan = self._plan
        inherited = {name: text for name, text in os.environ.items() if name != RANK_TABLE_FILE}  # the plan says which
        own = {JOB_VARIABLE: self._mark, HOSTS_VARIABLE: str(plan.devices.num_hosts)}
        environment = {**inherited, **plan.environment, **own}
        advice = "check the folder and that msrun can be run"
        try:
            for rank in plan.ranks:
                plan.first_log(rank).unlink(missing_ok=True)  # of an earlier run, with its process
                rank.log.open("ab").close()
        except OSError as error:
            raise BadStateError(f"'{error.filename}' cannot be used ({error.strerror}); {advice}") from error
        self._started = start_apart(plan.msrun_command(), self._output.path, environment, advice)

    @property
    def _msrun(self) -> subprocess.Popen:
        assert self._started is not None, "start() comes first"
        return self._started

    def ask_to_stop(self, number: int, _frame: types.FrameType | None) -> None:
        """Handles a signal."""
        self._asked.append(signal.Signals(number))

    def watch(self, is_shown: bool) -> int:
        """Waits for the end; returns the job's exit code."""
        while True:
            has_ended = self._msrun.poll() is not None
            self._read += self._output.new_output()
            self._look_at_workers()  # after: a report is of a process that is known by now
            if is_shown:
                show(self._logs[self._plan.ranks[0].number].new_output())
            report = _REPORT.search(self._read)
            if self._asked:
                return self._stop()
            if report:
                return self._tell_failure(int(report[1]), int(report[2]))
            if has_ended:
                return self._tell_end()
            if self._waits_for_scheduler_in_vain():
                return _fail(
                    f"all ranks have ended, but the scheduler has not after {SCHEDULER_SECONDS:g} s; its output: "
                    f"'{self._plan.folder / 'scheduler.log'}'"
                )
            time.sleep(POLL_SECONDS)

    def end_all(self) -> None:
        """Kills whatever of the job is still running."""
        deadline = time.monotonic() + KILL_SECONDS
        while (pids := marked(self._mark)) and time.monotonic() < deadline:
            _send(pids, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        if pids:
            logger.warning("processes %s of the job could not be ended", pids)
        if self._started is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._started.wait(timeout=KILL_SECONDS)

    def _look_at_workers(self) -> None:
        """Notes the processes of the ranks when they appear and when they are gone."""
        for rank in self._plan.ranks:
            if rank.number not in self._pids and (
                match := _FIRST_LINE.match(LogFile.whole(self._plan.first_log(rank)).new_output())
            ):
                self._pids[rank.number] = int(match[1])
        for number, pid in self._pids.items():
            if number not in self._ended and not is_running(pid):
                self._ended[number] = time.monotonic()

    def _waits_for_scheduler_in_vain(self) -> bool:
        """On several hosts the scheduler waits for the workers of the others."""
        return (
            self._plan.devices.num_hosts == 1
            and len(self._ended) == len(self._plan.ranks)
            and time.monotonic() - max(self._ended.values()) > SCHEDULER_SECONDS
        )

    def _stop(self) -> int:
        """Passes a signal on to the workers and waits for them."""
        self._msrun.send_signal(signal.SIGSTOP)  # it would kill those that still save when the first has ended
        signal_number = self._asked[0]
        _send(filter(is_running, self._pids.values()), FORWARDED[signal_number])
        deadline = time.monotonic() + self._stop_seconds
        while any(map(is_running, self._pids.values())) and len(self._asked) == 1:
            if time.monotonic() > deadline:
                _tell(f"workers that were asked to stop have not within {self._stop_seconds:g} s, they are killed")
                break
            time.sleep(POLL_SECONDS)
        else:  # they have ended, or a second signal came: those that are to be killed are not left running meanwhile
            if self._plan.devices.num_hosts > 1:
                self._let_other_hosts_leave()
        show(self._logs[self._plan.ranks[0].number].new_output())
        return 128 + FORWARDED[signal_number]

    def _let_other_hosts_leave(self) -> None:
        """Waits for the scheduler, which the first host has: it ends when the workers of all hosts have left it.

        One that was killed before would hold up their end by 13 seconds, in which they try to reach it.
        """
        deadline = time.monotonic() + LEAVE_SECONDS
        while any(variable(pid, ROLE_VARIABLE) == SCHEDULER_ROLE for pid in marked(self._mark)):
            if time.monotonic() > deadline or len(self._asked) > 1:
                return
            time.sleep(POLL_SECONDS)

    def _tell_failure(self, pid: int, code: int) -> int:
        """Says which rank has failed, with its last lines."""
        rank = next((item for item in self._plan.ranks if self._pids.get(item.number) == pid), None)
        if rank is None:
            return _fail(f"worker process {pid} {_how(code)}; output of msrun: '{self._output.path}'", shell_code(code))
        _tell(self._last_lines(rank))
        tell_full_disk(rank.log, code)
        return _fail(
            f"rank {rank.number} {_how(code)}, the other ranks are stopped; its last lines stand above, the others in "
            f"'{rank.log}'",
            shell_code(code),
        )

    def _tell_end(self) -> int:
        """Says what msrun's own end means where it has named no worker."""
        code = self._msrun.returncode
        if code == 0:
            return 0
        first = min(self._ended, key=self._ended.__getitem__, default=None)
        who = "" if first is None else f"; rank {first} was the first to end"
        rank = next((item for item in self._plan.ranks if item.number == first), self._plan.ranks[0])
        _tell(self._last_lines(rank) or self._output.last_lines())
        tell_full_disk(rank.log, code)
        return _fail(
            f"msrun {_how(code)}{who}; its output: '{self._output.path}', the scheduler's: "
            f"'{self._plan.folder / 'scheduler.log'}'",
            shell_code(code),
        )

    def _last_lines(self, rank: Rank) -> str:
        """Returns the last lines of a rank; msrun's file has them where it did not come to its own log."""
        return self._logs[rank.number].last_lines() or LogFile.whole(self._plan.first_log(rank)).last_lines()


def _mark_of(plan: JobPlan) -> str:
    return f"{plan.ranks[0].folder}#"


def _send(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"was ended by {name}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(sentence: str, code: int = 1) -> int:
    _tell(f"error: {sentence}")
    return code
