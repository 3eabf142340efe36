"""What msrun needs to know of a rank table, on one of its hosts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from utils.hccl_tools.tables.addresses import is_loopback, is_own_name, normal_address, resolves_to_own_address
from utils.hccl_tools.tables.rank_table import RankTable, Server
from utils.installation import shown_file
from utils.model_utils.errors import BadStateError, BadValueError
from utils.words import counted

LOCAL_ADDRESS = "127.0.0.1"
VISIBLE_DEVICES = "ASCEND_RT_VISIBLE_DEVICES"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MsrunPlan:
    """The start of a job on one host.

    Attributes:
        worker_num: processes of the whole job.
        local_worker_num: processes on this host.
        node_rank: number of this host; its processes have the ranks from node_rank * local_worker_num on.
        master_addr: where the scheduler listens, on the host with rank 0.
        device_ids: physical numbers of this host's devices, ascending.
    """

    worker_num: int
    local_worker_num: int
    node_rank: int
    master_addr: str
    device_ids: tuple[int, ...]

    def arguments(self) -> list[str]:
        """Returns the arguments of msrun; port, folder of logs and waiting are the launcher's."""
        return [
            f"--worker_num={self.worker_num}",
            f"--local_worker_num={self.local_worker_num}",
            f"--node_rank={self.node_rank}",
            f"--master_addr={self.master_addr}",
        ]

    def environment(self) -> dict[str, str]:
        """Returns the variables that msrun's processes need; Ascend's runtime reads a list up to its first space."""
        return {VISIBLE_DEVICES: joined(self.device_ids)}


def plan_msrun(table: RankTable, own_address: str | None = None, flag: str = "a launcher's --own_address") -> MsrunPlan:
    """Returns how msrun starts this host's part of a table.

    Args:
        table: a sound table.
        own_address: address or name of this host in the table; None finds it among the host's own.
        flag: argument that gives it, for messages.

    Raises:
        BadValueError: msrun cannot number the ranks as the table does.
        BadStateError: this host is not in the table, or not told from another one.
    """
    servers = table.servers_by_rank
    _check_numbering(servers)
    node_rank, is_found = _find_own(servers, own_address, flag)
    own = servers[node_rank]
    by_rank = [device.device_id for device in sorted(own.devices, key=lambda device: device.rank_id)]
    if by_rank != sorted(by_rank):
        logger.warning(
            "%s: ranks follow the devices %s, but Ascend's runtime takes them in ascending order only: ranks follow %s",
            own.place,
            joined(by_rank),
            joined(sorted(by_rank)),
        )
    return MsrunPlan(
        worker_num=table.device_count,
        local_worker_num=len(own.devices),
        node_rank=node_rank,
        master_addr=servers[0].address if is_found else LOCAL_ADDRESS,
        device_ids=tuple(sorted(by_rank)),
    )


def format_plan(table: RankTable, plan: MsrunPlan) -> str:
    """Returns the servers in order, then the command line of msrun on this host."""
    lines = []
    for index, server in enumerate(table.servers_by_rank):
        first, last = server.first_rank, server.first_rank + len(server.devices) - 1
        devices = joined(sorted(device.device_id for device in server.devices))
        mark = " (this host)" if index == plan.node_rank else ""
        lines.append(f"server {index}: {server.server_id}, devices {devices}, ranks {first}-{last}{mark}")
    variables = [f"{name}={value}" for name, value in plan.environment().items()]
    return "\n".join([*lines, " ".join([*variables, "msrun", *plan.arguments()])])


def _check_numbering(servers: Sequence[Server]) -> None:
    """Checks that ranks are as msrun gives them: node_rank * local_worker_num + i, the same number on each host."""
    count = len(servers[0].devices)
    for index, server in enumerate(servers):
        if len(server.devices) != count:
            raise BadValueError(
                f"{server.place} has {counted(len(server.devices), 'device')} and {servers[0].place} has {count}, but "
                "msrun numbers ranks by the same number on each server: make tables with as many devices on each"
            )
        ranks = sorted(device.rank_id for device in server.devices)
        if ranks != list(range(index * count, (index + 1) * count)):
            raise BadValueError(
                f"{server.place} has the ranks {joined(ranks)}, but msrun gives a server consecutive ones: number the "
                f"devices server by server, as {shown_file('utils/hccl_tools/merge_hccl.py')} does"
            )


def _find_own(servers: Sequence[Server], own_address: str | None, flag: str) -> tuple[int, bool]:
    """Returns the number of this host, and whether one of its addresses or names is in the table."""
    if len(servers) > 1:
        shared = next((server for server in servers if is_loopback(server.server_id)), None)
        if shared is not None:
            raise BadValueError(
                f'{shared.place}.server_id is "{shared.server_id}", which every host has for itself; make the table '
                f"of that host anew with {shown_file('utils/hccl_tools/hccl_tools.py')} --server_ip"
            )
    found = [index for index, server in enumerate(servers) if any(map(_tells_own(own_address), server.names))]
    if not found and own_address is None:  # only now, a name may take seconds to resolve
        found = [index for index, server in enumerate(servers) if resolves_to_own_address(server.server_id)]
    if len(found) == 1:
        return found[0], True
    if not found and len(servers) == 1 and own_address is None:
        logger.warning(
            "%s: %s is no address of this host; taken for it all the same, being the only one (a container without the "
            "host's network, or a table of another host)",
            servers[0].place,
            servers[0].server_id,
        )
        return 0, False
    who = f"'{own_address}'" if own_address is not None else "this host"
    ids = ", ".join(server.server_id for server in servers)
    what = "is not in the rank table" if not found else "has the addresses of several servers of the rank table"
    raise BadStateError(
        f"{who} {what}, whose servers are {ids}: name the one that it is with {flag}, or use the table of this job"
    )


def _tells_own(own_address: str | None) -> Callable[[str], bool]:
    if own_address is None:
        return is_own_name
    wanted = normal_address(own_address) or own_address
    return lambda name: (normal_address(name) or name) == wanted


def joined(numbers: Sequence[int]) -> str:
    """Returns e.g. "0,1,2"."""
    return ",".join(map(str, numbers))
