"""What is started on several devices: the command, environment, folder, log and cores of each rank, and msrun's."""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.launch.job_devices import ASCEND, JobDevices
from utils.launch.launcher_options import spelled
from utils.launch.processes.ports import free_port
from utils.model_utils.errors import BadStateError
from utils.model_utils.local_adapter import CLUSTER_VARIABLE, get_cluster_seconds
from utils.words import counted

WORKER = Path(__file__).resolve().with_name("worker.py")
PORT_OF_SEVERAL_HOSTS = 8118  # msrun's own: every host has to name the same one
HCCL_SECONDS = "600"  # likewise, for the cards: the documented value; HCCL's own, 120, is short for that


@dataclass(frozen=True)
class Rank:
    """One process of the job on this host.

    Attributes:
        number: its rank in the whole job.
        command: program and arguments.
        environment: variables of its own; msrun sets them.
        folder: its run folder.
        log: file that takes its output.
        cores: cores that it may use, () for all.
    """

    number: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    cores: tuple[int, ...]


@dataclass(frozen=True)
class JobPlan:
    """The start of a job on this host.

    Attributes:
        devices: what it runs on.
        master_port: where the scheduler listens.
        environment: variables of all processes, beside those of the launcher.
        ranks: the processes of this host, lowest rank first.
    """

    devices: JobDevices
    master_port: int
    environment: Mapping[str, str]
    ranks: tuple[Rank, ...]

    @property
    def folder(self) -> Path:
        """Where msrun writes: its own output, the scheduler's, and what a worker says before it has its log."""
        return self.ranks[0].folder / "msrun"

    def first_log(self, rank: Rank) -> Path:
        """Returns the file that takes a worker's output until worker.py has given it its own."""
        return self.folder / f"worker_{rank.number}.log"

    def msrun_command(self) -> list[str]:
        """Returns program and arguments of msrun."""
        devices = self.devices
        folder = Path(sys.executable).parent
        interpreter = next((name for name in ("python", "python3") if os.access(folder / name, os.X_OK)), None)
        msrun = shutil.which("msrun", path=self.environment["PATH"])
        if msrun is None or interpreter is None:
            raise BadStateError(
                f"'{'python' if msrun else 'msrun'}', with which a job of several processes starts, is not in "
                f"'{folder}': name the Python of an environment that has MindSpore with PYTHON=/path/to/python"
            )
        return [
            msrun,
            *devices.arguments(),
            f"--master_port={self.master_port}",
            f"--cluster_time_out={get_cluster_seconds()}",
            f"--log_dir={self.folder}",
            "--join=True",
            f"--tail_worker_log={devices.worker_num}",  # no rank has this number: the logs are shown by the launcher
            interpreter,
            str(WORKER),
            json.dumps({rank.number: _as_task(rank) for rank in self.ranks}),
        ]


def make_plan(
    devices: JobDevices,
    command: Sequence[str],
    base: Path,
    *,
    log: str,
    folder: str | None = None,
    master_port: int | None = None,
) -> JobPlan:
    """Returns how a command starts on several devices.

    Args:
        devices: what it runs on.
        command: program and arguments; without the run folder where `folder` is given.
        base: where the folders are made.
        folder: name of a rank's run folder; {} stands for the rank. None: all share `base`, which the command names.
        log: name of a rank's log file in it; so here.
        master_port: None takes a free one, on several hosts msrun's own.
    """
    if master_port is None:
        master_port = free_port() if devices.num_hosts == 1 else PORT_OF_SEVERAL_HOSTS
    blocks = core_blocks(sorted(os.sched_getaffinity(0)), devices.local_worker_num)
    ranks = []
    for index in range(devices.local_worker_num):
        number = devices.node_rank * devices.local_worker_num + index
        place = base if folder is None else base / folder.replace("{}", str(number))
        run_dir = [] if folder is None else [f"--run_dir={place}"]
        ranks.append(
            Rank(
                number,
                (*command[:2], *run_dir, *command[2:]),
                _own_variables(devices, index, master_port),
                place,
                place / log.replace("{}", str(number)),
                blocks[index],
            )
        )
    return JobPlan(devices, master_port, _shared_variables(devices), tuple(ranks))


def core_blocks(cores: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """Returns as many equal blocks of neighbouring cores; empty ones where there are fewer cores."""
    size = len(cores) // count
    return [tuple(cores[index * size : (index + 1) * size]) for index in range(count)]


def format_plan(plan: JobPlan) -> str:
    """Returns the exact commands and variables, in the shell's spelling."""
    devices = plan.devices
    lines = [
        f"{counted(devices.worker_num, 'rank')} on {counted(devices.num_hosts, 'host')}, {len(plan.ranks)} "
        f"here ({devices.target}); the scheduler listens on {devices.master_addr} port {plan.master_port}",
        "msrun:",
        f"  {spelled(plan.msrun_command(), plan.environment)}",
    ]
    for rank in plan.ranks:
        cores = ",".join(map(str, rank.cores)) or "all"
        lines += [
            f"rank {rank.number}: folder {rank.folder}, log {rank.log}, cores {cores}",
            f"  {spelled(rank.command, {**plan.environment, **rank.environment})}",
        ]
    return "\n".join(lines)


def _shared_variables(devices: JobDevices) -> dict[str, str]:
    variables = {
        # msrun runs the `python` of PATH, which has to be this one
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "DEVICE_NUM": str(devices.worker_num),
        "RANK_SIZE": str(devices.worker_num),
        "PYTHONUNBUFFERED": "1",
    }
    if devices.rank_table is not None:
        variables["RANK_TABLE_FILE"] = str(devices.rank_table)
    if devices.target == ASCEND:
        variables |= devices.environment()
        variables["HCCL_CONNECT_TIMEOUT"] = os.environ.get("HCCL_CONNECT_TIMEOUT", HCCL_SECONDS)
    return variables


def _own_variables(devices: JobDevices, index: int, master_port: int) -> dict[str, str]:
    """Returns what msrun sets for a worker; DEVICE_ID counts the visible devices."""
    number = str(devices.node_rank * devices.local_worker_num + index)
    return {
        "RANK_ID": number,
        "DEVICE_ID": str(index),
        "MS_ROLE": "MS_WORKER",
        "MS_NODE_ID": number,
        "MS_WORKER_NUM": str(devices.worker_num),
        "MS_SCHED_HOST": devices.master_addr,
        "MS_SCHED_PORT": str(master_port),
        CLUSTER_VARIABLE: str(get_cluster_seconds()),
    }


def _as_task(rank: Rank) -> dict[str, object]:
    return {"command": rank.command, "log": str(rank.log), "cores": rank.cores}
