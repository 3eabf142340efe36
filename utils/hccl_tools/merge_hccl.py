"""Joins the rank tables of several hosts into one: merge_hccl.py FILE...

Ranks follow the order of the files. The file hccl_{servers}s_{ranks}p.json is written into the current folder.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a file: this folder is on the path in the repository root's stead
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from utils.hccl_tools.tables.consistency import check_tables, order_warning
from utils.hccl_tools.tables.rank_table import RankTable, Server, SuperPod
from utils.hccl_tools.tables.table_file import load_table, write_table
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadValueError


def main() -> None:
    """Merges the files that the command line names."""
    parser = argparse.ArgumentParser(description="Joins the rank tables of several hosts into one.", allow_abbrev=False)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="rank table; ranks follow this order")
    files = parser.parse_args().files
    table = merge_tables([load_table(file) for file in files], [str(file) for file in files])
    path = Path.cwd() / f"hccl_{len(table.servers)}s_{table.device_count}p.json"
    if path.exists() and any(path.samefile(file) for file in files):
        raise BadValueError(
            f"the result would be written over '{path}', which is one of the files; run the command in another folder"
        )
    warning = order_warning(table.servers_by_rank)
    if warning:
        print(f"merge_hccl.py: warning: {warning}", file=sys.stderr)
    write_table(path, table)
    print("Completed: hccl file was save in :", path)


def merge_tables(tables: Sequence[RankTable], names: Sequence[str]) -> RankTable:
    """Returns one table with the servers of all; ranks of a table follow those of the one before it.

    Args:
        tables: sound each by itself, at least one.
        names: their files, for messages.

    Raises:
        BadValueError: templates or other fields differ, or a server, a device or an address is in two of them.
    """
    for table, name in zip(tables, names, strict=True):
        if table.template != tables[0].template:
            raise BadValueError(
                f"{name}: template is {table.template} and that of {names[0]} is {tables[0].template}, wanted tables "
                "of one template; make them with one tool"
            )
    check_tables(tables)
    servers: list[Server] = []
    for table in tables:
        offset = len([device for server in servers for device in server.devices])
        servers += [_shift_ranks(server, offset) for server in table.servers]
    extra = _common_extra([table.extra for table in tables], names)
    return RankTable(tables[0].template, tuple(servers), _join_super_pods(tables), extra)


def _shift_ranks(server: Server, offset: int) -> Server:
    devices = (dataclasses.replace(device, rank_id=device.rank_id + offset) for device in server.devices)
    return dataclasses.replace(server, devices=tuple(devices))


def _join_super_pods(tables: Sequence[RankTable]) -> tuple[SuperPod, ...]:
    """Returns the super nodes of all tables; one that has servers in several tables comes once."""
    servers_of: dict[str, tuple[str, ...]] = {}
    for pod in (pod for table in tables for pod in table.super_pods):
        servers_of[pod.super_pod_id] = servers_of.get(pod.super_pod_id, ()) + pod.server_ids
    return tuple(SuperPod(name, servers) for name, servers in servers_of.items())


def _common_extra(extras: Sequence[Mapping[str, object]], names: Sequence[str]) -> Mapping[str, object]:
    for extra, name in zip(extras, names, strict=True):
        differing = [key for key in {**extras[0], **extra} if extras[0].get(key) != extra.get(key)]
        if differing:
            raise BadValueError(
                f"{name}: {json.dumps(differing[0])} is not what it is in {names[0]}, wanted the same in every file; "
                "remove it or make it the same"
            )
    return extras[0]


if __name__ == "__main__":
    run_command(main, "merge_hccl.py")
