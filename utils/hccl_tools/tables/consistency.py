"""What the fields of one or more rank tables must be to each other."""

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence

from utils.hccl_tools.tables.addresses import normal_address
from utils.hccl_tools.tables.json_entries import HOW_TO_FIX
from utils.hccl_tools.tables.rank_table import POD_ADDRESSES, POD_NAME, RankTable, Server
from utils.model_utils.errors import BadValueError

# What must differ, the path of the field that holds it, and its text.
_Entry = tuple[Hashable, str, object]


def check_tables(tables: Sequence[RankTable]) -> None:
    """Checks that tables are sound, each by itself and all as parts of one job.

    Ranks run from 0 without gaps in each table; a device stands once on its server; servers, addresses and the numbers
    in a super node stand once in all tables together; device addresses are of one family; a super node lists servers
    that are there.

    Raises:
        BadValueError: they are not; two fields that clash are both named.
    """
    for table in tables:
        _check_ranks(table)
        for server in table.servers:
            _check_unique(
                (device.device_id, f"{device.place}.device_id", device.device_id) for device in server.devices
            )
    servers = [server for table in tables for server in table.servers]
    _check_unique(_by_address(server.server_id, f"{server.place}.server_id") for server in servers)
    for name in (*POD_ADDRESSES, POD_NAME):
        _check_unique(
            _by_address(str(server.extra[name]), f"{server.place}.{name}") for server in servers if name in server.extra
        )
    _check_unique(
        _by_address(device.device_ip, f"{device.place}.device_ip")
        for server in servers
        for device in server.devices
        if device.device_ip is not None
    )
    _check_one_family(servers)
    for table in tables:
        _check_super_pods(table)
    _check_unique(entry for table in tables for entry in _super_devices(table))


def order_warning(servers: Sequence[Server]) -> str | None:
    """Returns a sentence where servers in rank order are not in the dictionary order of their ids.

    MindSpore's page on rank tables wants that order with several servers. The rank table start needs it, msrun does
    not.

    Args:
        servers: the server with rank 0 first.
    """
    names = [server.server_id for server in servers]
    if names == sorted(names):
        return None
    return (
        f"ranks follow the servers {', '.join(names)}, but a start by rank table wants the dictionary order of "
        f"server_id: {', '.join(sorted(names))}; msrun takes either"
    )


def _check_ranks(table: RankTable) -> None:
    devices = [device for server in table.servers for device in server.devices]
    _check_unique((device.rank_id, f"{device.place}.rank_id", device.rank_id) for device in devices)
    for device in devices:  # all differ, so that one is too high where one is missing
        if device.rank_id >= len(devices):
            raise BadValueError(
                f'{device.place}.rank_id is "{device.rank_id}", wanted ranks from 0 to {len(devices) - 1}, one for '
                f"each of the {len(devices)} devices; {HOW_TO_FIX}"
            )


def _check_one_family(servers: Iterable[Server]) -> None:
    """Checks that device addresses are all IPv4 or all IPv6; HCCL refuses a mixture."""
    devices = [device for server in servers for device in server.devices if device.device_ip is not None]
    for device in devices:
        if (":" in str(device.device_ip)) != (":" in str(devices[0].device_ip)):
            raise BadValueError(
                f'{device.place}.device_ip is "{device.device_ip}" and {devices[0].place}.device_ip is '
                f'"{devices[0].device_ip}", wanted addresses of one family, IPv4 or IPv6; {HOW_TO_FIX}'
            )


def _check_super_pods(table: RankTable) -> None:
    """Checks that super nodes hold the servers of the table, each once."""
    if not table.super_pods:
        return
    known = {server.server_id for server in table.servers}
    listed: list[_Entry] = []
    for pod in table.super_pods:
        for index, name in enumerate(pod.server_ids):
            path = f"{pod.place}.server_list[{index}].server_id"
            if name not in known:
                raise BadValueError(f'{path} is "{name}", wanted a server_id of the top server_list; {HOW_TO_FIX}')
            listed.append((name, path, name))
    _check_unique(listed)
    _check_unique((pod.super_pod_id, f"{pod.place}.super_pod_id", pod.super_pod_id) for pod in table.super_pods)
    missing = [server for server in table.servers if server.server_id not in {name for name, _, _ in listed}]
    if missing:
        raise BadValueError(
            f'{missing[0].place}.server_id is "{missing[0].server_id}", which no super_pod_list names; {HOW_TO_FIX}'
        )


def _super_devices(table: RankTable) -> Iterator[_Entry]:
    pod_of = {name: pod.super_pod_id for pod in table.super_pods for name in pod.server_ids}
    for server in table.servers:
        for device in server.devices:
            if device.super_device_id is not None:
                key = (pod_of[server.server_id], device.super_device_id)
                yield key, f"{device.place}.super_device_id", device.super_device_id


def _by_address(text: str, path: str) -> _Entry:
    return normal_address(text) or text, path, text


def _check_unique(entries: Iterable[_Entry]) -> None:
    """Checks that no two entries have the same key; the error names both paths."""
    first: dict[Hashable, str] = {}
    for key, path, text in entries:
        if key in first:
            shown = json.dumps(str(text))
            raise BadValueError(f"{path} is {shown}, the same as {first[key]}, wanted another one; {HOW_TO_FIX}")
        first[key] = path
