"""Unpacks zip and tar files that others made: nothing leaves the folder, nothing grows without limit."""

import gzip
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, UserError, short
from utils.model_utils.files import free_space
from utils.model_utils.guards.path_names import path_fault
from utils.model_utils.storage.tar_members import tar_members

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
STAGING = ".unpacking-"
MOST_FOLDERS = 100  # above a file; data sets have a handful
_CHUNK_BYTES = 1024 * 1024  # in memory at a time, whatever the size of a member
# Others, bzip2 and LZMA, zipfile unpacks whole: of 350 bytes it makes 300 MB before a chunk is seen.
_BOUNDED_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# RuntimeError: zipfile's for a password; NotImplementedError: its for a compression that it does not know; the last
# four: numbers and texts of damaged headers.
_DAMAGES = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    OverflowError,
    struct.error,
)


@dataclass(frozen=True)
class Limits:
    """What an archive may become.

    Attributes:
        files: most files.
        header_bytes: most bytes of a header that goes before a file's own in a tar file: a long name, times, rights.
        ratio: most bytes that a byte of the archive may become, images and annotations stay below 30.
        least_bytes: bytes that every archive may become, whatever the ratio.
        spare_bytes: room that is left on the disk.
    """

    files: int = 5_000_000
    header_bytes: int = 16 * 1024
    ratio: int = 200
    least_bytes: int = 64 * 1024 * 1024
    spare_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True)
class Member:
    """An item of an archive.

    Attributes:
        name: its path as written there.
        is_folder: whether it is a folder.
        other_kind: what it is where it is neither a file nor a folder, else "".
        header_bytes: bytes that the archive says this much with, unpacked; they count as content does.
        content: opens a file's content.
    """

    name: str
    is_folder: bool
    other_kind: str
    header_bytes: int
    content: Callable[[], IO[bytes] | None]


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> list[str]:
    """Unpacks an archive into a folder; until the last byte is read, nothing of it is seen there.

    Args:
        archive: a .zip, .tar, .tar.gz or .tgz file.
        folder: the folder; files of the same names are replaced, others stay.
        limits: against archives that grow without end.

    Returns:
        The paths of the files in `folder`.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is damaged, encrypted or no archive; holds a path out of the folder, a link or a device; or
            passes a limit.
        BadStateError: it cannot be written here.
    """
    if not archive.is_file():
        raise MissingPathError(f"archive '{archive}' is not there: check the name and what was copied")
    staging = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=folder))
        paths = _Unpacker(archive, staging, limits or Limits()).run()
        for path in paths:
            _move(staging / path, folder, path, archive)
    except UserError:
        raise
    except _DAMAGES as error:
        reason = "it is encrypted" if "encrypted" in str(error) else type(error).__name__
        raise BadValueError(
            f"archive '{archive}' cannot be unpacked ({reason}): pack it again, as .zip without password or as .tar, "
            "and copy it whole"
        ) from None
    except OSError as error:
        reason = f"{error.strerror or error}, {free_space(folder)}"
        raise BadStateError(
            f"archive '{archive}' cannot be unpacked into '{folder}' ({reason}): free some space, or choose another "
            "folder"
        ) from None
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
    return paths


class _Unpacker:
    """One unpacking into an empty folder."""

    def __init__(self, archive: Path, staging: Path, limits: Limits) -> None:
        self._archive, self._staging, self._limits = archive, staging, limits
        room = shutil.disk_usage(staging).free - limits.spare_bytes
        allowed = max(limits.least_bytes, archive.stat().st_size * limits.ratio)
        self._bytes_left, self._is_disk_the_limit = min(room, allowed), room < allowed

    def run(self) -> list[str]:
        """Returns the paths of the files that are there now."""
        paths: dict[str, None] = {}
        with closing(_members(self._archive, self._limits.header_bytes)) as members:
            for member in members:
                self._use(member.header_bytes)
                path = self._checked_path(member)
                if path and not member.is_folder:
                    paths[path] = None
                    if len(paths) > self._limits.files:
                        raise BadValueError(
                            f"archive '{self._archive}' holds more than {self._limits.files} files: split it"
                        )
                    self._write(member, self._staging / path)
        return list(paths)

    def _checked_path(self, member: Member) -> str:
        """Returns the path beneath the folder, "" for the folder itself."""
        name = member.name
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or name[1:2] == ":":
            raise BadValueError(
                f"archive '{self._archive}' holds {short(name)}, no path beneath its folder: pack it with relative "
                "paths"
            )
        fault = path_fault(str(self._staging / name))
        if len(path.parts) > MOST_FOLDERS:
            fault = f"lies in {len(path.parts)} folders, at most {MOST_FOLDERS} are made"
        if fault:
            raise BadValueError(
                f"archive '{self._archive}' holds {short(name)}, which {fault}: pack it with shorter names"
            )
        if member.other_kind:
            raise BadValueError(
                f"archive '{self._archive}' holds {member.other_kind} {short(name)}, wanted files and folders: pack "
                "the files themselves (tar --dereference --hard-dereference, zip without -y)"
            )
        return "" if str(path) == "." else str(path)

    def _write(self, member: Member, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        source = member.content()
        assert source is not None, "tarfile gives no content of folders and links alone"
        with source, path.open("wb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                self._use(len(chunk))
                target.write(chunk)

    def _use(self, count: int) -> None:
        """Counts bytes that the archive has become, on the disk or in memory."""
        self._bytes_left -= count
        if self._bytes_left >= 0:
            return
        if self._is_disk_the_limit:
            raise BadStateError(
                f"archive '{self._archive}' needs more room than the disk of '{self._staging.parent}' has: free some "
                "space, or choose another folder"
            )
        raise BadValueError(
            f"archive '{self._archive}' grows to more than {self._limits.ratio} times its size, which no data set "
            "does: see what it holds, and unpack it by hand if it is good"
        )


def _members(archive: Path, most_header_bytes: int) -> Generator[Member, None, None]:
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if info.compress_type not in _BOUNDED_COMPRESSIONS:
                    raise BadValueError(
                        f"archive '{archive}' holds {short(info.filename)}, compressed in another way than Deflate: "
                        "pack it again, as .zip without an option for the compression, or as .tar.gz"
                    )
                kind = stat.S_IFMT(info.external_attr >> 16)
                other = {0: "", stat.S_IFREG: "", stat.S_IFDIR: "", stat.S_IFLNK: "the link"}.get(kind, "the device")
                yield Member(info.filename, info.is_dir(), other, 0, partial(packed.open, info))
        return
    for file, item in tar_members(archive, most_header_bytes):
        is_link = item.issym() or item.islnk()
        other = "" if item.isreg() or item.isdir() else "the link" if is_link else "the device"
        header_bytes = item.offset_data - item.offset
        yield Member(item.name, item.isdir(), other, header_bytes, partial(file.extractfile, item))


def _move(source: Path, folder: Path, path: str, archive: Path) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise BadStateError(
            f"archive '{archive}' holds '{path}', but '{target.parent}' is a link out of '{folder}': leave the archive "
            "or the unpacked folder out"
        )
    os.replace(source, target)
