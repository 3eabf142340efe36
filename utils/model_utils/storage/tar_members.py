"""Reads the members of a tar file whose headers others made: none is read into memory, or acted on, unlooked at."""

import gzip
import re
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Self, cast

from utils.model_utils.errors import BadValueError, short

RECORD_HEADERS = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE)  # rows of "length key=value"
NAME_HEADERS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
# A name has at most 255 bytes. Pythons before 3.11.10 search a header in a time that grows with the square of a run.
MOST_DIGITS = 255
_RECORD = re.compile(rb"(\d{1,9}) ([^=\n]+)=")
_DIGITS = re.compile(rb"\d{%d}" % (MOST_DIGITS + 1))


def tar_members(archive: Path, most_header_bytes: int) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yields the members of a .tar, .tar.gz or .tgz file, each with the open file that its content is read from.

    Args:
        archive: the file.
        most_header_bytes: most bytes of a header that goes before a file's own, a long name, times or rights, and of
            those together that count for all files after them.

    Raises:
        BadValueError: a header is larger or damaged, or a file is stored with holes.
        tarfile.TarError: the file is damaged otherwise, or no archive.
    """
    is_compressed = archive.name.lower().endswith(("gz", "tgz"))
    with gzip.open(archive, "rb") if is_compressed else archive.open("rb") as content:
        stream = _TarStream(cast(IO[bytes], content), archive, most_header_bytes)
        with closing(tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:", tarinfo=_member_class(stream))) as file:
            while (info := file.next()) is not None:
                file.members.clear()  # type: ignore[attr-defined]  # undocumented, and there; tarfile keeps a kilobyte of each, without end
                yield file, info


class _TarStream:
    """The bytes of a tar file; the records of a header are looked at before tarfile sees them.

    Args:
        content: the file, unpacked.
        archive: its path, for messages.
        most_header_bytes: as for `tar_members`.
    """

    def __init__(self, content: IO[bytes], archive: Path, most_header_bytes: int) -> None:
        self._content, self._archive, self._most = content, archive, most_header_bytes
        self._record_bytes = 0  # of the header whose records are read next
        self._global_bytes = 0

    def read(self, size: int = -1) -> bytes:
        """Reads as a file does."""
        content = self._content.read(size)
        if self._record_bytes:
            self._check_records(content[: self._record_bytes])
            self._record_bytes = 0
        return content

    def seek(self, position: int) -> int:
        """Goes to a position as a file does."""
        return self._content.seek(position)

    def tell(self) -> int:
        """Returns the position as a file does."""
        return self._content.tell()

    def look_at(self, info: tarfile.TarInfo) -> None:
        """Refuses a header of 512 bytes that tarfile is not to act on."""
        is_extra = info.type in (*RECORD_HEADERS, *NAME_HEADERS)
        self._global_bytes += info.size if info.type == tarfile.XGLTYPE else 0
        if info.size < 0:
            raise self._error(f"has a file of {info.size} bytes")
        if max(info.size if is_extra else 0, self._global_bytes) > self._most:
            raise self._error(
                f"has a header of {max(info.size, self._global_bytes)} bytes, at most {self._most} are read"
            )
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise self._error(f"holds {short(info.name)} with holes")
        self._record_bytes = info.size if info.type in RECORD_HEADERS else 0

    def _check_records(self, records: bytes) -> None:
        if _DIGITS.search(records):
            raise self._error(f"has a number of more than {MOST_DIGITS} digits in a header")
        position = 0
        while position < len(records):
            record = _RECORD.match(records, position)
            end = position + int(record.group(1)) if record else 0
            if record is None or not record.end() < end <= len(records) or records[end - 1 : end] != b"\n":
                raise self._error("has a damaged header")
            if record.group(2).startswith(b"GNU.sparse."):
                raise self._error("holds a file with holes")
            if record.group(2) == b"size" and not records[record.end() : end - 1].isdigit():
                raise self._error("has a file size that is no number")
            position = end

    def _error(self, fault: str) -> BadValueError:
        return BadValueError(
            f"archive '{self._archive}' {fault}: pack it again, as .zip, or with tar and none of its special options"
        )


def _member_class(stream: _TarStream) -> type[tarfile.TarInfo]:
    class Member(tarfile.TarInfo):
        """A member whose header is looked at before tarfile acts on it."""

        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            """Reads the 512 bytes of a header."""
            info = super().frombuf(buf, encoding, errors)
            stream.look_at(info)
            return info

    return Member
