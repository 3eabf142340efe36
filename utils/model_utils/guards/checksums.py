"""CRC-32 of a file and of its companion, written at the end of the file: they go wherever it is copied.

Whoever reads the file by lengths that it states itself does not see them.
"""

import re
import zlib
from pathlib import Path

_LINE = re.compile(rb"\ncrc32 ([0-9a-f]{8}) ([0-9a-f]{8})\n")
LINE_BYTES = 25  # of the two
_CHUNK_BYTES = 2**20  # at a time; the interpreter is free meanwhile


def append_checksums(path: Path, companion: Path) -> None:
    """Adds the checksums of two finished files to the first.

    Raises:
        OSError: it cannot be written to.
    """
    line = b"\ncrc32 %08x %08x\n" % (checksum(path, path.stat().st_size), checksum(companion))
    with path.open("ab") as file:
        file.write(line)


def find_damage(path: Path, companion: Path, *, needs_checksums: bool) -> str:
    """Reads two files and returns what is wrong with them, "" where they are as they were written.

    Args:
        path: the file that has the checksums at its end.
        companion: the other one.
        needs_checksums: whether the first has to have them; without it, one that has none is fine.

    Raises:
        OSError: one of them cannot be read.
    """
    length = path.stat().st_size - LINE_BYTES
    with path.open("rb") as file:
        file.seek(max(length, 0))
        found = _LINE.fullmatch(file.read())
    if found is None:
        return "its checksum is missing" if needs_checksums else ""
    if checksum(path, length) != int(found[1], 16):
        return "its content does not fit its checksum"
    return "" if checksum(companion) == int(found[2], 16) else f"'{companion.name}' does not fit its checksum"


def checksum(path: Path, length: int | None = None) -> int:
    """Returns the CRC-32 of the first `length` bytes of a file, None for all of them.

    Raises:
        OSError: it cannot be read.
    """
    left = path.stat().st_size if length is None else length
    found, buffer = 0, memoryview(bytearray(min(_CHUNK_BYTES, max(left, 1))))
    with path.open("rb", buffering=0) as file:
        while left > 0 and (count := file.readinto(buffer[:left])):
            found = zlib.crc32(buffer[:count], found)
            left -= count
    return found
