"""Object storage behind one small interface: what is there, files and folders in, files and folders out.

`Storage` does what every client needs (retries, temporary names, comparison of sizes); a `StorageClient` is what
differs between moxing, the OBS SDK and boto3 (clients.py). Sentences and log lines quote addresses and error
codes, never a client's own message, so that no credential can stand in them.
"""

import logging
import os
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, UserError
from utils.model_utils.storage.retries import Retries, TransientError

logger = logging.getLogger(__name__)

SCHEMES = ("obs", "s3")
THREADS = 8  # small files wait for the server most of the time; more would be slowed down by it
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


def is_object_url(text: str) -> bool:
    """Returns whether a place is one of object storage; any other is a path of this machine."""
    return text.partition("://")[0].lower() in SCHEMES and "://" in text


@dataclass(frozen=True)
class ObjectUrl:
    """A place in object storage.

    Attributes:
        scheme: "obs" or "s3".
        bucket: name of the bucket.
        key: key of an object, or the common beginning of a folder's keys, without slash at either end; "" for the
            bucket.
        is_marked_folder: whether it was written with a slash at its end.
    """

    scheme: str
    bucket: str
    key: str = ""
    is_marked_folder: bool = field(default=False, compare=False)

    @classmethod
    def parse(cls, text: str, name: str = "url") -> "ObjectUrl":
        """Reads `obs://bucket/key` or `s3://bucket/key`.

        Args:
            text: the address.
            name: key of the configuration, for the message.

        Raises:
            BadValueError: it is no such address, or what stands for the bucket cannot be one.
        """
        scheme, mark, rest = text.strip().partition("://")
        bucket, _, key = rest.partition("/")
        if not mark or scheme.lower() not in SCHEMES or not _BUCKET.fullmatch(bucket):
            # Not quoted: it may hold a user and a password.
            raise BadValueError(
                f"{name} is no address of a bucket, wanted obs://BUCKET/PLACE or s3://BUCKET/PLACE: correct it, and "
                "leave credentials out, they are read from the environment"
            )
        return cls(scheme.lower(), bucket, key.strip("/"), not key or key.endswith("/"))

    @property
    def prefix(self) -> str:
        """The beginning of the keys of a folder."""
        return f"{self.key}/" if self.key else ""

    def child(self, path: str) -> "ObjectUrl":
        """Returns the address of a path (POSIX) beneath this one."""
        return ObjectUrl(self.scheme, self.bucket, self.prefix + path)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Entry:
    """An object beneath a folder.

    Attributes:
        path: its path (POSIX) beneath the folder.
        size: bytes; None where the client does not know before the copy.
        version: text that changes whenever the content does; "" where the client has none.
    """

    path: str
    size: int | None = None
    version: str = ""


class StorageClient(Protocol):
    """What `Storage` asks of moxing, the OBS SDK or boto3. One attempt each.

    Every method raises `TransientError` for what another attempt may mend, `MissingPathError` for a bucket or object
    that is not there, and `BadStateError` for what the storage refuses; an `OSError` is a fault of this machine.
    """

    name: str

    def size(self, url: ObjectUrl) -> int | None:
        """Returns the bytes of an object, None where the client cannot say."""

    def exists(self, url: ObjectUrl) -> bool:
        """Returns whether there is an object of exactly this key."""
        if not url.key:
            return False
        try:
            self.size(url)
        except MissingPathError:
            return False
        return True

    def entries(self, url: ObjectUrl) -> list[Entry]:
        """Returns all objects beneath a folder, at any depth."""

    def fetch(self, url: ObjectUrl, path: Path) -> None:
        """Copies an object into a file."""

    def send(self, path: Path, url: ObjectUrl) -> None:
        """Copies a file into an object."""

    def remove(self, url: ObjectUrl) -> None:
        """Removes an object."""


class Storage:
    """Files and folders in object storage, with retries.

    Args:
        client: the client.
        retries: how often, and how long apart.
        threads: copies at a time within a folder.
    """

    def __init__(self, client: StorageClient, retries: Retries | None = None, threads: int = THREADS) -> None:
        self._client, self._retries, self._threads = client, retries or Retries(), threads

    @property
    def name(self) -> str:
        """The client's name."""
        return self._client.name

    def exists(self, url: ObjectUrl) -> bool:
        """Returns whether there is an object of exactly this key."""
        return self._retries.run(lambda: self._client.exists(url), f"looking for '{url}'")

    def entries(self, url: ObjectUrl) -> list[Entry]:
        """Returns all objects beneath a folder, by their paths.

        Raises:
            BadValueError: a key is no path that stays beneath the folder.
            UserError: as for `download_file`.
        """
        entries = self._retries.run(lambda: self._client.entries(url), f"listing '{url}'")
        for entry in entries:
            path = PurePosixPath(entry.path)
            if path.is_absolute() or ".." in path.parts or str(path) != entry.path or "\0" in entry.path:
                raise BadValueError(
                    f"'{url}' holds a key '{entry.path}' that is no path of a file beneath it: rename this object"
                )
        return sorted(entries, key=lambda entry: entry.path)

    def download_file(
        self, url: ObjectUrl, path: Path, *, size: int | None = None, staging: Path | None = None
    ) -> None:
        """Copies an object to a temporary name, compares the sizes, and renames.

        Args:
            url: the object.
            path: the file; its folder is made.
            size: bytes that are expected; None asks the storage.
            staging: folder of the same file system for the temporary file; None takes the file's own.

        Raises:
            MissingPathError: the bucket or the object does not exist.
            BadStateError: it is refused, still fails after all attempts, or cannot be written here.
        """
        temporary = (staging or path.parent) / f".{path.name[-100:]}.part-{os.getpid()}-{threading.get_ident()}"

        def attempt() -> None:
            self._client.fetch(url, temporary)
            expected = self._client.size(url) if size is None else size
            _compare(temporary.stat().st_size, expected, url)

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._retries.run(attempt, f"copying '{url}'")
            os.replace(temporary, path)
        except UserError:
            raise
        except OSError as error:
            raise BadStateError(
                f"'{path}' cannot be written ({error.strerror or type(error).__name__}): free some space, or choose "
                "another folder"
            ) from None
        finally:
            temporary.unlink(missing_ok=True)

    def download_folder(
        self,
        url: ObjectUrl,
        folder: Path,
        entries: Iterable[Entry] | None = None,
        *,
        staging: Path | None = None,
        done: Callable[[Entry], None] = lambda _entry: None,
    ) -> None:
        """Copies objects beneath `url` into a folder, several at a time; the first failure ends it.

        Args:
            url: the folder in the storage.
            folder: the folder here.
            entries: the objects; None for all.
            staging: as for `download_file`.
            done: called in this thread when a file is there.

        Raises:
            UserError: as for `download_file`.
        """
        chosen = self.entries(url) if entries is None else list(entries)

        def copy(entry: Entry) -> Entry:
            path = folder / entry.path
            self.download_file(url.child(entry.path), path, size=entry.size, staging=staging)
            return entry

        if len(chosen) == 1:  # in this thread, where Ctrl-C and SIGTERM end the copy of a large archive at once
            done(copy(chosen[0]))
            return
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="download")
        try:
            for entry in pool.map(copy, chosen):
                done(entry)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def upload_file(self, path: Path, url: ObjectUrl) -> None:
        """Copies a file into an object, which appears whole or not at all, and compares the sizes.

        Raises:
            FileNotFoundError: the file is not there.
            UserError: as for `download_file`.
        """

        def attempt() -> None:
            size = path.stat().st_size
            self._client.send(path, url)
            _compare(size, self._client.size(url), url)

        self._retries.run(attempt, f"copying '{path.name}' to '{url}'")

    def remove(self, url: ObjectUrl) -> None:
        """Removes an object; one that is gone already is no fault."""
        try:
            self._retries.run(lambda: self._client.remove(url), f"removing '{url}'")
        except MissingPathError:
            logger.debug("'%s' was gone already", url)


def _compare(here: int, there: int | None, url: ObjectUrl) -> None:
    if there is not None and here != there:
        raise TransientError(f"{here} bytes here, {there} bytes there")
