"""IP addresses: their one spelling, and which of them are this host's."""

import ipaddress
import re
import socket

from utils.model_utils.errors import BadStateError

_SCOPE = re.compile(r"[A-Za-z0-9_.-]+")  # interface name behind the % of a link-local address; never a path


def normal_address(text: str) -> str | None:
    """Returns the short spelling of an IPv4 or IPv6 address, None where the text is none.

    Two texts are the same address where their short spellings are equal.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    scope = getattr(address, "scope_id", None)
    return str(address) if scope is None or _SCOPE.fullmatch(scope) else None


def is_loopback(text: str) -> bool:
    """Says whether a text is an address that every host has for itself, 127.0.0.1 or ::1."""
    return normal_address(text) is not None and ipaddress.ip_address(text).is_loopback


def is_own_address(text: str) -> bool:
    """Says whether an address is one of this host's: a socket can be bound to those and no others."""
    try:
        found = socket.getaddrinfo(text, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return False
    return any(_can_be_bound(family, address) for family, _, _, _, address in found)


def is_own_name(name: str) -> bool:
    """Says whether a text is one of this host's addresses, or its name; no other name is looked up."""
    if normal_address(name) is not None:
        return is_own_address(name)
    host = socket.gethostname()
    return name in (host, host.split(".")[0])


def resolves_to_own_address(name: str) -> bool:
    """Says whether a host name resolves to an address of this host, loopback addresses apart."""
    return any(is_own_address(address) for address in _resolve(name) if not is_loopback(address))


def own_server_ip() -> str:
    """Returns the address that this host's name resolves to; IPv4 comes before IPv6, loopback last.

    Raises:
        BadStateError: the name does not resolve.
    """
    host = socket.gethostname()
    addresses = _resolve(host)
    if not addresses:
        raise BadStateError(
            f"the name of this host, '{host}', does not resolve to an address: give its address with --server_ip, or "
            "add the name to /etc/hosts"
        )
    return min(addresses, key=lambda address: (is_loopback(address), ":" in address))


def _resolve(name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # a name that cannot be one, like "a..b", is a UnicodeError
        return []
    return [normal for *_, address in found if (normal := normal_address(str(address[0]))) is not None]


def _can_be_bound(family: int, address: tuple) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind(address)
    except OSError:
        return False
    return True
