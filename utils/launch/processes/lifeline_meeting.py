"""How the workers of a job connect for their lifelines: worker 0 listens until all have greeted it, a moment only.

Address, port and a password of the day go over the sums that the workers make anyway. What connects and does not know
the password is cut off, and after the meeting nobody can connect any more.
"""

import hmac
import logging
import os
import secrets
import socket
import time
from contextlib import suppress

from utils.launch.processes.scheduler import HOST_VARIABLE, PORT_VARIABLE
from utils.model_utils.workers import Workers

MEETING_SECONDS = 20.0  # the workers have just exchanged the address, and connect at the same moment
_GREETING_SECONDS = 2.0  # a worker greets at once, in one piece
_STRANGERS = 64  # that may wait among the workers, such as a search for open ports
_TOKEN_BYTES = 16
_RANK_DIGITS = 8
_ADVICE = (
    "if it dies, MindSpore's scheduler notices after 30 s or more; let the hosts of the job reach each other's ports"
)

logger = logging.getLogger(__name__)


def own_address() -> str:
    """Returns the address of this host on the way to the scheduler, "" where there is none."""
    try:
        family, _, _, _, place = socket.getaddrinfo(
            os.environ[HOST_VARIABLE], int(os.environ[PORT_VARIABLE]), type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(place)  # sends nothing
            return probe.getsockname()[0]
    except (KeyError, ValueError, OSError):
        return ""


def meet(workers: Workers, host: str, seconds: float = MEETING_SECONDS) -> dict[int, socket.socket]:
    """Returns the connections to all others for worker 0, that to worker 0 for another one, by rank.

    All workers call it at the same time. Those that cannot connect are said, once, and are missing.

    Args:
        workers: of the job.
        host: address of this host by which the others reach it.
        seconds: how long is waited for the others.
    """
    if not workers.is_main:
        return _visit(workers, seconds)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family, backlog=workers.count + _STRANGERS)
    except OSError as error:
        workers.broadcast(None)
        logger.warning("%s cannot be listened on (%s): %s", host, error.strerror, _ADVICE)
        return {}
    with listener:
        port, token = listener.getsockname()[1], secrets.token_hex(_TOKEN_BYTES)
        workers.broadcast([host, port, token])
        found = _welcome(listener, token, workers.count, seconds)
    missing = sorted({*range(1, workers.count)} - {*found})
    if missing:
        ranks = ", ".join(map(str, missing))
        logger.warning("rank %s did not come to port %d of %s in %g s: %s", ranks, port, host, seconds, _ADVICE)
    return found


def _welcome(listener: socket.socket, token: str, count: int, seconds: float) -> dict[int, socket.socket]:
    """Returns the connections of those that know the token, one for each rank."""
    found: dict[int, socket.socket] = {}
    deadline = time.monotonic() + seconds
    while len(found) < count - 1 and (left := deadline - time.monotonic()) > 0:
        listener.settimeout(left)
        try:
            connection, _ = listener.accept()
        except OSError:
            continue
        rank = _greeted_rank(connection, token)
        if not 1 <= rank < count or rank in found:
            connection.close()
            continue
        found[rank] = connection
        with suppress(OSError):  # of one that is gone already, the connection tells
            connection.sendall(_greeting(token, 0))
    return found


def _visit(workers: Workers, seconds: float) -> dict[int, socket.socket]:
    """Returns the connection to worker 0, if it can be reached."""
    place: tuple[str, int, str] | None = workers.broadcast(None)
    if place is None:
        return {}
    host, port, token = place
    try:
        connection = socket.create_connection((host, port), timeout=seconds)
        connection.sendall(_greeting(token, workers.rank))
        if _greeted_rank(connection, token, seconds) == 0:
            return {0: connection}
        connection.close()
    except OSError as error:
        logger.debug("no connection to port %d of %s: %s", port, host, error)  # worker 0 says it for all
    return {}


def _greeting(token: str, rank: int) -> bytes:
    return f"{token}{rank:0{_RANK_DIGITS}d}".encode()


def _greeted_rank(connection: socket.socket, token: str, seconds: float = _GREETING_SECONDS) -> int:
    """Returns the rank in a greeting, -1 where it is none or has another token."""
    size = len(token) + _RANK_DIGITS
    connection.settimeout(seconds)
    try:
        content = connection.recv(size)
    except OSError:
        return -1
    is_known = len(content) == size and hmac.compare_digest(content[: len(token)], token.encode())
    return int(content[len(token) :]) if is_known else -1
