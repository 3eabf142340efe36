"""What a launcher tells a process through the environment. Every function has an answer where nothing is set."""

import os

from utils.model_utils.errors import BadValueError, short
from utils.model_utils.guards.numbers import is_whole_number

DEVICE_ID_VARIABLE = "DEVICE_ID"
RANK_ID_VARIABLE = "RANK_ID"
RANK_SIZE_VARIABLE = "RANK_SIZE"
ROLE_VARIABLE = "MS_ROLE"
CLUSTER_VARIABLE = "MS_TOPO_TIMEOUT"
CLUSTER_SECONDS = 600  # msrun's own value: the hosts of a job may start minutes apart
SCHEDULER_ROLE = "MS_SCHED"


def get_device_id() -> int:
    """Returns DEVICE_ID, 0 where it is not set.

    Raises:
        BadValueError: it is no whole number of at least 0.
    """
    return _read_number(DEVICE_ID_VARIABLE, default=0, lowest=0)


def get_device_num() -> int:
    """Returns RANK_SIZE, the number of processes of the job, 1 where it is not set.

    Raises:
        BadValueError: it is no whole number of at least 1.
    """
    return _read_number(RANK_SIZE_VARIABLE, default=1, lowest=1)


def get_rank_id() -> int:
    """Returns RANK_ID, the number of this process in the job from 0, 0 where it is not set.

    Raises:
        BadValueError: it is no whole number of at least 0, or not below RANK_SIZE.
    """
    rank, rank_size = _read_number(RANK_ID_VARIABLE, default=0, lowest=0), get_device_num()
    if rank >= rank_size:
        raise BadValueError(
            f"environment variable {RANK_ID_VARIABLE} is {rank} and {RANK_SIZE_VARIABLE} is {rank_size}, ranks run "
            f"from 0 to {rank_size - 1}: correct or unset them"
        )
    return rank


def get_cluster_seconds() -> int:
    """Returns MS_TOPO_TIMEOUT, how long the processes of a job wait for each other, 600 seconds where it is not set.

    Raises:
        BadValueError: it is no whole number of at least 1.
    """
    return _read_number(CLUSTER_VARIABLE, default=CLUSTER_SECONDS, lowest=1)


def is_scheduler() -> bool:
    """Returns whether this process is msrun's scheduler, which keeps the others together and does no work itself."""
    return os.environ.get(ROLE_VARIABLE, "").strip() == SCHEDULER_ROLE


def _read_number(variable: str, default: int, lowest: int) -> int:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if not (is_whole_number(text) and int(text) >= lowest):
        raise BadValueError(
            f"environment variable {variable} is {short(text)}, wanted a whole number of at least {lowest}: correct or "
            "unset it"
        )
    return int(text)
