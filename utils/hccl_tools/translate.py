"""Says how msrun starts a rank table's job on this host: translate.py FILE [--own_address IP] [--wait_seconds 60]."""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file: this folder is on the path in the repository root's stead
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from utils.hccl_tools.msrun_plan import format_plan, plan_msrun
from utils.hccl_tools.table_arguments import add_table_arguments
from utils.hccl_tools.tables.table_file import load_table
from utils.model_utils.command import run_command


def main() -> None:
    """Translates the file that the command line names."""
    parser = argparse.ArgumentParser(description="Says how msrun starts a rank table's job.", allow_abbrev=False)
    add_table_arguments(parser)
    parser.add_argument(
        "--own_address", metavar="IP", help="address or name of the host to plan for, this one if not given"
    )
    arguments = parser.parse_args()
    table = load_table(arguments.file, arguments.wait_seconds)
    print(format_plan(table, plan_msrun(table, arguments.own_address, "--own_address")))


if __name__ == "__main__":
    run_command(main, "translate.py")
