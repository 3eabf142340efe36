"""Whether a file is the one that an index describes: by its size and by the first digits of its hash."""

import hashlib
from pathlib import Path

from utils.model_utils.errors import BadValueError, MissingPathError, os_errors_as
from utils.models.table import PublishedFile

UNITS = {"Bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}  # as Hugging Face counts: 102,530,333 bytes are 103 MB


def size_range(size: int | str) -> tuple[int, int]:
    """Returns the least and the largest number of bytes that a size may stand for.

    A rounded one ("15.1 MB") may be off by one of its last digit, as nobody says how it was rounded.
    """
    if isinstance(size, int):
        return size, size
    digits, unit = size.split(" ")
    step = UNITS[unit] / 10 ** len(digits.partition(".")[2])
    middle = float(digits) * UNITS[unit]
    return round(middle - step), round(middle + step)


def size_fits(count: int, size: int | str | None) -> bool:
    """Returns whether so many bytes are what an index says; true where it says nothing."""
    if size is None:
        return True
    least, most = size_range(size)
    return least <= count <= most


def shown_size(size: int | str | None) -> str:
    """Returns a size as a person reads it, "-" where nobody says it."""
    return f"{size:,} bytes" if isinstance(size, int) else size or "-"


def file_fault(path: Path, wanted: PublishedFile) -> str:
    """Returns how a file differs from what its index says, e.g. "has 3 bytes, wanted 271 bytes"; "" where it does not.

    Raises:
        MissingPathError: it cannot be read.
    """
    with os_errors_as(MissingPathError, f"'{path}' cannot be read", ": check the path and its permissions"):
        count = path.stat().st_size
        if not size_fits(count, wanted.size):
            return f"has {count:,} bytes, wanted {shown_size(wanted.size)}"
        if wanted.sha256 and not (found := sha256(path)).startswith(wanted.sha256):
            return f"has the SHA-256 {found[: len(wanted.sha256)]}..., wanted {wanted.sha256}..."
    return ""


def check_file(path: Path, wanted: PublishedFile) -> None:
    """Checks a file that a user gives.

    Raises:
        MissingPathError: it is not there, is a folder or cannot be read.
        BadValueError: it is another file than the index describes.
    """
    if not path.is_file():
        raise MissingPathError(f"'{path}' is not there or is no file: give the path of '{wanted.name}'")
    if fault := file_fault(path, wanted):
        raise BadValueError(
            f"'{path}' {fault}: it is cut short or another file than '{wanted.name}'; download it again, or convert it "
            "yourself with the suite's converter if you know what it is"
        )


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def what_is_checked(wanted: PublishedFile) -> str:
    """Returns what a file was compared with, for the report."""
    found = [f"SHA-256 {wanted.sha256}..."] if wanted.sha256 else []
    found += [shown_size(wanted.size)] if wanted.size is not None else []
    return " and ".join(found)
