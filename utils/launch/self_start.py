"""What a training command asks first: is it alone, in a job of several processes, or the one that starts the job?"""

import logging
import os
import sys
from pathlib import Path

from utils.launch.job import prepare_job, run_job
from utils.launch.job_devices import ASCEND, CPU, RANK_TABLE_FILE, JobDevices, choose_job_devices
from utils.launch.job_plan import format_plan, make_plan
from utils.launch.platform_job import join_platform_job
from utils.launch.processes.scheduler import end_without_scheduler, serve
from utils.model_utils.config.base import COMMAND_LINE
from utils.model_utils.config.schema import RuntimeKeys
from utils.model_utils.device_adapter import AUTO, choose_device
from utils.model_utils.errors import BadStateError, BadValueError
from utils.model_utils.local_adapter import ROLE_VARIABLE, get_device_num, is_scheduler
from utils.words import counted

# On a CPU an operation that all workers take part in otherwise fails after 30 seconds of waiting for one of them, which
# may still be making data, compiling, or computing the metrics of an evaluation.
_WAIT_VARIABLE, _WAIT_SECONDS = "MS_CPU_COMM_OP_TIMEOUT", "3600"

logger = logging.getLogger(__name__)


def start_or_join(config: RuntimeKeys, script: str) -> None:
    """Returns in each process that trains, and makes the others what they are.

    With `run_distribute`, a process that no launcher has started runs the same command in `device_num` processes
    through msrun, with the launchers' checks, and exits with the job's code; the logs are in the run folder's msrun/.
    A process that a launcher or msrun has started goes on; msrun's scheduler keeps the others together and exits with
    them. One that a platform has started, once for each card and without msrun, joins the others.

    Raises:
        BadStateError: the process is one of several without `run_distribute`, or the job cannot be started.
        BadValueError: it is not known how many processes are wanted, or `device_num` is not the number of those that
            were started.
    """
    is_started = ROLE_VARIABLE in os.environ
    count = get_device_num()
    if not config.run_distribute:
        if is_started or count > 1:
            raise BadStateError(
                f"this process is one of {count} that were started together, but run_distribute is not set: add "
                "--run_distribute=True, or start one process with RANK_SIZE and MS_ROLE unset"
            )
        return
    if is_scheduler():
        serve()
        sys.exit(0)
    if not is_started and "RANK_SIZE" not in os.environ:
        sys.exit(_run_job(config, script))
    _check_count(config, count)
    if count == 1 and not is_started:
        return
    os.environ.setdefault(_WAIT_VARIABLE, _WAIT_SECONDS)
    if not is_started:
        join_platform_job(config.results_folder())
    end_without_scheduler()


def _check_count(config: RuntimeKeys, count: int) -> None:
    """A number in a file is passed over: the documented files say 1, whatever was started."""
    if config.device_num not in (None, count) and config.origin("device_num").where == COMMAND_LINE:
        raise BadValueError(
            f"--device_num is {config.device_num}, but the launcher has started {counted(count, 'process')}: "
            "leave --device_num out, or give the launcher that number"
        )


def _run_job(config: RuntimeKeys, script: str) -> int:
    """Runs this very command in several processes; returns the job's exit code."""
    devices = _devices(config)
    command = [sys.executable, str(Path(script).resolve()), *sys.argv[1:]]
    plan = make_plan(devices, command, config.results_folder().absolute(), log="msrun/rank{}.log")
    prepare_job(plan)
    print(format_plan(plan), flush=True)
    return run_job(plan)


def _devices(config: RuntimeKeys) -> JobDevices:
    """Returns the devices of a job that starts itself: those of RANK_TABLE_FILE, else of this machine."""
    table = os.environ.get(RANK_TABLE_FILE)
    if table and config.device_target in (AUTO, ASCEND):
        return choose_job_devices(None if config.device_num is None else str(config.device_num), table)
    target = choose_device(config.device_target)
    count = config.device_num
    if count is None and target == CPU:
        raise BadValueError(
            "run_distribute is set and no launcher has started this process: say how many processes share the CPU with "
            "--device_num=N, or start it with a launcher of scripts/"
        )
    if count is None:
        import mindspore as ms

        count = ms.hal.device_count(target)
    return JobDevices.of_this_host(target, count)
