"""The model of a rank table, and its three JSON forms.

Template "1.0" (Ascend 910, A2) and "1.2" (A3 super nodes) have a `server_list`; ModelArts writes a `group_list` without
rank numbers, where ranks follow the order of the file. Every leaf of all three is a string.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from utils.hccl_tools.tables.addresses import normal_address
from utils.hccl_tools.tables.json_entries import HOW_TO_FIX, JsonEntry, check_leaves
from utils.model_utils.errors import BadValueError

GROUP_LIST = "group_list"
SUPER_POD_VERSION = "1.2"
VERSIONS = ("1.0", SUPER_POD_VERSION)
COMPLETED, INITIALIZING = "completed", "initializing"
MAX_DEVICES_PER_SERVER = 16  # of an A2 or A3 server; an Ascend 910 one has 8
MAX_RANK = 999_999  # above any job: a longer number is a slip
MAX_SUPER_DEVICE_ID = 2**32 - 1  # HCCL holds it in 32 bits

# Fields that name the network in which a server's processes run, the nearest first: a pod has an address of its own.
POD_ADDRESSES = ("container_ip", "pod_ip")
HOST_ADDRESSES = ("host_ip", "server_ip")
POD_NAME = "pod_name"

_PORT = (1, 65535)  # lowest and highest of TCP
_SERVER_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_OPTIONAL: Mapping[str, Callable[[JsonEntry], object]] = {
    **dict.fromkeys((*POD_ADDRESSES, *HOST_ADDRESSES, "backup_device_ip", "dpu_ip"), JsonEntry.address),
    **dict.fromkeys(("device_port", "host_port", "backup_device_port"), lambda entry: entry.number(*_PORT)),
    **dict.fromkeys((POD_NAME, "host_nic_ip"), JsonEntry.text),
}


@dataclass(frozen=True)
class Device:
    """One device of a server and the rank of the process that uses it.

    Attributes:
        device_id: physical number on its server.
        rank_id: number in the whole job, from 0.
        device_ip: address of its network card; None where template 1.2 leaves it out.
        super_device_id: number in its super@entry, template 1.2 only.
        extra: other fields, as in the file.
        place: file and path that it was read from, for messages.
    """

    device_id: int
    rank_id: int
    device_ip: str | None
    super_device_id: int | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    place: str = field(default="device", compare=False)


@dataclass(frozen=True)
class Server:
    """One server.

    Attributes:
        server_id: its address, or a name.
        devices: in the order of the file.
        extra: other fields, as in the file.
        place: file and path that it was read from, for messages.
    """

    server_id: str
    devices: tuple[Device, ...]
    extra: Mapping[str, object] = field(default_factory=dict)
    place: str = field(default="server", compare=False)

    @property
    def address(self) -> str:
        """Where its processes are reached: the pod's address, else the server's, else its name."""
        of_pod = [str(self.extra[name]) for name in POD_ADDRESSES if name in self.extra]
        of_server = [self.server_id] if normal_address(self.server_id) else []
        of_host = [str(self.extra[name]) for name in HOST_ADDRESSES if name in self.extra]
        return next(iter((*of_pod, *of_server, *of_host)), self.server_id)

    @property
    def names(self) -> tuple[str, ...]:
        """Every address and name by which the server, or the pod on it, is known."""
        fields = (*POD_ADDRESSES, *HOST_ADDRESSES, POD_NAME)
        return (self.server_id, *(str(self.extra[name]) for name in fields if name in self.extra))

    @property
    def first_rank(self) -> int:
        """Lowest rank of its devices."""
        return min(device.rank_id for device in self.devices)


@dataclass(frozen=True)
class SuperPod:
    """One super@entry of template 1.2.

    Attributes:
        super_pod_id: its name.
        server_ids: the servers in it.
        place: file and path that it was read from, for messages.
    """

    super_pod_id: str
    server_ids: tuple[str, ...]
    place: str = field(default="super pod", compare=False)


@dataclass(frozen=True)
class RankTable:
    """The servers and devices of a job.

    Attributes:
        template: "1.0", "1.2" or "group_list".
        servers: in the order of the file.
        super_pods: template 1.2 only.
        extra: other fields of the top level, as in the file.
    """

    template: str
    servers: tuple[Server, ...]
    super_pods: tuple[SuperPod, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def device_count(self) -> int:
        """Number of devices of all servers, which is the number of ranks."""
        return sum(len(server.devices) for server in self.servers)

    @property
    def servers_by_rank(self) -> tuple[Server, ...]:
        """The servers, the one with rank 0 first."""
        return tuple(sorted(self.servers, key=lambda server: server.first_rank))

    def as_document(self) -> dict[str, object]:
        """Returns what is written as JSON; a group_list becomes template 1.0, which holds the ranks."""
        pods = [
            {"super_pod_id": pod.super_pod_id, "server_list": [{"server_id": name} for name in pod.server_ids]}
            for pod in self.super_pods
        ]
        document: dict[str, object] = {
            "version": VERSIONS[0] if self.template == GROUP_LIST else self.template,
            "server_count": str(len(self.servers)),
            "server_list": [_server_document(server) for server in self.servers],
            **({"super_pod_list": pods} if pods else {}),
        }
        return {**_with_extra(document, self.extra), "status": COMPLETED}


def parse_table(document: object, source: str) -> RankTable:
    """Reads a rank table and checks each of its fields by itself; `consistency.check_tables` compares them.

    Args:
        document: what json.loads made of the file.
        source: name of the file, for messages.

    Raises:
        BadValueError: a field is missing or wrong; its path is named.
    """
    root = JsonEntry(document, source)
    if root.child("status").value != COMPLETED:
        raise root.child("status").error(f'"{COMPLETED}"')
    if GROUP_LIST in root.key_names():
        if "server_list" in root.key_names():
            raise BadValueError(f"{source}: server_list and group_list are both there, wanted one; {HOW_TO_FIX}")
        table = _parse_groups(root)
    else:
        table = _parse_servers(root)
    check_leaves(root)  # last: of a field that is known, the sentence says what is wanted in it
    return table


def _parse_servers(root: JsonEntry) -> RankTable:
    version = root.child("version")
    if version.value not in VERSIONS:
        raise version.error(" or ".join(f'"{name}"' for name in VERSIONS))
    template = str(version.value)
    servers = tuple(_parse_server(entry, template) for entry in root.child("server_list").items())
    root.child("server_count").count(len(servers), "servers in server_list")
    known = {"version", "server_count", "server_list", "status"}
    pods: tuple[SuperPod, ...] = ()
    if template == SUPER_POD_VERSION:
        pods = tuple(_parse_super_pod(entry) for entry in root.child("super_pod_list").items())
        known.add("super_pod_list")
    return RankTable(template, servers, pods, _extra(root, known))


def _parse_groups(root: JsonEntry) -> RankTable:
    groups = root.child(GROUP_LIST).items()
    root.child("group_count").count(len(groups), "groups in group_list")
    servers: list[Server] = []
    first_rank = 0
    for group in groups:
        in_group = list(_parse_instances(group, first_rank))
        servers += in_group
        first_rank += sum(len(server.devices) for server in in_group)
    return RankTable(GROUP_LIST, tuple(servers), extra=_extra(root, {"group_count", GROUP_LIST, "status"}))


def _parse_instances(group: JsonEntry, first_rank: int) -> Iterator[Server]:
    """Yields the servers of a group; ranks follow the order of the file."""
    instances = group.child("instance_list").items()
    group.child("group_name").text()
    group.child("instance_count").count(len(instances), "instances in instance_list")
    rank = first_rank
    for instance in instances:
        items = instance.child("devices").items()
        devices = tuple(_parse_device(entry, GROUP_LIST, rank + index) for index, entry in enumerate(items))
        rank += len(devices)
        yield Server(_server_id(instance), devices, _extra(instance, {"server_id", "devices"}), instance.place)
    group.child("device_count").count(rank - first_rank, "devices in the group")


def _parse_server(entry: JsonEntry, template: str) -> Server:
    devices = tuple(_parse_device(item, template) for item in entry.child("device").items())
    return Server(_server_id(entry), devices, _extra(entry, {"server_id", "device"}), entry.place)


def _parse_device(entry: JsonEntry, template: str, rank: int | None = None) -> Device:
    """Reads a device; `rank` is given where the file holds none."""
    known = {"device_id", "device_ip"}
    device_id = entry.child("device_id").number(0, MAX_DEVICES_PER_SERVER - 1)
    may_lack_ip = template == SUPER_POD_VERSION and "device_ip" not in entry.key_names()
    device_ip = None if may_lack_ip else entry.child("device_ip").address()
    if rank is None:
        rank = entry.child("rank_id").number(0, MAX_RANK)
        known.add("rank_id")
    super_device_id = None
    if template == SUPER_POD_VERSION:
        super_device_id = entry.child("super_device_id").number(0, MAX_SUPER_DEVICE_ID)
        known.add("super_device_id")
    return Device(device_id, rank, device_ip, super_device_id, _extra(entry, known), entry.place)


def _parse_super_pod(entry: JsonEntry) -> SuperPod:
    servers = tuple(_server_id(item) for item in entry.child("server_list").items())
    return SuperPod(entry.child("super_pod_id").text(), servers, entry.place)


def _server_id(entry: JsonEntry) -> str:
    """Reads a server's address or name; what looks like an address has to be one."""
    server_id = entry.child("server_id")
    text = server_id.text()
    looks_like_address = ":" in text or not text.strip("0123456789.")
    if normal_address(text) is None and (looks_like_address or not _SERVER_NAME.fullmatch(text)):
        raise server_id.error("an IPv4 or IPv6 address or a host name")
    return text


def _extra(entry: JsonEntry, known: set[str]) -> dict[str, object]:
    """Returns the fields that are not known; those with a meaning that is known are checked."""
    extra = {key: entry.child(key) for key in entry.key_names() if key not in known}
    for key in (key for key in extra if key in _OPTIONAL):
        _OPTIONAL[key](extra[key])
    return {key: child.value for key, child in extra.items()}


def _server_document(server: Server) -> dict[str, object]:
    devices = [_device_document(device) for device in server.devices]
    return _with_extra({"server_id": server.server_id, "device": devices}, server.extra)


def _device_document(device: Device) -> dict[str, object]:
    document = {"device_id": str(device.device_id)}
    if device.device_ip is not None:
        document["device_ip"] = device.device_ip
    if device.super_device_id is not None:
        document["super_device_id"] = str(device.super_device_id)
    return _with_extra({**document, "rank_id": str(device.rank_id)}, device.extra)


def _with_extra(document: dict[str, object], extra: Mapping[str, object]) -> dict[str, object]:
    """Adds fields that were read along; a field that the document has by itself stays."""
    return {**document, **{key: value for key, value in extra.items() if key not in document}}
