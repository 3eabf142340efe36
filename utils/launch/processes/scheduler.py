"""MindSpore's scheduler: the process that brings the workers of a job together and sees when one is gone."""

import ctypes
import os
import signal
import socket
import sys
import threading
import time

from utils.model_utils.errors import BadStateError

HOST_VARIABLE, PORT_VARIABLE = "MS_SCHED_HOST", "MS_SCHED_PORT"
SCHEDULER_SECONDS = 60.0  # it ends some seconds after the last worker; MindSpore notices a lost one after 30
_POLL_SECONDS = 1.0  # the start of a job takes seconds
_PR_SET_PDEATHSIG = 1  # of Linux, prctl.h
_CONNECT_SECONDS = 5  # a host that is there answers within one, even a busy one


def serve(*, ends_with_parent: bool = False) -> None:
    """Makes this process the scheduler; returns when the job has ended.

    Args:
        ends_with_parent: the kernel kills it when the process that has started it is gone.
    """
    if ends_with_parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    from mindspore.communication import init

    init()


def wait_for_scheduler(host: str, port: int, seconds: float) -> str:
    """Waits until the scheduler listens; a worker that asks before waits much longer for its next turn.

    Returns:
        Its numeric address.

    Raises:
        BadStateError: it does not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        address = _reached_address(host, port)
        if address:
            return address
        if time.monotonic() > deadline:
            raise BadStateError(
                f"no scheduler at {host} port {port} after {seconds:g} s: see whether the process with rank 0 has "
                f"started, or name its host and a free port in {HOST_VARIABLE} and {PORT_VARIABLE} on every host"
            )
        time.sleep(_POLL_SECONDS)


def end_without_scheduler() -> None:
    """Lets a thread end this worker where the job is broken and the worker cannot notice by itself.

    After 30 seconds without a sign of life from one worker, MindSpore sends the others SIGTERM, and soon the scheduler
    ends. Python's handler of the signal waits for the operation that is running, and an operation that waits for the
    dead worker never ends. So the thread takes note of the signal, and ends the process when the scheduler is gone too.
    A SIGTERM of the user leaves the scheduler where it is, or the process has come to its own end before.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    place = (os.environ[HOST_VARIABLE], int(os.environ[PORT_VARIABLE]))
    threading.Thread(target=_watch, args=(read, *place), daemon=True, name="scheduler watch").start()


def _watch(signals: int, host: str, port: int) -> None:
    while signal.SIGTERM not in os.read(signals, 64):
        pass
    while _reached_address(host, port):
        time.sleep(_POLL_SECONDS)
    time.sleep(_POLL_SECONDS)  # in which a process that is about to end does
    if not threading.main_thread().is_alive():  # only what runs at exit is left, and the exit code is known
        return
    print(
        "error: the job's scheduler has ended: another process of the job has failed, see its log",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)


def _reached_address(host: str, port: int) -> str:
    """Returns the numeric address where a process listens, "" where none does."""
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_SECONDS) as connection:
            return connection.getpeername()[0]
    except OSError:
        return ""
