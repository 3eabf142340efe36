"""A job whose processes a platform starts, one for each card and without msrun, as ModelArts' Ascend engine does."""

import atexit
import contextlib
import os
import subprocess
import sys
from pathlib import Path

from utils.hccl_tools.msrun_plan import LOCAL_ADDRESS
from utils.hccl_tools.tables.table_file import load_table
from utils.launch.job_devices import RANK_TABLE_FILE
from utils.launch.job_plan import PORT_OF_SEVERAL_HOSTS, WORKER
from utils.launch.processes.logged_process import start_apart
from utils.launch.processes.ports import check_free, read_port
from utils.launch.processes.scheduler import HOST_VARIABLE, PORT_VARIABLE, SCHEDULER_SECONDS, wait_for_scheduler
from utils.model_utils.errors import BadValueError
from utils.model_utils.files import make_writable_folder
from utils.model_utils.local_adapter import (
    CLUSTER_VARIABLE,
    ROLE_VARIABLE,
    SCHEDULER_ROLE,
    get_cluster_seconds,
    get_device_num,
    get_rank_id,
)

HOSTS_VARIABLE = "VC_WORKER_HOSTS"  # of ModelArts, the first one has rank 0
WORKER_ROLE = "MS_WORKER"
TABLE_SECONDS = 600.0  # a platform completes the table when the last container has started


def join_platform_job(folder: Path) -> None:
    """Makes this process the worker RANK_ID of RANK_SIZE; the one of rank 0 starts the scheduler too.

    The scheduler's log is in msrun/ of the run folder.

    Raises:
        UserError: the rank table cannot be used or has another number of devices, or the scheduler cannot be started
            or reached.
    """
    rank, count, seconds = get_rank_id(), get_device_num(), get_cluster_seconds()
    host = os.environ.get(HOST_VARIABLE) or _first_host(count)
    port = read_port(os.environ[PORT_VARIABLE], PORT_VARIABLE) if PORT_VARIABLE in os.environ else PORT_OF_SEVERAL_HOSTS
    os.environ.update(
        {
            HOST_VARIABLE: host,
            PORT_VARIABLE: str(port),
            "MS_WORKER_NUM": str(count),
            CLUSTER_VARIABLE: str(seconds),
        }
    )
    if rank == 0:
        check_free(host, port, PORT_VARIABLE)
        _start_scheduler(folder / "msrun")
    os.environ[HOST_VARIABLE] = wait_for_scheduler(host, port, seconds)
    os.environ.update({ROLE_VARIABLE: WORKER_ROLE, "MS_NODE_ID": str(rank)})


def _first_host(count: int) -> str:
    """Returns the host with rank 0; this one where nothing names another."""
    table = os.environ.get(RANK_TABLE_FILE)
    if table:
        found = load_table(Path(table), TABLE_SECONDS)
        if found.device_count != count:
            raise BadValueError(
                f"RANK_SIZE is {count}, but rank table '{table}' has {found.device_count} devices: correct it, or "
                f"unset {RANK_TABLE_FILE}"
            )
        hosts = [server.address for server in found.servers_by_rank]
    else:
        hosts = [name.strip() for name in os.environ.get(HOSTS_VARIABLE, "").split(",") if name.strip()]
    return hosts[0] if len(hosts) > 1 else LOCAL_ADDRESS


def _start_scheduler(folder: Path) -> None:
    """Starts the scheduler, which this process waits for at its own end."""
    make_writable_folder(folder, "--run_dir")
    environment = {**os.environ, ROLE_VARIABLE: SCHEDULER_ROLE, "RANK_ID": "0"}
    # Apart, since Ctrl-C is for the workers, which it keeps together.
    command = [sys.executable, str(WORKER), "{}"]
    scheduler = start_apart(command, folder / "scheduler.log", environment, "check the run folder")
    atexit.register(_end_scheduler, scheduler)


def _end_scheduler(scheduler: subprocess.Popen) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        scheduler.wait(timeout=SCHEDULER_SECONDS)
    scheduler.kill()
