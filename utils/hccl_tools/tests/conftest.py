"""Lets the tests of this room import their examples."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

TOOL = """#!/bin/sh
# Stands in for hccn_tool: answers -i N -ip [-inet6] -g from the files N and N.inet6 of its folder.
here=$(dirname "$0")
echo "$* ${ASCEND_RT_VISIBLE_DEVICES-}" >> "$here/calls"
case "$*" in
  *" -inet6 "*) cat "$here/$2.inet6" 2> /dev/null ;;
  *) cat "$here/$2" 2> /dev/null ;;
esac
"""


class StandInTool:
    """A folder for PATH with a hccn_tool that knows the addresses it is given."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "hccn_tool").write_text(TOOL)
        (folder / "hccn_tool").chmod(0o755)

    def knows(self, addresses):
        for device, address in addresses.items():
            name = f"{device}.inet6" if ":" in address else str(device)
            (self.folder / name).write_text(f"ipaddr:{address}\nnetmask:255.255.255.0\n")

    @property
    def calls(self):
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture()
def hccn_tool(tmp_path):
    return StandInTool(tmp_path / "bin")
