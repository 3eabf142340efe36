"""Two hosts on one machine: network namespaces with an address each, joined by a cable that can be cut."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from utils.tests.processes import wait_for

ADDRESSES = ("10.77.0.1", "10.77.0.2")
LISTENS = "0A"  # state of a socket in /proc/net/tcp


class TwoHosts:
    """Two hosts, 0 and 1, of which the first has rank 0.

    Args:
        folder: takes the rank table.

    Attributes:
        table: path of a rank table with one device for each.
    """

    def __init__(self, folder: Path) -> None:
        self._names = [f"host{number}-{os.getpid()}" for number in (0, 1)]
        self._ends = [f"cable{number}-{os.getpid() % 10**7}"[:15] for number in (0, 1)]
        for name in self._names:
            _ip("netns", "add", name)
        _ip("link", "add", self._ends[0], "type", "veth", "peer", "name", self._ends[1])
        for name, end, address in zip(self._names, self._ends, ADDRESSES, strict=True):
            _ip("link", "set", end, "netns", name)
            _ip("-n", name, "address", "add", f"{address}/24", "dev", end)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", end, "up")
        self.table = folder / "table.json"
        servers = [
            {
                "server_id": address,
                "device": [{"device_id": "0", "device_ip": f"192.98.92.{rank}", "rank_id": str(rank)}],
                "host_nic_ip": "reserve",
            }
            for rank, address in enumerate(ADDRESSES)
        ]
        table = {"version": "1.0", "server_count": "2", "server_list": servers, "status": "completed"}
        self.table.write_text(json.dumps(table))

    def start(self, host: int, command: list, **how) -> subprocess.Popen:
        """Starts a command on a host; what it says can be read from it."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self._names[host], *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **how,
        )

    def kill(self, host: int) -> None:
        """Kills all that runs on a host."""

        def is_dead() -> bool:
            for pid in self.processes(host):
                os.kill(pid, signal.SIGKILL)
            return not self.processes(host)

        wait_for(is_dead)

    def processes(self, host: int) -> list[int]:
        """Returns the numbers of what runs on a host."""
        found = map(int, _ip("netns", "pids", self._names[host]).split())
        return [pid for pid in found if _is_running(pid)]

    def ports(self, host: int) -> list[str]:
        """Returns the ports that are listened on."""
        lines = subprocess.run(
            ["ip", "netns", "exec", self._names[host], "cat", "/proc/net/tcp", "/proc/net/tcp6"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        rows = [line.split() for line in lines]
        return [row[1] for row in rows if row[3] == LISTENS]

    def cut(self) -> None:
        """Cuts the cable."""
        _ip("-n", self._names[1], "link", "set", self._ends[1], "down")

    def mend(self) -> None:
        """Makes the cable whole again."""
        _ip("-n", self._names[1], "link", "set", self._ends[1], "up")

    def close(self) -> None:
        """Removes the hosts, with all that runs on them."""
        for host, name in enumerate(self._names):
            self.kill(host)
            _ip("netns", "delete", name)


def reason_against() -> str:
    """Returns why there can be no two hosts here, "" where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "no command `ip` (iproute2), which makes network namespaces"
    name = f"try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no network namespaces here: {tried.stderr.strip()}"
    _ip("netns", "delete", name)
    return ""


def _ip(*arguments: str) -> str:
    finished = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def _is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return False
