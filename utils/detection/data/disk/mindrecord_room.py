"""What a set of MindRecord files takes on the disk, and what its writer says where that is not there.

Measured with MindSpore 2.10 on disks of all sizes around the need: the pages of a file are as large as `page_size` says
only where they are full, the rest are holes that take nothing; a row takes its image and 315 bytes with one box and
short names, its share of the index included; a file 36 kB and its index, SQLite's journal included.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from utils.model_utils.errors import BadStateError, first_line

# MindRecord refuses to begin a write with less, however little it is to write.
SPARE_BYTES = 10 * 2**20
SHARD_BYTES, ROW_BYTES, BOX_BYTES = 2**16, 400, 80
_MARK = "[ERROR] "  # before the reason in MindRecord's messages, which begin with a frame


def row_bytes(image_bytes: int, boxes: int, name: str) -> int:
    """Returns at most how many bytes a row takes, its share of the index included.

    Args:
        image_bytes: of the image as it is stored.
        boxes: that the row has, those left out of training included.
        name: of its file, which is stored three times.
    """
    return image_bytes + ROW_BYTES + BOX_BYTES * boxes + 3 * len(name.encode("utf-8", "backslashreplace"))


def needed_bytes(rows: Sequence[int], shards: int, description: str, chunk: int) -> int:
    """Returns how much has to be free for a set.

    Args:
        rows: bytes of each row, in the order in which they are written.
        shards: number of files; each holds the description.
        description: of the set.
        chunk: rows that are written at a time.
    """
    total, last = sum(rows), sum(rows[(len(rows) - 1) // chunk * chunk :])
    return shards * (SHARD_BYTES + 2 * len(description)) + max(total, total - last + SPARE_BYTES)


def check_room(folder: Path, needed: int) -> None:
    """Refuses to begin what a disk cannot hold.

    Args:
        folder: on the disk.
        needed: bytes.

    Raises:
        BadStateError: so much is not free.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BadStateError(
            f"MindRecord files need {needed / 1e6:.1f} MB but the disk of '{folder}' has {free / 1e6:.1f} MB free "
            f"(MindRecord wants {SPARE_BYTES / 1e6:.1f} MB at each write); make room or choose another mindrecord_dir"
        )


def reason_of(error: Exception, folder: Path) -> str:
    """Returns why a set could not be written: MindRecord does not say that the disk is full, but where it noticed."""
    free = shutil.disk_usage(folder).free
    if free < SPARE_BYTES:
        return f"No space left on device, {free / 1e6:.1f} MB are free and MindRecord wants {SPARE_BYTES / 1e6:.1f} MB"
    reasons = (line.removeprefix(_MARK) for line in str(error).splitlines() if line.startswith(_MARK))
    return next(reasons, first_line(error))
