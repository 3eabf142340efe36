"""A lock between the processes of one machine that names its owner and cannot go stale."""

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.model_utils.errors import BadStateError, os_errors_as
from utils.model_utils.guards.json_text import parse_json

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2  # not noticed by a person, no load on a shared disk
MOST_OWNER_BYTES = 16_384  # of the line about the owner: a path has at most 4095
REPORT_SECONDS = 60.0  # a copy of a data set takes hours: one log line a minute shows who is waited for


@contextmanager
def host_lock(path: Path, doing: str, wait_seconds: float) -> Iterator[None]:
    """Holds a lock; the kernel gives it up with the process, however that ends, so no lock is ever left behind.

    Args:
        path: file of the lock, in a folder that exists. It stays; what counts is the kernel's lock on it.
        doing: what the owner does, for those who wait.
        wait_seconds: how long to wait for it.

    Raises:
        BadStateError: the time is over, and the owner is named; or the file cannot be locked.
    """
    advice = ": make its folder writable, or choose another"
    with os_errors_as(BadStateError, f"lock '{path}' cannot be made", advice):
        # A link in the place of the lock is refused: its target would be emptied.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        _wait(descriptor, path, wait_seconds)
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "doing": doing}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def describe_owner(path: Path) -> str:
    """Returns who holds a lock, or held it last, e.g. "process 4711 on host-3, which copies 'obs://b/data'"."""
    try:
        with open(path, "rb") as file:
            owner = parse_json(file.read(MOST_OWNER_BYTES))
        return f"process {owner['pid']} on {owner['host']}, which {owner['doing']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"  # it has taken the lock and not written its name yet


def _wait(descriptor: int, path: Path, wait_seconds: float) -> None:
    started = time.monotonic()
    next_report = started
    while not _try(descriptor, path):
        now = time.monotonic()
        if now - started >= wait_seconds:
            raise BadStateError(
                f"waited {wait_seconds:g} seconds for {describe_owner(path)} ('{path}'): see what holds it up, or end "
                "it and start again"
            )
        if now >= next_report:
            logger.info("waiting for %s", describe_owner(path))
            next_report = now + REPORT_SECONDS
        time.sleep(POLL_SECONDS)
    if next_report > started:
        logger.info("waited %.1f s", time.monotonic() - started)


def _try(descriptor: int, path: Path) -> bool:
    with os_errors_as(BadStateError, f"'{path}' cannot be locked", ": choose a folder on a local disk"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
