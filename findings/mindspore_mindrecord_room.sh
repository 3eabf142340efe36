#!/bin/bash
# MindSpore 2.10.0: a MindRecord FileWriter refuses a disk with less than 10 MiB free, however little there is to write. The
# message, "No free disk to be used", calls the disk full that is not, gives a size without its unit, and names no folder.
# Seen: one number takes 28672 bytes with its index; with 9 MiB free it is refused and an empty file stays, with 12 MiB free it
# is written. So a page or a row may be as small as one likes: a set on a small disk in memory, or in a quota, has to have
# these 10 MiB beside it at each write.
# Mended here: utils/detection/data/disk/mindrecord_room.py counts them before a set is begun, and says so.
# Mounts two disks in memory in a mount namespace of its own (as root, or where users may make namespaces).
# Exit code 0: still so. 1: it has changed. 2: it could not be tried here.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
mkdir "$work/small" "$work/large"
own_mounts=(unshare --mount)
((EUID == 0)) || own_mounts=(unshare --user --map-root-user --mount)
if ! "${own_mounts[@]}" mount -t tmpfs -o size=1m none "$work/small" 2>/dev/null; then
  echo "a disk in memory cannot be mounted here" >&2
  exit 2
fi
"${PYTHON:-python3}" -m venv "$work/env"
"$work/env/bin/pip" --quiet install mindspore==2.10.0 numpy==1.26.4
cat >"$work/write.py" <<'PYTHON'
import os
import re
import sys
from importlib.metadata import version

import mindspore.mindrecord as mr


def write_one_number(folder):
    writer = mr.FileWriter(f"{folder}/one.mindrecord", 1)
    writer.set_header_size(2**14)
    writer.set_page_size(2**15)
    writer.add_schema({"value": {"type": "int64"}}, "one number")
    writer.write_raw_data([{"value": 1}])
    writer.commit()
    return sum(os.stat(f"{folder}/{name}").st_blocks * 512 for name in os.listdir(folder))


small, large = sys.argv[1:]
try:
    refusal = f"written, {write_one_number(small)} bytes"
except RuntimeError as error:
    refusal = re.search(r"No free disk.*", str(error))[0]
used = write_one_number(large)
print(f"mindspore {version('mindspore')}: 9 MiB free: {refusal}; 12 MiB free: written, {used} bytes on the disk")
sys.exit(0 if refusal == "No free disk to be used while writing mindrecord files, available free disk size: 9" else 1)
PYTHON
# shellcheck disable=SC2016  # the inner shell expands $1
"${own_mounts[@]}" bash -c '
  mount -t tmpfs -o size=9m none "$1/small"
  mount -t tmpfs -o size=12m none "$1/large"
  "$1/env/bin/python" "$1/write.py" "$1/small" "$1/large"' bash "$work"
