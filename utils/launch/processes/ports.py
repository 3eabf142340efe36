"""The port on which the processes of a job meet."""

import socket

from utils.model_utils.errors import BadStateError, BadValueError, os_errors_as, short
from utils.model_utils.guards.numbers import is_whole_number

LOWEST, HIGHEST = 1024, 65535  # what msrun takes


def read_port(text: str, source: str) -> int:
    """Returns the number that a text is, which was given in `source`.

    Raises:
        BadValueError: it is no port that msrun takes.
    """
    if not (is_whole_number(text) and LOWEST <= int(text) <= HIGHEST):
        raise BadValueError(f"{source} is {short(text)}, wanted a port from {LOWEST} to {HIGHEST}")
    return int(text)


def free_port() -> int:
    """Returns a port that nobody listens on now; the system hands out another one next time."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def check_free(address: str, port: int, other: str) -> None:
    """Checks that the scheduler can listen on a port of this host.

    Args:
        address: of this host.
        port: to listen on.
        other: how another one is chosen, for the message.

    Raises:
        BadStateError: another process does, or the address is none of this host's.
    """
    what = f"port {port} of {address} cannot be listened on"
    advice = f": end the process that has it, or choose another one on every host with {other}=PORT"
    with os_errors_as(BadStateError, what, advice):
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free for a listener
            probe.bind(place)
