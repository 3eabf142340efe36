"""The three clients of object storage. Each wraps a module or object that moxing_adapter.py has imported.

What a client raises is told apart by its error code or the name of its class; its message is never quoted, since it may
hold a credential.
"""

import errno
import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from utils.model_utils.errors import BadStateError, MissingPathError
from utils.model_utils.storage.object_storage import Entry, ObjectUrl, StorageClient
from utils.model_utils.storage.retries import TransientError

DENIED = (
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "InvalidSecurity",
    "TokenRefreshRequired",
    "AllAccessDisabled",
    "AccountProblem",
)
NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")
BUSY = (
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "OperationAborted",
    "Throttling",
    "RequestTimeTooSkewed",
)
CREDENTIALS_HINT = (
    "set OBS_ACCESS_KEY_ID and OBS_SECRET_ACCESS_KEY, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the "
    "environment of the job"
)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{1,63}")
# Faults of a disk; every other OSError of a client is the network's.
_LOCAL_FAULTS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EROFS,
    errno.EPERM,
    errno.ENAMETOOLONG,
    errno.EIO,
    errno.EISDIR,
    errno.EMFILE,
)
_LARGE_BYTES = 64 * 1024 * 1024  # above it the OBS SDK sends a file in parts


def failure(url: ObjectUrl, code: str, status: int | None = None) -> Exception:
    """Returns the error that a code of the storage stands for.

    Args:
        url: the place.
        code: the storage's error code or the name of an exception; anything else is not quoted.
        status: HTTP status, if there is one.
    """
    code = code if _CODE.fullmatch(code) else ""
    shown = " ".join(part for part in (f"status {status}" if status else "", code) if part) or "no answer"
    if code == "NoSuchBucket":
        return MissingPathError(f"bucket '{url.bucket}' of '{url}' does not exist: correct the name or make it")
    if code in NO_CREDENTIALS:
        return BadStateError(f"'{url}' cannot be reached without credentials ({code}): {CREDENTIALS_HINT}")
    if code in DENIED or status in (401, 403):
        return BadStateError(
            f"the storage refuses '{url}' ({shown}): check the credentials in the environment and the permissions of "
            "the bucket"
        )
    if status == 404 or code == "NoSuchKey":
        return MissingPathError(f"'{url}' does not exist: correct the address")
    is_final = status is not None and 400 <= status < 500 and status not in (408, 429) and code not in BUSY
    if is_final or code in ("ParamValidationError", "InvalidBucketName"):
        return BadStateError(
            f"the storage does not accept the request for '{url}' ({shown}): check the name of the bucket and the "
            "endpoint"
        )
    return TransientError(shown)


class Boto3Client(StorageClient):
    """S3 through boto3.

    Args:
        client: a boto3 client of "s3".
    """

    name = "boto3"

    def __init__(self, client: Any) -> None:  # noqa: ANN401  (boto3 makes its classes at run time)
        self._client = client

    def size(self, url: ObjectUrl) -> int | None:
        """Returns the bytes of an object."""
        with _boto3_failures(url):
            return int(self._client.head_object(Bucket=url.bucket, Key=url.key)["ContentLength"])

    def entries(self, url: ObjectUrl) -> list[Entry]:
        """Returns all objects beneath a folder."""
        with _boto3_failures(url):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=url.bucket, Prefix=url.prefix)
            items = [item for page in pages for item in page.get("Contents", ())]
        return [
            Entry(item["Key"].removeprefix(url.prefix), int(item["Size"]), str(item.get("ETag", "")))
            for item in items
            if not item["Key"].endswith("/")
        ]

    def fetch(self, url: ObjectUrl, path: Path) -> None:
        """Copies an object into a file, large ones in parts."""
        with _boto3_failures(url):
            self._client.download_file(url.bucket, url.key, str(path))

    def send(self, path: Path, url: ObjectUrl) -> None:
        """Copies a file into an object, large ones in parts."""
        with _boto3_failures(url):
            self._client.upload_file(str(path), url.bucket, url.key)

    def remove(self, url: ObjectUrl) -> None:
        """Removes an object."""
        with _boto3_failures(url):
            self._client.delete_object(Bucket=url.bucket, Key=url.key)


@contextmanager
def _boto3_failures(url: ObjectUrl) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _raise_network_or_local(error)
    except Exception as error:  # botocore, s3transfer and urllib3 have no common base
        # An upload wraps the server's answer once more.
        answer = getattr(error, "response", None) or getattr(error.__context__, "response", None)
        if isinstance(answer, dict):
            code = str(answer.get("Error", {}).get("Code", ""))
            raise failure(url, code, answer.get("ResponseMetadata", {}).get("HTTPStatusCode")) from None
        raise failure(url, type(error).__name__) from None


class ObsSdkClient(StorageClient):
    """OBS through Huawei's esdk-obs-python.

    Args:
        client: an `obs.ObsClient`.
    """

    name = "esdk-obs-python"

    def __init__(self, client: Any) -> None:  # noqa: ANN401  (the SDK may be absent)
        self._client = client

    def size(self, url: ObjectUrl) -> int | None:
        """Returns the bytes of an object."""
        answer = self._ask(url, lambda: self._client.getObjectMetadata(url.bucket, url.key))
        return int(dict(answer.header)["content-length"])

    def entries(self, url: ObjectUrl) -> list[Entry]:
        """Returns all objects beneath a folder."""
        entries: list[Entry] = []
        marker = None
        while True:
            ask = functools.partial(self._client.listObjects, url.bucket, prefix=url.prefix, marker=marker)
            body = self._ask(url, ask).body
            entries += [
                Entry(item.key.removeprefix(url.prefix), int(item.size), str(item.etag or ""))
                for item in body.contents
                if not item.key.endswith("/")
            ]
            if not body.is_truncated or not body.contents:
                return entries
            marker = body.next_marker or body.contents[-1].key

    def fetch(self, url: ObjectUrl, path: Path) -> None:
        """Copies an object into a file."""
        self._ask(url, lambda: self._client.getObject(url.bucket, url.key, downloadPath=str(path)))

    def send(self, path: Path, url: ObjectUrl) -> None:
        """Copies a file into an object, large ones in parts."""
        is_large = path.stat().st_size > _LARGE_BYTES
        send = self._client.uploadFile if is_large else self._client.putFile
        self._ask(url, lambda: send(url.bucket, url.key, str(path)))

    def remove(self, url: ObjectUrl) -> None:
        """Removes an object."""
        self._ask(url, lambda: self._client.deleteObject(url.bucket, url.key))

    def _ask(self, url: ObjectUrl, request: Callable[[], Any]) -> Any:  # noqa: ANN401  (the SDK's own result)
        try:
            answer = request()
        except OSError as error:
            _raise_network_or_local(error)
        except Exception as error:  # the SDK raises bare exceptions of several libraries
            raise failure(url, type(error).__name__) from None
        status = getattr(answer, "status", None)
        if status is None or status >= 300:
            raise failure(url, str(getattr(answer, "errorCode", None) or ""), status) from None
        return answer


class MoxingClient(StorageClient):
    """OBS through the file API of ModelArts' moxing.

    It needs `copy`, `exists` and `list_directory`, and takes `is_directory`, `get_size` and `remove` where they are.

    Args:
        file_api: `moxing.file`.
    """

    name = "moxing"

    def __init__(self, file_api: Any) -> None:  # noqa: ANN401  (moxing is not on PyPI)
        self._file = file_api

    def size(self, url: ObjectUrl) -> int | None:
        """Returns the bytes of an object, None where this moxing cannot say."""
        if not hasattr(self._file, "get_size"):
            return None
        return self._ask(url, lambda: int(self._file.get_size(str(url))))

    def exists(self, url: ObjectUrl) -> bool:
        """Returns whether there is an object of this key; moxing's own `exists` is true for folders too."""
        if not self._ask(url, lambda: bool(self._file.exists(str(url)))):
            return False
        if hasattr(self._file, "is_directory"):
            return not self._ask(url, lambda: bool(self._file.is_directory(str(url))))
        return not self._names(url)

    def entries(self, url: ObjectUrl) -> list[Entry]:
        """Returns all objects beneath a folder; moxing lists the folders in it too."""
        names = self._names(url)
        stripped = {name.strip("/") for name in names}
        folders = {name.strip("/") for name in names if name.endswith("/")}
        folders |= {name.rpartition("/")[0] for name in stripped}
        leaves = stripped - folders - {""}
        return [Entry(name) for name in leaves if not self._is_empty_folder(url.child(name))]

    def fetch(self, url: ObjectUrl, path: Path) -> None:
        """Copies an object into a file."""
        self._ask(url, lambda: self._file.copy(str(url), str(path)))

    def send(self, path: Path, url: ObjectUrl) -> None:
        """Copies a file into an object."""
        self._ask(url, lambda: self._file.copy(str(path), str(url)))

    def remove(self, url: ObjectUrl) -> None:
        """Removes an object."""
        if hasattr(self._file, "remove"):
            self._ask(url, lambda: self._file.remove(str(url)))

    def _names(self, url: ObjectUrl) -> list[str]:
        if not self._ask(url, lambda: bool(self._file.exists(str(url)))):
            return []
        try:
            return [str(name) for name in self._ask(url, lambda: self._file.list_directory(str(url), recursive=True))]
        except MissingPathError:  # an object of this key, no folder
            return []

    def _is_empty_folder(self, url: ObjectUrl) -> bool:
        # A question for each of a hundred thousand images would take longer than the copy: only a name without a suffix
        # may be a folder that nothing lies in.
        if "." in url.key.rpartition("/")[2] or not hasattr(self._file, "is_directory"):
            return False
        return self._ask(url, lambda: bool(self._file.is_directory(str(url))))

    def _ask(self, url: ObjectUrl, request: Callable[[], Any]) -> Any:  # noqa: ANN401  (moxing's own result)
        try:
            return request()
        except (FileNotFoundError, NotADirectoryError):
            raise failure(url, "NoSuchKey") from None
        except Exception as error:  # moxing's errors have a code in their text only
            text = str(error)
            known = ("NoSuchBucket", "NoSuchKey", *DENIED, *BUSY)
            code = next((word for word in known if word in text), "")
            if not code and isinstance(error, OSError):
                _raise_network_or_local(error)
            raise failure(url, code or type(error).__name__) from None


def _raise_network_or_local(error: OSError) -> None:
    """Raises a cut connection as transient; a full disk or a missing permission as it is."""
    if error.errno in _LOCAL_FAULTS or error.filename is not None:
        raise error
    raise TransientError(type(error).__name__) from None
