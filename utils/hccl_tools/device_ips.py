"""The addresses of a host's devices, from hccn_tool or from /etc/hccn.conf."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from utils.hccl_tools.tables.addresses import normal_address
from utils.model_utils.errors import BadStateError

HCCN_TOOL = "hccn_tool"
HCCN_CONF = Path("/etc/hccn.conf")
TOOL_SECONDS = 30  # an answer takes less than one; a tool that hangs is treated as one that fails
VISIBLE_DEVICES = "ASCEND_RT_VISIBLE_DEVICES"  # not supported by hccn_tool, which counts physical devices

# A job's devices all have addresses of one family, IPv4 where there is one: option of the tool, key of the file.
_FAMILIES = (((), "address"), (("-inet6",), "IPv6address"))
_CONF_LINE = re.compile(r"\s*((?:IPv6)?address)_([0-9]{1,4})\s*=\s*(\S+)\s*")


def find_device_ips(physical_ids: Sequence[int], hccn_conf: Path = HCCN_CONF) -> list[str]:
    """Returns the address of each device; says on standard output where hccn_tool does not answer.

    Args:
        physical_ids: numbers of the devices on this host.
        hccn_conf: file that is read where hccn_tool does not know them all.

    Raises:
        BadStateError: neither knows them.
    """
    tool = shutil.which(HCCN_TOOL)
    by_tool = next((found for option, _ in _FAMILIES if (found := _ask_for_all(tool, physical_ids, option))), [])
    if by_tool:
        return by_tool
    print(f"Failed to call {HCCN_TOOL}, try to read {hccn_conf} instead", flush=True)
    in_file = _read_conf(hccn_conf)
    for _, key in _FAMILIES:
        if all((key, number) in in_file for number in physical_ids):
            return [in_file[key, number] for number in physical_ids]
    why_tool = "does not know them all" if tool else "is not on PATH (it is in /usr/local/Ascend/driver/tools)"
    why_file = "does not name them all" if os.path.isfile(hccn_conf) else "cannot be read"
    raise BadStateError(
        f"Failed to find information for hccl: wanted the addresses of devices {', '.join(map(str, physical_ids))}, "
        f"but {HCCN_TOOL} {why_tool} and {hccn_conf} {why_file}; set them with hccn_tool -i N -ip -s, or run this on "
        "the Ascend host as a user who may read them"
    )


def _ask_for_all(tool: str | None, physical_ids: Sequence[int], option: Sequence[str]) -> list[str]:
    """Returns the addresses of all devices in one family; nothing where one has none."""
    found: list[str] = []
    if tool is None:
        return found
    for number in physical_ids:
        address = _ask(tool, number, option)
        if address is None:
            return []
        found.append(address)
    return found


def _ask(tool: str, physical_id: int, option: Sequence[str]) -> str | None:
    environment = {name: value for name, value in os.environ.items() if name != VISIBLE_DEVICES}
    try:
        answer = subprocess.run(
            [tool, "-i", str(physical_id), "-ip", *option, "-g"],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=TOOL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _address_in(answer.stdout)


def _address_in(text: str) -> str | None:
    """Returns the address of a line like "ipaddr:192.98.92.100"; IPv6 has colons of its own and may end in "/64"."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        address = normal_address(value.partition("/")[0].strip())
        if "addr" in key.lower() and address:
            return address
    return None


def _read_conf(path: Path) -> dict[tuple[str, int], str]:
    """Returns what lines "address_0=192.98.92.100" say, by key and device; nothing where the file cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        print(f"Failed to read {path}", flush=True)
        return {}
    matches = [match for match in map(_CONF_LINE.fullmatch, lines) if match]
    return {(match[1], int(match[2])): address for match in matches if (address := normal_address(match[3]))}
