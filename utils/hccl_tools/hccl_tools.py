"""Makes the rank table of this host: hccl_tools.py [--device_num "[0,8)"] [--visible_devices 0,1,...] [--server_ip IP].

The file hccl_{devices}p_{their numbers}_{server}.json is written into the current folder.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a file: this folder is on the path in the repository root's stead
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from utils.hccl_tools.device_ips import HCCN_CONF, find_device_ips
from utils.hccl_tools.device_range import choose_devices
from utils.hccl_tools.tables.addresses import is_loopback, normal_address, own_server_ip
from utils.hccl_tools.tables.consistency import check_tables
from utils.hccl_tools.tables.rank_table import Device, RankTable, Server
from utils.hccl_tools.tables.table_file import write_table
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadValueError

HOST_NIC_IP = "reserve"  # a field that every version of the tool fills with this word


def main() -> None:
    """Writes the rank table that the command line asks for."""
    arguments = _parse_arguments()
    print("start", __file__)
    choice = choose_devices(arguments.device_num, arguments.visible_devices)
    print(f"visible_devices:{[str(number) for number in choice.visible_ids]}")
    server_id = _server_id(arguments.server_ip)
    print(f"server_id:{server_id}")
    print(f"device_num_list: {list(choice.logical_ids)}", flush=True)
    addresses = find_device_ips(choice.physical_ids, arguments.hccn_conf)
    table = make_table(server_id, choice.physical_ids, addresses)
    for device in table.servers[0].devices:
        print(f"rank_id:{device.rank_id}, device_id:{device.device_id}, device_ip:{device.device_ip}")
    numbers = "".join(map(str, choice.logical_ids))
    path = Path.cwd() / f"hccl_{table.device_count}p_{numbers}_{server_id}.json"
    write_table(path, table)
    print("Completed: hccl file was save in :", path)


def make_table(server_id: str, device_ids: Sequence[int], addresses: Sequence[str]) -> RankTable:
    """Returns the table of one server, template 1.0; physical numbers and addresses of devices are in ranks' order.

    Raises:
        BadValueError: two devices have one address, or addresses are of different families.
    """
    devices = tuple(
        Device(device_id, rank, address, place=f"device {device_id}")
        for rank, (device_id, address) in enumerate(zip(device_ids, addresses, strict=True))
    )
    table = RankTable("1.0", (Server(server_id, devices, {"host_nic_ip": HOST_NIC_IP}),))
    try:
        check_tables([table])
    except BadValueError as error:
        raise BadValueError(f"the settings of this host's devices make no rank table: {error}") from error
    return table


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes the rank table of this host.", allow_abbrev=False)
    parser.add_argument(
        "--device_num",
        default="[0,8)",
        metavar="[FIRST,END)",
        help='range of devices, the end not included, "[0,8)" if not given',
    )
    parser.add_argument(
        "--visible_devices",
        metavar="IDS",
        help="physical numbers of the devices that the range counts through, like 4,5,6,7; all of the "
        "host if not given",
    )
    parser.add_argument(
        "--server_ip", default="", metavar="IP", help="address of this host, what its name resolves to if not given"
    )
    parser.add_argument(
        "--hccn_conf",
        type=Path,
        default=HCCN_CONF,
        metavar="FILE",
        help=f"file with the devices' addresses where hccn_tool has none, {HCCN_CONF} if not given",
    )
    return parser.parse_args()


def _server_id(server_ip: str) -> str:
    if not server_ip.strip():
        server_id = own_server_ip()
        if is_loopback(server_id):
            print(
                f"hccl_tools.py: warning: the name of this host resolves to {server_id}, which is no address for other "
                "hosts; give --server_ip if there are any",
                file=sys.stderr,
            )
        return server_id
    address = normal_address(server_ip.strip())
    if address is None:
        raise BadValueError(f"--server_ip is '{server_ip}', wanted an IPv4 or IPv6 address")
    return address


if __name__ == "__main__":
    run_command(main, "hccl_tools.py")
