"""Chooses the device and sets it up; clamps loaders to the cores. The only place that asks which device there is."""

import dataclasses
import functools
import logging
import os
import re
from pathlib import Path

from utils.model_utils.errors import BadStateError, BadValueError, first_line, short
from utils.model_utils.local_adapter import (
    CLUSTER_VARIABLE,
    DEVICE_ID_VARIABLE,
    ROLE_VARIABLE,
    get_cluster_seconds,
    get_device_id,
    get_device_num,
    get_rank_id,
)
from utils.model_utils.workers import ALONE, Workers
from utils.words import counted

ACCELERATORS = ("Ascend", "GPU")
AUTO = "auto"
CARD_FILES = {"Ascend": r"davinci(\d+)", "GPU": r"nvidia(\d+)"}  # in /dev, of cards that have a driver
# MindSpore leaves out without a word what it cannot load: its libraries for Ascend need those of CANN.
WAYS_TO_CARDS = {
    "Ascend": "source set_env.sh of CANN, of a version that this MindSpore takes",
    "GPU": "install CUDA and cuDNN of the versions that this MindSpore takes",
}

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class DeviceInfo:
    """The device of this process and its place in the job.

    Args:
        target: "Ascend", "GPU" or "CPU".
        device_id: number of the device on this machine.
        rank: number of this process in the job, from 0.
        rank_size: number of processes of the job.
        workers: those of them that work together; this one alone where it was not told to join them.
    """

    target: str
    device_id: int
    rank: int
    rank_size: int
    workers: Workers = dataclasses.field(default=ALONE, repr=False)


def choose_device(target: str) -> str:
    """Returns the device that a `device_target` means on this machine.

    Args:
        target: "Ascend", "GPU", "CPU" or "auto" in any case; auto takes an accelerator if there is one.

    Raises:
        BadStateError: the device asked for is not there.
        ValueError: no such word; the configuration refuses it before.
    """
    names = {name.lower(): name for name in (*ACCELERATORS, "CPU", AUTO)}
    if target.lower() not in names:
        raise ValueError(f"device target '{target}', wanted one of {', '.join(names.values())}")
    wanted = names[target.lower()]
    if wanted == "CPU":
        return wanted
    if wanted == AUTO:
        found = next((name for name in ACCELERATORS if _is_available(name)), "CPU")
        if found == "CPU":
            _warn_of_unused_cards()
        return found
    if not _is_available(wanted):
        if numbers := card_numbers(wanted):
            raise BadStateError(
                f"device_target is {wanted}, but {of_no_use(wanted, len(numbers))}, or set --device_target=CPU"
            )
        raise BadStateError(
            f"device_target is {wanted}, but MindSpore finds no {wanted} on this machine: install its driver and a "
            "MindSpore built for it, or set --device_target=CPU"
        )
    return wanted


def card_numbers(target: str, root: Path = Path("/dev")) -> list[int]:
    """Returns the numbers of the cards of this machine, whether MindSpore can use them or not.

    Args:
        target: "Ascend" or "GPU".
        root: folder of device files.
    """
    names = (re.fullmatch(CARD_FILES[target], path.name) for path in root.glob("*"))
    return sorted(int(match[1]) for match in names if match)


def of_no_use(target: str, count: int) -> str:
    """Returns that MindSpore cannot use cards of this machine, and what to do, without an end to the sentence."""
    cards = f"the {target} card" if count == 1 else f"any of the {count} {target} cards"
    return f"MindSpore cannot use {cards} of this machine: {WAYS_TO_CARDS[target]}"


@functools.cache
def _warn_of_unused_cards() -> None:
    """Says, once, that a CPU takes the place of cards that are there: their owner would wait for days."""
    for name in ACCELERATORS:
        if numbers := card_numbers(name):
            advice = "; until then the CPU is used (--device_target=CPU says that it is meant)"
            logger.warning("%s%s", of_no_use(name, len(numbers)), advice)


def _is_available(name: str) -> bool:
    import mindspore as ms

    return bool(ms.hal.is_available(name))


def resolve_amp_level(amp_level: str, target: str) -> str:
    """Returns the precision that "auto" means: float16 on Ascend, float32 elsewhere (float16 is slow on a CPU).

    Raises:
        BadValueError: the device has no operators in this precision.
    """
    if amp_level == "bf16" and target != "Ascend":
        raise BadValueError(
            f"amp_level is bf16 and the device {target}, for which MindSpore has no convolution in bfloat16: leave "
            "amp_level out, or train on Ascend"
        )
    if amp_level != AUTO:
        return amp_level
    return "O2" if target == "Ascend" else "O0"


def set_up_device(
    target: str = AUTO,
    device_id: int | None = None,
    *,
    seed: int | None = None,
    is_distributed: bool = False,
) -> DeviceInfo:
    """Sets MindSpore's device, graph mode and seed for this process, once, before the first operator.

    Args:
        target: as for `choose_device`.
        device_id: number of the device; None takes DEVICE_ID from the environment, else 0. A CPU has no number: there
            it only tells processes apart.
        seed: of MindSpore's global generators; None leaves them alone.
        is_distributed: joins the other processes of the job that it was started in (see utils/launch), if any.

    Raises:
        BadStateError: the device is not there, has another number, the process already uses another, or the processes
            of the job have not found each other.
        BadValueError: DEVICE_ID, RANK_ID or RANK_SIZE is no usable number.
    """
    import mindspore as ms

    info = DeviceInfo(
        target=choose_device(target),
        device_id=get_device_id() if device_id is None else device_id,
        rank=get_rank_id(),
        rank_size=get_device_num(),
    )
    if info.target in ACCELERATORS:
        _check_device_id(info, f"{DEVICE_ID_VARIABLE} in the environment" if device_id is None else "--device_id")
    try:
        ms.set_device(info.target, info.device_id if info.target in ACCELERATORS else 0)
    except RuntimeError as error:
        raise BadStateError(
            f"this process cannot use {info.target} {info.device_id} ({first_line(error)}): choose the device once, "
            "in a process that has not used another"
        ) from error
    ms.set_context(mode=ms.GRAPH_MODE)
    if seed is not None:
        ms.set_seed(seed)
    if is_distributed:
        info = dataclasses.replace(info, workers=_join_workers(info.rank_size))
    logger.info("device %s %d, rank %d of %d", info.target, info.device_id, info.rank, info.rank_size)
    return info


def _join_workers(rank_size: int) -> Workers:
    """Meets the other processes of the job; whoever starts one sets MS_ROLE."""
    from mindspore import communication

    if rank_size == 1 or not os.environ.get(ROLE_VARIABLE, "").strip():
        logger.info("run_distribute is set and this process has been started alone: it trains alone")
        return ALONE
    try:
        communication.init()
    except RuntimeError as error:
        raise BadStateError(
            f"the {rank_size} processes of the job have not found each other ({short(first_line(error))}): start all "
            f"again, on every host within {get_cluster_seconds()} s ({CLUSTER_VARIABLE}); where none was missing, "
            "see the others' logs for why"
        ) from error
    return Workers(communication.get_rank(), communication.get_group_size())


def _check_device_id(info: DeviceInfo, source: str) -> None:
    import mindspore as ms

    count = ms.hal.device_count(info.target)
    if info.device_id >= count:
        numbers = f"numbered 0 to {count - 1}: choose one of them" if count > 1 else "number 0: choose it"
        raise BadStateError(
            f"device {info.device_id} was asked for ({source}), but this machine has "
            f"{counted(count, f'{info.target} device')}, {numbers}"
        )


def available_cores() -> int:
    """Returns the number of cores that this process may use, at least 1."""
    present = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return max(1, min(present, len(os.sched_getaffinity(0))))
    return present


def clamp_loaders(requested: int) -> int:
    """Returns how many loaders to start: at least 1, at most one per core (MindSpore refuses more)."""
    cores = available_cores()
    loaders = max(1, min(requested, cores))
    if loaders != requested:
        _log_clamped(requested, loaders, cores)
    return loaders


@functools.cache
def _log_clamped(requested: int, loaders: int, cores: int) -> None:
    logger.info("%s, not %d: this process may use %s", counted(loaders, "worker"), requested, counted(cores, "core"))
