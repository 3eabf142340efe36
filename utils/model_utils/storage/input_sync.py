"""Inputs of a job: object storage is copied into a folder of the machine, once for all its processes.

What has arrived is written down in the folder (`.modelarts_sync/record.json`). A process that finds it compares it with
the storage itself, so no mark of an earlier job can make it skip a copy. Each process holds the folder as long as it
works; nothing that is there is replaced or removed while another job does.
"""

import json
import logging
import os
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from utils.model_utils.errors import BadStateError, MissingPathError, UserError, os_errors_as
from utils.model_utils.files import free_space_said, write_file
from utils.model_utils.guards.json_text import JsonTextError, as_kind, parse_json
from utils.model_utils.host_lock import host_lock
from utils.model_utils.in_use import Hold, claim, hold
from utils.model_utils.storage.object_storage import Entry, ObjectUrl, Storage
from utils.model_utils.storage.unpacking import STAGING, SUFFIXES, unpack
from utils.words import counted

logger = logging.getLogger(__name__)

STATE_FOLDER = ".modelarts_sync"


class _InUseError(BadStateError):
    """Another job reads what would have to be changed; for the processes of that job nothing has failed."""


@dataclass
class SyncRecord:
    """What an earlier copy into the folder came to.

    Attributes:
        source: address or path that it came from.
        files: path of each file to its size here and its version in the storage.
        links: name of each link to what it points to.
        unpacked: name of each unpacked archive to its size, its time (ns) and what lies in the folder of it.
        finished: when the copy was complete; 0 before.
        failed: when it failed; 0 if it did not.
        failure: the sentence that it failed with.
    """

    source: str = ""
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    unpacked: dict[str, list] = field(default_factory=dict)
    finished: float = 0.0
    failed: float = 0.0
    failure: str = ""


class InputFolder:
    """A folder that stands for an address in object storage or a path.

    Args:
        folder: the folder on this machine.
        key: key of the configuration that the source is the value of, for messages.
        begun: when this process began to bring its inputs in (`time.time()`); what another one has copied or failed to
            copy since then counts for this one.
        wait_seconds: how long to wait for another process of this machine that copies.
    """

    def __init__(self, folder: Path, key: str, begun: float, wait_seconds: float) -> None:
        self._folder, self._key, self._begun, self._wait_seconds = folder, key, begun, wait_seconds
        self._state = folder / STATE_FOLDER
        self._claimed: Hold | None = None

    def copy(self, url: ObjectUrl, storage: Storage, archive: str | None = None) -> Hold | None:
        """Makes the folder hold what lies at an address, unless another process of the job has just done so.

        Args:
            url: an object, or a folder of objects.
            storage: where it is.
            archive: archive in the folder to unpack, without suffix; "" for the only one; None for none.

        Returns:
            What keeps other jobs from changing the folder, as long as it is held.

        Raises:
            UserError: the storage or the disk refuses, another job reads what would have to be changed, or the other
                process has failed; with its sentence.
        """
        self._make()
        with host_lock(self._state / "lock", f"copies '{url}'", self._wait_seconds):
            record = self._read_record()
            if record.failed > self._begun:
                raise BadStateError(f"another process of this machine failed: {record.failure}")
            record.failed, record.failure = 0.0, ""
            try:
                self._copy_changed(url, storage, record)
                self._unpack(archive, record)
            except _InUseError:
                raise
            except UserError as error:
                record.failed, record.failure = time.time(), str(error)
                raise
            finally:
                self._end_change()
                self._write_record(record)
            return hold(self._mark())

    def link(self, source: Path, archive: str | None = None) -> Hold | None:
        """Makes each item of a local folder appear in this one as a link; nothing is copied.

        Args:
            source: a folder, or a file.
            archive: as for `copy`.

        Returns:
            As `copy`; None where the folder is the source itself and nothing is done to it.

        Raises:
            MissingPathError: the source is not there.
            BadStateError: the folder has something else of the same name, another job reads what would have to be
                changed, or an archive cannot be unpacked.
        """
        if not source.exists():
            raise MissingPathError(f"{self._key} '{source}' does not exist: correct --{self._key}")
        is_same = source.resolve() == self._folder.resolve()
        items = [] if is_same else sorted(source.iterdir()) if source.is_dir() else [source]
        if is_same and not self._archives(archive):
            return None
        self._make()
        with host_lock(self._state / "lock", f"links '{source}'", self._wait_seconds):
            record = self._read_record()
            try:
                self._link_items(items, record)
                self._unpack(archive, record)
            finally:
                self._end_change()
                self._write_record(record)
            return hold(self._mark())

    def _begin_change(self) -> None:
        """Makes sure that nobody reads the folder, before the first thing in it is replaced or removed.

        Raises:
            BadStateError: somebody does.
        """
        if self._claimed is None:
            self._claimed = claim(self._mark())
        if self._claimed is None:
            raise _InUseError(
                f"'{self._folder}' is read by another job of this machine, and {self._key} would change what is "
                "there: wait until it has ended, or choose another folder with --data_path or --load_path"
            )

    def _end_change(self) -> None:
        if self._claimed is not None:
            self._claimed.close()
            self._claimed = None

    def _mark(self) -> Path:
        """Returns the file that is locked as long as somebody reads the folder."""
        path = self._state / "in_use"
        advice = ": free some space, make its folder writable, or choose another"
        with os_errors_as(BadStateError, f"'{path}' cannot be made", advice), free_space_said(self._folder):
            path.touch()
        return path

    def _copy_changed(self, url: ObjectUrl, storage: Storage, record: SyncRecord) -> None:
        base, entries = self._find(url, storage)
        self._link_items([], record)  # what is copied must not be written through a link of an earlier job
        gone = set(record.files) - {entry.path for entry in entries}
        chosen = self._choose(entries, gone, url, record)
        if chosen or gone:
            self._begin_change()
        for path in gone:
            (self._folder / path).unlink(missing_ok=True)
            del record.files[path]
        if record.source != str(url):
            record.files.clear()
        record.source, record.finished = str(url), 0.0
        if chosen:
            logger.info(
                "%s: copying %d of %d files from '%s' to '%s' through %s",
                self._key,
                len(chosen),
                len(entries),
                url,
                self._folder,
                storage.name,
            )
        incoming = self._state / "incoming"
        shutil.rmtree(incoming, ignore_errors=True)  # of a process that was killed
        incoming.mkdir()
        started = time.monotonic()
        storage.download_folder(
            base, self._folder, chosen, staging=incoming, done=lambda entry: self._note(entry, record)
        )
        record.finished = time.time()
        logger.info(
            "%s: '%s' is in '%s' (%s copied in %.1f s)",
            self._key,
            url,
            self._folder,
            counted(len(chosen), "file"),
            time.monotonic() - started,
        )

    def _choose(self, entries: list[Entry], gone: set[str], url: ObjectUrl, record: SyncRecord) -> list[Entry]:
        """Returns what is to be copied: what is not here as it is there, and what nobody can say that of."""
        is_same_source = record.source == str(url)
        changed = {entry.path for entry in entries if not (is_same_source and self._is_here(entry, record))}
        is_recent = record.finished > self._begun
        unsure = set() if is_recent else {entry.path for entry in entries if not entry.version} - changed
        if unsure and not changed and not gone and self._is_read():
            logger.info(
                "%s: '%s' is read by another process of this machine, and '%s' names no versions: it is used as it is",
                self._key,
                self._folder,
                url,
            )
            unsure = set()
        to_copy = changed | unsure
        return [entry for entry in entries if entry.path in to_copy]

    def _is_read(self) -> bool:
        """Returns whether somebody reads the folder."""
        claimed = claim(self._mark())
        if claimed is not None:
            claimed.close()
        return claimed is None

    def _find(self, url: ObjectUrl, storage: Storage) -> tuple[ObjectUrl, list[Entry]]:
        """Returns the folder in the storage and what of it is meant."""
        if not url.is_marked_folder and storage.exists(url):
            parent, _, name = url.key.rpartition("/")
            return ObjectUrl(url.scheme, url.bucket, parent), [
                entry for entry in storage.entries(ObjectUrl(url.scheme, url.bucket, parent)) if entry.path == name
            ]
        entries = [entry for entry in storage.entries(url) if not entry.path.startswith(f"{STATE_FOLDER}/")]
        if not entries:
            raise MissingPathError(f"{self._key} '{url}' holds nothing: correct --{self._key}, or upload it first")
        return url, entries

    def _is_here(self, entry: Entry, record: SyncRecord) -> bool:
        size, version = record.files.get(entry.path, (-1, ""))
        path = self._folder / entry.path
        return (
            version == entry.version and entry.size in (None, size) and path.is_file() and path.stat().st_size == size
        )

    def _note(self, entry: Entry, record: SyncRecord) -> None:
        record.files[entry.path] = ((self._folder / entry.path).stat().st_size, entry.version)

    def _link_items(self, items: list[Path], record: SyncRecord) -> None:
        wanted = {item.name: str(item.resolve()) for item in items if item.name != STATE_FOLDER}
        for name, target in record.links.items():
            place = self._folder / name
            if wanted.get(name) != target and place.is_symlink():
                self._begin_change()
                place.unlink()
        record.links = {}
        for name, target in wanted.items():
            place = self._folder / name
            is_there = place.is_symlink() and os.readlink(place) == target
            if not is_there and os.path.lexists(place):
                raise BadStateError(
                    f"'{place}' is in the way of {self._key} '{target}': move it away, or "
                    "choose another folder with --data_path or --load_path"
                )
            if not is_there:
                place.symlink_to(target)
            record.links[name] = target

    def _archives(self, name: str | None) -> list[Path]:
        """Returns the archive of a name, or all of them for the name ""."""
        if name is None or not self._folder.is_dir():
            return []
        if name:
            candidates = [self._folder / f"{name}{suffix}" for suffix in ("", *SUFFIXES)]
            found = [path for path in candidates if path.is_file() and path.name.lower().endswith(SUFFIXES)]
            return found[:1]
        return sorted(
            path for path in self._folder.iterdir() if path.is_file() and path.name.lower().endswith(SUFFIXES)
        )

    def _unpack(self, name: str | None, record: SyncRecord) -> None:
        archives = self._archives(name)
        if len(archives) > 1:
            logger.warning(
                "'%s' holds %d archives and none is unpacked: name one with --modelarts_dataset_unzip_name",
                self._folder,
                len(archives),
            )
            return
        if name and not archives:
            logger.info("'%s' holds no archive '%s' to unpack: the data is used as it is", self._folder, name)
        for archive in archives:
            state = [archive.stat().st_size, archive.stat().st_mtime_ns]
            *known, items = record.unpacked.get(archive.name, [[]])
            if known == state and all((self._folder / item).exists() for item in items):
                continue
            for left in self._folder.glob(f"{STAGING}*"):  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            self._begin_change()
            logger.info("unpacking '%s'", archive)
            paths = unpack(archive, self._folder)
            record.unpacked[archive.name] = [*state, sorted({path.partition("/")[0] for path in paths})]
            logger.info("unpacked %s into '%s'", counted(len(paths), "file"), self._folder)

    def _make(self) -> None:
        what = f"folder '{self._folder}' for {self._key} cannot be made or written"
        advice = ": free some space, or choose another with --data_path or --load_path"
        with os_errors_as(BadStateError, what, advice), free_space_said(self._folder):
            self._state.mkdir(parents=True, exist_ok=True)

    def _read_record(self) -> SyncRecord:
        try:
            record = as_kind(parse_json((self._state / "record.json").read_bytes()), SyncRecord)
        except (OSError, JsonTextError):
            return SyncRecord()
        if any(Path(path).is_absolute() or ".." in Path(path).parts for path in (*record.files, *record.links)):
            return SyncRecord()  # not ours: what it lists is removed where the storage has it no more
        return record

    def _write_record(self, record: SyncRecord) -> None:
        try:
            write_file(self._state / "record.json", json.dumps(asdict(record)).encode(), "the next job copies again")
        except BadStateError as error:  # without it the next process copies again, which is slow and right
            logger.warning("%s", error)
