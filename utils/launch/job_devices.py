"""Which devices a job of several processes gets, on this host and in all."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from utils.hccl_tools.msrun_plan import LOCAL_ADDRESS, MsrunPlan, joined, plan_msrun
from utils.hccl_tools.table_arguments import WAIT_SECONDS
from utils.hccl_tools.tables.table_file import load_table
from utils.installation import shown_file
from utils.model_utils.device_adapter import available_cores, card_numbers
from utils.model_utils.errors import BadStateError, BadValueError, short
from utils.model_utils.guards.numbers import is_whole_number
from utils.words import agreed, counted

CPU, GPU, ASCEND = "CPU", "GPU", "Ascend"
DEVICE_NUM = "DEVICE_NUM"
RANK_TABLE_FILE = "RANK_TABLE_FILE"
NO_TABLE = {"cpu": CPU, "gpu": GPU}  # words in a rank table's place
MAX_WORKERS = 4096  # above any job: a larger number is a slip, and that many processes would be started
_VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobDevices(MsrunPlan):
    """The devices of a job, each of which gets a process.

    Attributes:
        target: "Ascend", "GPU" or "CPU".
        rank_table: rank table, or the folder in which the platform writes it; None where there is none.
    """

    target: str
    rank_table: Path | None = None

    @classmethod
    def of_this_host(cls, target: str, count: int) -> "JobDevices":
        """Returns the first `count` devices of this host, which has the whole job."""
        return cls(count, count, 0, LOCAL_ADDRESS, tuple(range(count)), target)

    @property
    def num_hosts(self) -> int:
        """Number of hosts."""
        return self.worker_num // self.local_worker_num


def choose_job_devices(
    device_num: str | None,
    table: str | None,
    target: str = "",
    *,
    own_address: str | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> JobDevices:
    """Returns the devices that a launcher's first arguments stand for.

    Args:
        device_num: DEVICE_NUM as it was typed; None counts those of the table.
        table: a rank table, or "cpu" or "gpu" in its place; None for a launcher that takes no table.
        target: device of the launcher's name; "" for Ascend with a table and for the word in its place.
        own_address: address of this host in the table; None finds it among the host's own.
        wait_seconds: how long a table that its platform has not finished is waited for.

    Raises:
        BadValueError: DEVICE_NUM is no number or not the table's; the table is wrong.
        MissingPathError: there is no such table.
        BadStateError: this host is not in the table.
    """
    count = None if device_num is None else _read_count(device_num)
    if table is None or table.lower() in NO_TABLE:
        if count is None:
            raise BadValueError(
                f"{RANK_TABLE_FILE} is '{table}', wanted the path of a rank table, which tells the number of devices; "
                f"make one with {shown_file('utils/hccl_tools/hccl_tools.py')}"
            )
        return JobDevices.of_this_host(target or NO_TABLE[(table or "").lower()], count)
    path = Path(os.path.realpath(table))
    plan = plan_msrun(load_table(path, wait_seconds), own_address)
    if count is not None and count != plan.worker_num:
        raise BadValueError(
            f"{DEVICE_NUM} is {count}, but rank table '{table}' has {plan.worker_num} devices: give {plan.worker_num}, "
            f"or make a table of the devices wanted with {shown_file('utils/hccl_tools/hccl_tools.py')}"
        )
    return JobDevices(**vars(plan), target=target or ASCEND, rank_table=path)


def check_present(devices: JobDevices, root: Path = Path("/dev")) -> None:
    """Checks that this host has the devices; a CPU with fewer cores than processes is only warned of.

    Args:
        devices: those that are wanted.
        root: folder of device files.

    Raises:
        BadStateError: it has not.
    """
    if devices.target == CPU:
        if available_cores() < devices.local_worker_num:
            processes, cores = counted(devices.local_worker_num, "process"), counted(available_cores(), "core")
            logger.warning("%s on %s: they take turns", processes, cores)
        return
    present = _present(devices.target, root)
    missing = [number for number in devices.device_ids if number not in present]
    if missing:
        raise BadStateError(
            f"{counted(len(devices.device_ids), f'{devices.target} device')} "
            f"{agreed(len(devices.device_ids), 'was', 'were')} asked for ({joined(devices.device_ids)}), but this "
            f"machine has {len(present)} ({joined(present) or 'none'}): ask for those that are there, or install the "
            "driver of the others"
        )


def _present(target: str, root: Path) -> list[int]:
    """Returns the numbers of the devices whose files are there; a GPU counts among those that are visible."""
    numbers = card_numbers(target, root)
    if target != GPU or _VISIBLE_GPUS not in os.environ:
        return numbers
    visible = [text for text in os.environ[_VISIBLE_GPUS].split(",") if text.strip()]
    return list(range(min(len(visible), len(numbers))))


def _read_count(text: str) -> int:
    if not (is_whole_number(text) and 1 <= int(text) <= MAX_WORKERS):
        raise BadValueError(f"{DEVICE_NUM} is {short(text)}, wanted a number of devices from 1 to {MAX_WORKERS}")
    return int(text)
