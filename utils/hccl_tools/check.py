"""Checks a rank table and names the first field that is wrong: check.py FILE [--wait_seconds 60]."""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file: this folder is on the path in the repository root's stead
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from utils.hccl_tools.table_arguments import add_table_arguments
from utils.hccl_tools.tables.consistency import order_warning
from utils.hccl_tools.tables.rank_table import RankTable
from utils.hccl_tools.tables.table_file import load_table
from utils.model_utils.command import run_command
from utils.words import counted


def main() -> None:
    """Checks the file that the command line names."""
    parser = argparse.ArgumentParser(description="Checks a rank table.", allow_abbrev=False)
    add_table_arguments(parser)
    arguments = parser.parse_args()
    table = load_table(arguments.file, arguments.wait_seconds)
    warning = order_warning(table.servers_by_rank)
    if warning:
        print(f"check.py: warning: {warning}", file=sys.stderr)
    print(format_summary(str(arguments.file), table))


def format_summary(name: str, table: RankTable) -> str:
    """Returns e.g. "table.json: template 1.0, completed, 2 servers, 16 devices: sound"."""
    servers, devices = counted(len(table.servers), "server"), counted(table.device_count, "device")
    return f"{name}: template {table.template}, completed, {servers}, {devices}: sound"


if __name__ == "__main__":
    run_command(main, "check.py")
