"""Unpacks zip and tar files that others made: nothing leaves the folder, nothing grows without limit."""

import gzip
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
STAGING = ".unpacking-"
_CHUNK_BYTES = 1024 * 1024  # in memory at a time, whatever the size of a member
# RuntimeError: zipfile's for a password; NotImplementedError: its for a compression that it does not know.
_DAMAGES = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class Limits:
    """What an archive may become.

    Attributes:
        files: most files.
        ratio: most bytes that a byte of the archive may become, images and annotations stay below 30.
        least_bytes: bytes that every archive may become, whatever the ratio.
        spare_bytes: room that is left on the disk.
    """

    files: int = 5_000_000
    ratio: int = 200
    least_bytes: int = 64 * 1024 * 1024
    spare_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True)
class Member:
    """An item of an archive: its path as written there, what it is, and how to open a file's content."""

    name: str
    is_folder: bool
    other_kind: str
    content: Callable[[], BinaryIO]


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
    except BadStateError:
        raise
    except _DAMAGES as error:
        reason = "it is encrypted" if "encrypted" in str(error) else type(error).__name__
        raise BadValueError(
            f"archive '{archive}' cannot be unpacked ({reason}): pack it again, as .zip without password or as .tar, "
            "and copy it whole"
        ) from None
    except OSError as error:
        if isinstance(error, MissingPathError):
            raise
        raise BadStateError(
            f"archive '{archive}' cannot be unpacked into '{folder}' ({error.strerror or error}): free some space, or "
            "choose another folder"
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
        with closing(_members(self._archive)) as members:
            for member in members:
                path = self._checked_path(member)
                if path and not member.is_folder:
                    paths[path] = None
                    if len(paths) > self._limits.files:
                        raise BadValueError(
                            f"archive '{self._archive}' holds more than {self._limits.files} files: split it"
                        )
                    self._write(member.content(), self._staging / path)
        return list(paths)

    def _checked_path(self, member: Member) -> str:
        """Returns the path beneath the folder, "" for the folder itself."""
        name = member.name
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or name[1:2] == ":":
            raise BadValueError(
                f"archive '{self._archive}' holds '{name}', no path beneath its folder: pack it with relative paths"
            )
        if member.other_kind:
            raise BadValueError(
                f"archive '{self._archive}' holds {member.other_kind} '{name}', wanted files and folders: pack the "
                "files themselves (tar --dereference --hard-dereference, zip without -y)"
            )
        return "" if str(path) == "." else str(path)

    def _write(self, source: BinaryIO, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with source, path.open("wb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                self._bytes_left -= len(chunk)
                if self._bytes_left < 0:
                    self._refuse_size()
                target.write(chunk)

    def _refuse_size(self) -> None:
        if self._is_disk_the_limit:
            raise BadStateError(
                f"archive '{self._archive}' needs more room than the disk of '{self._staging.parent}' has: free some "
                "space, or choose another folder"
            )
        raise BadValueError(
            f"archive '{self._archive}' grows to more than {self._limits.ratio} times its size, which no data set "
            "does: see what it holds, and unpack it by hand if it is good"
        )


def _members(archive: Path) -> Iterator[Member]:
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                other = {0: "", stat.S_IFREG: "", stat.S_IFDIR: "", stat.S_IFLNK: "the link"}.get(kind, "the device")
                yield Member(info.filename, info.is_dir(), other, lambda info=info: file.open(info))
        return
    is_compressed = archive.name.lower().endswith(("gz", "tgz"))
    with tarfile.open(archive, "r:gz" if is_compressed else "r:") as file:
        for info in file:
            is_link = info.issym() or info.islnk()
            other = "" if info.isreg() or info.isdir() else "the link" if is_link else "the device"
            yield Member(info.name, info.isdir(), other, lambda info=info: file.extractfile(info))


def _move(source: Path, folder: Path, path: str, archive: Path) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise BadStateError(
            f"archive '{archive}' holds '{path}', but '{target.parent}' is a link out of '{folder}': leave the archive "
            "or the unpacked folder out"
        )
    os.replace(source, target)
