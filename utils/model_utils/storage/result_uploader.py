"""Results of a job go to object storage while it trains: at every checkpoint, and at its end however it ends."""

import contextlib
import json
import logging
import os
import shutil
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from utils.model_utils.errors import BadStateError, UserError
from utils.model_utils.storage.object_storage import ObjectUrl, Storage

logger = logging.getLogger(__name__)

MARKER = "latest_checkpoint.json"
CHECKPOINT_SUFFIX = ".ckpt"
FINISH_SECONDS = 1800.0  # for the last checkpoints, some GB, over a slow line; a platform ends the job soon after
_STAGING = ".upload-"
_LINK_BYTES = 16 * 1024 * 1024  # checkpoints are above it, logs and pictures below


class ResultUploader:
    """Copies the folder of a run to object storage, beside the training, in a thread of its own.

    At most one copy is under way and one is waiting: checkpoints that come faster than the storage takes them are
    skipped, not queued. The file `latest_checkpoint.json` names the newest checkpoint and is written only when that
    checkpoint has arrived whole, so whoever reads it never gets a half one. A copy that fails is said in the log and
    tried again with the next one; what has not arrived at the end makes the job fail.

    Args:
        folder: the folder of the run; files whose name begins with a dot stay here.
        url: folder in object storage; None for no upload at all.
        storage: where that is; may be None where `url` is.
        finish_seconds: how long the last copy may take.
    """

    def __init__(
        self, folder: Path, url: ObjectUrl | None, storage: Storage | None, *, finish_seconds: float = FINISH_SECONDS
    ) -> None:
        self._folder, self._url, self._storage, self._finish_seconds = folder, url, storage, finish_seconds
        self._sent: dict[str, tuple[int, int]] = {}
        self._latest = ""
        self._marked: tuple[str, int] = ("", 0)
        self._problem = ""
        self._outside = ""
        self._wanted = threading.Event()
        self._is_ending = False
        self._thread = threading.Thread(target=self._work, name="upload of results", daemon=True)

    def __enter__(self) -> "ResultUploader":
        """Copies what is there already, so that a bucket that cannot be written ends the job before it trains.

        Raises:
            UserError: it cannot.
        """
        if self._url is not None:
            for left in self._folder.glob(f"{_STAGING}*"):  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            self._pass()
            if self._problem:
                raise BadStateError(self._problem)
            if not self._sent:
                self._find_bucket()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Copies the rest.

        Raises:
            BadStateError: something has not arrived; where the training itself has failed, it is only said.
        """
        if self._url is None:
            return
        self._is_ending = True
        self._wanted.set()
        self._thread.join(self._finish_seconds)
        problem = self._problem or self._outside
        if self._thread.is_alive():
            problem = f"the last copy took more than {self._finish_seconds:g} seconds"
        if not problem:
            logger.info("all results are in '%s'", self._url)
            return
        sentence = f"not all results have reached train_url '{self._url}' ({problem}); they are in '{self._folder}'"
        if kind is None:
            raise BadStateError(sentence)
        logger.error("%s", sentence)

    def checkpoint_saved(self, path: Path) -> None:
        """Says that a checkpoint is complete and the newest one; returns at once.

        Args:
            path: the file. One out of the folder of the run is not copied, which makes the job fail at its end.
        """
        if self._url is None:
            return
        path, folder = path.resolve(), self._folder.resolve()
        if path.is_relative_to(folder):
            self._latest = path.relative_to(folder).as_posix()
        elif not self._outside:
            self._outside = f"checkpoint '{path}' lies out of '{folder}', so it is not copied"
            logger.warning("%s: set --save_checkpoint_path to a folder in it", self._outside)
        self._wanted.set()

    @property
    def _target(self) -> tuple[Storage, ObjectUrl]:
        assert self._storage is not None and self._url is not None, "without a url nothing is copied"
        return self._storage, self._url

    def _find_bucket(self) -> None:
        """Finds out about a bucket that is not there where no file has been copied yet.

        Raises:
            MissingPathError: it is not there.
        """
        with contextlib.suppress(BadStateError):  # a bucket may take files and not let them be listed
            self._target[0].entries(self._target[1])

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            is_last = self._is_ending  # before the pass: what is written until then is in it
            try:
                self._pass()
            except Exception as error:  # a thread that dies would lose the rest in silence
                logger.exception("copying results failed")
                self._problem = type(error).__name__
            if is_last:
                return

    def _pass(self) -> None:
        """Copies what has changed, then the marker, then removes checkpoints that the run has removed."""
        self._problem = ""
        latest = self._latest  # a newer one may come during the pass
        try:
            for path in self._changed_files():
                self._send(path)
            if latest in self._sent and (latest, self._sent[latest][0]) != self._marked:
                self._send_marker(latest)
            self._remove_gone()
        except (UserError, OSError) as error:  # of the system: a full disk takes no copy of a file that still grows
            self._problem = str(error)
            logger.warning("results have not been copied, the next copy will try again: %s", error)

    def _changed_files(self) -> list[str]:
        """Returns the paths of files that the storage does not have as they are, checkpoints last."""
        changed = []
        for folder, folders, names in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(folder) / name
                relative = path.relative_to(self._folder).as_posix()
                state = _state(path)
                if not name.startswith(".") and relative != MARKER and state and self._sent.get(relative) != state:
                    changed.append(relative)
        return sorted(changed, key=lambda path: path.endswith(CHECKPOINT_SUFFIX))

    def _send(self, relative: str) -> None:
        path = self._folder / relative
        state = _state(path)
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self._folder) as staging:
            copy = Path(staging) / path.name
            try:
                _snapshot(path, copy)
            except FileNotFoundError:
                return  # the run keeps only its last checkpoints
            except OSError as error:  # of this file alone: the others go on
                self._problem = f"'{path}' cannot be read ({error.strerror})"
                logger.warning("%s: it has not been copied", self._problem)
                return
            storage, url = self._target
            storage.upload_file(copy, url.child(relative))
        self._sent[relative] = state or (0, 0)

    def _send_marker(self, latest: str) -> None:
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self._folder) as staging:
            marker = Path(staging) / MARKER
            marker.write_text(
                json.dumps({"checkpoint": latest, "bytes": self._sent[latest][0]}) + "\n", encoding="utf-8"
            )
            storage, url = self._target
            storage.upload_file(marker, url.child(MARKER))
        self._marked = (latest, self._sent[latest][0])
        logger.info("'%s' is in '%s'", latest, self._url)

    def _remove_gone(self) -> None:
        """Removes from the storage what this run has put there and the folder no longer keeps."""
        gone = [
            path
            for path in self._sent
            if path.endswith(CHECKPOINT_SUFFIX) and path != self._marked[0] and not (self._folder / path).exists()
        ]
        storage, url = self._target
        for path in gone:
            try:
                storage.remove(url.child(path))
            except UserError as error:  # a bucket may take files and not let them be removed
                logger.warning("'%s' stays in '%s': %s", path, self._url, error)
            del self._sent[path]


def _state(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_size, info.st_mtime_ns


def _snapshot(path: Path, copy: Path) -> None:
    """Holds a file as it is now: a small one, logs among them, by a copy, a large one, which was renamed, by a link."""
    if path.stat().st_size > _LINK_BYTES:
        try:
            os.link(path, copy)
            return
        except FileNotFoundError:
            raise
        except OSError:
            logger.debug("'%s' cannot be linked, it is copied", path)
    shutil.copyfile(path, copy)
