"""Downloads a file over HTTP: goes on where it was cut off, and is seen whole and checked or not at all.

What has arrived lies in `NAME.part`, beside it in `NAME.part.version` what the server called that version of the file
(its ETag), so that two versions are never glued together.
"""

import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from utils.model_utils.command import Terminated
from utils.model_utils.errors import BadStateError, BadValueError, os_errors_as
from utils.models.checks import file_fault, shown_size, size_fits
from utils.models.progress import Progress
from utils.models.table import PublishedFile

TIMEOUT_SECONDS = 30.0  # without one byte: a server in trouble, not a slow line
MOST_CUTS = 5  # in a row without a new byte; a line that is cut but moves is followed to the end
PAUSE_SECONDS = 1.0  # before the next try, doubled each time
CHUNK_BYTES = 1 << 18
PARTIAL, RANGE_NOT_SATISFIABLE = 206, 416
GONE = (404, 410)
AGENT = "mindspore-vision-model-zoo"
DISK_ADVICE = ": free some space, or choose another --folder; what has arrived is kept"


class _CutOffError(Exception):
    """The connection ended before the file did; the next try goes on from there."""


@dataclass(frozen=True)
class _Place:
    """Where a download is kept until it is whole."""

    path: Path

    @property
    def part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def version(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part.version")

    def size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def remove(self) -> None:
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)


def download(address: str, path: Path, wanted: PublishedFile, other_ways: str) -> None:
    """Downloads a file to `path`, in a folder that exists, and checks it.

    Args:
        address: http or https.
        path: not there yet; it appears when the file is whole and is what its index says.
        wanted: what the index says of it.
        other_ways: what a user can do where the address does not answer, the end of a sentence.

    Raises:
        BadStateError: there is no connection, the server refuses, the line is cut again and again, or the disk is full.
        BadValueError: the server has another file than the index describes.
    """
    place = _Place(path)
    try:
        with os_errors_as(BadStateError, f"'{place.part}' cannot be written", DISK_ADVICE):
            _fetch(address, place, wanted, other_ways)
    except (KeyboardInterrupt, Terminated):
        print(f"stopped at {place.size():,} bytes of '{path.name}': the same command goes on from there", flush=True)
        raise
    if fault := file_fault(place.part, wanted):
        place.remove()
        raise BadValueError(
            f"{address} {fault}: its publisher has put another file there, or something on the way did; it was "
            f"removed, {other_ways}"
        )
    os.replace(place.part, path)
    place.remove()


def _fetch(address: str, place: _Place, wanted: PublishedFile, other_ways: str) -> None:
    """Follows a file to its end, however often the connection is cut."""
    cuts = 0
    with Progress(place.path.name) as progress:
        while True:
            before = place.size()
            try:
                return _fetch_rest(address, place, wanted, progress, other_ways)
            except _CutOffError as cut:
                cuts = 1 if place.size() > before else cuts + 1
                if cuts == MOST_CUTS:
                    raise BadStateError(
                        f"the connection to {_host(address)} was cut {MOST_CUTS} times at {place.size():,} bytes of "
                        f"'{place.path.name}' ({cut}): give the same command again later, it goes on from there; or "
                        f"{other_ways}"
                    ) from cut
                time.sleep(PAUSE_SECONDS * 2 ** (cuts - 1))


def _fetch_rest(address: str, place: _Place, wanted: PublishedFile, progress: Progress, other_ways: str) -> None:
    """Appends to the part what is missing, or begins anew where the server has another version or knows no ranges."""
    start = place.size() if place.version.exists() else 0
    with closing(_open(address, place, start, other_ways)) as response:
        if response.status == RANGE_NOT_SATISFIABLE:  # nothing is missing, or the file has become shorter
            return
        if response.status != PARTIAL:
            start = 0
        total = _total(response, start)
        _refuse_other_size(address, total, wanted, other_ways)
        _refuse_full_disk(place, total, start)
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        if version and not version.startswith("W/"):  # a weak one says alike, not equal
            place.version.write_text(version, encoding="utf-8")
        else:
            place.version.unlink(missing_ok=True)
        with place.part.open("ab" if start else "wb") as file:
            for chunk in _chunks(response):
                file.write(chunk)
                progress.show(file.tell(), total)
    if total is not None and place.size() < total:
        raise _CutOffError(f"{total:,} bytes were announced")


def _open(
    address: str, place: _Place, start: int, other_ways: str
) -> http.client.HTTPResponse | urllib.error.HTTPError:
    """Sends the request.

    Raises:
        _CutOffError: the connection ended before there was an answer, of a file of which a part has arrived.
        BadStateError: nobody answers, or the answer is an error.
    """
    request = urllib.request.Request(address, headers={"User-Agent": AGENT, "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", place.version.read_text(encoding="utf-8"))
    host = _host(address)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == RANGE_NOT_SATISFIABLE and start:
            return error
        error.close()
        if error.code in GONE:
            raise BadStateError(
                f"{host} has no such file any more ({error.code}): {address}; its publisher has moved it: {other_ways}"
            ) from error
        raise BadStateError(
            f"{host} answers {error.code} ({error.reason}) for {address}: try again later, or {other_ways}"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        if start:
            raise _CutOffError(str(reason)) from error
        raise BadStateError(
            f"no connection to {host} ({reason}): check the network (a proxy is taken from https_proxy), or "
            f"{other_ways}"
        ) from error
    if address.startswith("https:") and not response.geturl().startswith("https:"):
        response.close()
        raise BadStateError(
            f"{host} leads to {_host(response.geturl())} without https, which is not followed: {other_ways}"
        )
    return response


def _total(response: http.client.HTTPResponse | urllib.error.HTTPError, start: int) -> int | None:
    """Returns the bytes of the whole file, None where the server does not say."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _refuse_other_size(address: str, total: int | None, wanted: PublishedFile, other_ways: str) -> None:
    """Says at once that a server has another file, instead of after hours."""
    if total is not None and not size_fits(total, wanted.size):
        raise BadValueError(
            f"{address} has {total:,} bytes, wanted {shown_size(wanted.size)}: its publisher has put another file "
            f"there; {other_ways}"
        )


def _refuse_full_disk(place: _Place, total: int | None, start: int) -> None:
    free = shutil.disk_usage(place.path.parent).free
    if total is not None and total - start > free:
        raise BadStateError(
            f"'{place.path}' needs {total - start:,} bytes and its disk has {free:,}: free some space, or choose "
            "another --folder"
        )


def _chunks(response: http.client.HTTPResponse | urllib.error.HTTPError) -> Iterator[bytes]:
    """Yields what arrives.

    Raises:
        _CutOffError: the connection ended early, or nothing came for `TIMEOUT_SECONDS`.
    """
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)
        except (http.client.HTTPException, OSError) as error:
            raise _CutOffError(str(error) or type(error).__name__) from error
        if not chunk:
            return
        yield chunk


def _host(address: str) -> str:
    return address.split("/")[2]
