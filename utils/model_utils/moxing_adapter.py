"""A job on ModelArts: data and checkpoints in, results out.

A place (`data_url`, `checkpoint_url`, `train_url`) with obs:// or s3:// is copied, any other is a path of the machine
and used where it is; today's ModelArts hands over such paths and copies by itself.

Object storage is reached through the first of these that is there: ModelArts' moxing, esdk-obs-python (where an
endpoint is set), boto3. moxing knows its endpoint and credentials from the platform. For the other two these variables
count, the first that is set:

    endpoint    OBS_ENDPOINT, S3_ENDPOINT, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL
    key         OBS_ACCESS_KEY_ID, AWS_ACCESS_KEY_ID
    secret      OBS_SECRET_ACCESS_KEY, AWS_SECRET_ACCESS_KEY
    token       OBS_SECURITY_TOKEN, AWS_SESSION_TOKEN (temporary credentials only)
    region      OBS_REGION, AWS_REGION, AWS_DEFAULT_REGION, or the one in an endpoint like obs.REGION.myhuaweicloud.com

Where none is set, boto3 looks in its own places. Nothing of a credential is ever written to a log or a message.
"""

import contextlib
import importlib.metadata
import ipaddress
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from utils.model_utils.config.schema import ModelArtsKeys
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.in_use import Hold
from utils.model_utils.local_adapter import get_rank_id, is_scheduler
from utils.model_utils.storage.clients import CREDENTIALS_HINT, Boto3Client, MoxingClient, ObsSdkClient
from utils.model_utils.storage.input_sync import InputFolder
from utils.model_utils.storage.object_storage import ObjectUrl, Storage, StorageClient, is_object_url
from utils.model_utils.storage.result_uploader import ResultUploader
from utils.model_utils.storage.retries import Retries

logger = logging.getLogger(__name__)

WAIT_SECONDS = 3 * 3600.0  # for a process of this host that copies the data: 500 GB at 50 MB/s
OTHER_MOXING = (
    "the installed package 'moxing' is not ModelArts' own, it has no file API: remove it (pip uninstall moxing); "
    "ModelArts' is called moxing-framework and comes with its images"
)
NO_CLIENT = (
    "obs:// and s3:// need ModelArts' moxing, esdk-obs-python or boto3, and none is here: pip install boto3, or give "
    "paths of this machine"
)
_CONNECT_SECONDS, _READ_SECONDS = 10, 60  # a storage that is there answers within one; then it is tried again


@dataclass(frozen=True)
class StorageSettings:
    """How object storage is reached. Credentials are not in its text form.

    Attributes:
        endpoint: address of the server with http:// or https://; "" for the client's own.
        key: access key; "" for the client's own.
        secret: secret key, likewise.
        token: token of temporary credentials.
        region: region; "" for the client's own.
    """

    endpoint: str = ""
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    region: str = ""

    @property
    def wants_path_style(self) -> bool:
        """Whether the bucket stands in the path, since the server's name takes no bucket before it."""
        host = urlsplit(self.endpoint).hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return host == "localhost"
        return True


def read_settings() -> StorageSettings:
    """Reads the variables that the head of this file names.

    Raises:
        BadValueError: the endpoint holds a user and a password, or key and secret are not both set.
    """
    endpoint = _first_set("OBS_ENDPOINT", "S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    if "@" in endpoint:
        raise BadValueError("the endpoint in the environment holds '@', wanted https://SERVER: leave credentials out")
    if endpoint and "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    key = _first_set("OBS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID")
    secret = _first_set("OBS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY")
    if bool(key) != bool(secret):
        missing = "secret" if key else "access"
        raise BadValueError(f"the {missing} key of the object storage is missing: {CREDENTIALS_HINT}")
    named = re.match(r"https?://obs\.([a-z0-9-]+)\.", endpoint)
    region = _first_set("OBS_REGION", "AWS_REGION", "AWS_DEFAULT_REGION") or (named[1] if named else "")
    return StorageSettings(endpoint, key, secret, _first_set("OBS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"), region)


def connect(retries: Retries | None = None) -> Storage:
    """Returns the object storage of this job.

    Raises:
        BadStateError: there is no client for it, or there are no credentials.
        BadValueError: the variables for it cannot be used.
    """
    client = _open_client(read_settings())
    for name in ("botocore", "boto3", "s3transfer", "urllib3", "obs"):
        # At their lower levels these log the headers of requests.
        logging.getLogger(name).setLevel(logging.WARNING)
    return Storage(client, retries)


def sync_in(
    config: ModelArtsKeys, storage: Storage | None = None, wait_seconds: float = WAIT_SECONDS
) -> contextlib.ExitStack:
    """Brings the data of a job to `data_path` and its checkpoints to `load_path`, and unpacks the data set.

    One process of the machine does the work, the others wait for it; without `enable_modelarts`, and in the scheduler
    of msrun, there is nothing to do. A `train_url` that is a path takes what is written to `output_path`.

    Args:
        config: the configuration.
        storage: the object storage; None connects where one is needed.
        wait_seconds: how long to wait for another process.

    Returns:
        What keeps other jobs from changing these folders, until it is closed or forgotten.

    Raises:
        UserError: a place is not there, is refused, or does not fit on the disk; or another job reads a folder that
            would have to be changed.
    """
    held = contextlib.ExitStack()
    if not config.enable_modelarts or is_scheduler():
        return held
    begun = time.time()
    archive = config.modelarts_dataset_unzip_name if config.need_modelarts_dataset_unzip else None
    inputs = [
        ("data_url", config.data_url, config.data_path, archive),
        ("checkpoint_url", config.checkpoint_url, config.load_path, None),
    ]
    if config.train_url and not is_object_url(config.train_url):
        _use_as_output(Path(config.train_url), Path(config.output_path))
        if not config.results_folder().resolve().is_relative_to(Path(config.output_path).resolve()):
            logger.warning(
                "results are written to run_dir '%s', not to train_url '%s': leave run_dir out",
                config.run_dir,
                config.train_url,
            )
    for key, place, target, name in inputs:
        folder = InputFolder(Path(target), key, begun, wait_seconds)
        if place and is_object_url(place):
            storage = storage or connect()
            _keep(held, folder.copy(ObjectUrl.parse(place, key), storage, name))
        elif place:
            _keep(held, folder.link(Path(place).absolute(), name))
            logger.info(
                "%s '%s' is a path of this machine: it is used where it is, and '%s' leads to it", key, place, target
            )
    return held


def _keep(held: contextlib.ExitStack, found: Hold | None) -> None:
    if found is not None:
        held.enter_context(found)


def open_uploader(config: ModelArtsKeys, folder: Path, storage: Storage | None = None) -> ResultUploader:
    """Returns what copies the folder of a run to `train_url` while it is open; to be opened by rank 0 alone.

    Without `enable_modelarts`, and where `train_url` is empty or a path, it copies nothing.

    Raises:
        UserError: as for `connect`.
    """
    if not config.enable_modelarts or not config.train_url or not is_object_url(config.train_url):
        return ResultUploader(folder, None, None)
    return ResultUploader(folder, ObjectUrl.parse(config.train_url, "train_url"), storage or connect())


@contextlib.contextmanager
def open_job(config: ModelArtsKeys, key: str = "run_dir") -> Iterator[Path]:
    """Brings the inputs of a command in and yields the folder for what it writes, whose content goes to `train_url`.

    It is sent at the end, also where the command fails. Without `enable_modelarts` there is nothing but the folder of
    `key`.
    To be opened before anything that the inputs may hold is looked for.

    Raises:
        UserError: as for `sync_in` and `open_uploader`, or the results have not arrived.
    """
    with sync_in(config):
        folder = config.results_folder(key)
        if get_rank_id() > 0:  # ModelArts starts a command once for each device
            yield folder
            return
        with open_uploader(config, folder):
            yield folder


def _use_as_output(place: Path, output: Path) -> None:
    """Makes `output_path` lead to a folder of the machine, whichever process comes first.

    Raises:
        BadStateError: output_path holds files, or cannot be made.
        MissingPathError: a file is in the way.
    """
    place, output = place.absolute(), output.absolute()
    if place.exists() and not place.is_dir():
        raise MissingPathError(f"train_url '{place}' is a file, wanted a folder: correct --train_url")
    try:
        place.mkdir(parents=True, exist_ok=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.is_dir() and not output.is_symlink() and not output.samefile(place):
            output.rmdir()
        if not output.exists():
            output.symlink_to(place, target_is_directory=True)
    except FileExistsError:
        logger.debug("another process has made '%s'", output)
    except OSError as error:
        raise BadStateError(
            f"output_path '{output}' cannot lead to train_url '{place}' ({error.strerror}): choose another, or set "
            f"--output_path='{place}'"
        ) from None
    if not output.exists() or not output.samefile(place):
        raise BadStateError(
            f"output_path '{output}' is not train_url '{place}': choose another, or set --output_path='{place}'"
        )
    logger.info("train_url '%s' is a path of this machine: results are written there", place)


def _first_set(*variables: str) -> str:
    return next((os.environ[name].strip() for name in variables if os.environ.get(name, "").strip()), "")


def _open_client(settings: StorageSettings) -> StorageClient:
    """Returns the first client that is here: the only function that imports one."""
    other_moxing = OTHER_MOXING if _has_other_moxing() else ""
    if not other_moxing:
        try:
            import moxing

            if hasattr(getattr(moxing, "file", None), "copy"):
                return MoxingClient(moxing.file)
            other_moxing = OTHER_MOXING
        except ImportError as error:
            logger.log(
                logging.DEBUG if error.name == "moxing" else logging.WARNING,
                "moxing is not used: it cannot be imported (%s)",
                type(error).__name__,
            )
    if other_moxing:
        logger.warning("%s", other_moxing)
    if settings.endpoint:
        try:
            from obs import ObsClient

            return _obs_sdk_client(ObsClient, settings)
        except ImportError:
            logger.debug("no esdk-obs-python")
    try:
        import boto3
        from botocore.config import Config as BotoConfig
    except ImportError:
        raise BadStateError(other_moxing or NO_CLIENT) from None
    return _boto3_client(boto3.session.Session, BotoConfig, settings)


def _has_other_moxing() -> bool:
    """Returns whether PyPI's moxing is installed, without importing it: it starts work of its own."""
    names = {str(each.name).lower().replace("_", "-") for each in importlib.metadata.distributions()}
    return "moxing" in names and "moxing-framework" not in names


def _obs_sdk_client(maker: type, settings: StorageSettings) -> ObsSdkClient:
    if not settings.key:
        raise BadStateError(f"the object storage cannot be reached without credentials: {CREDENTIALS_HINT}")
    return ObsSdkClient(
        maker(
            access_key_id=settings.key,
            secret_access_key=settings.secret,
            security_token=settings.token or None,
            server=settings.endpoint,
            is_secure=settings.endpoint.startswith("https"),
            path_style=settings.wants_path_style,
            max_retry_count=0,
            timeout=_READ_SECONDS,
        )
    )


def _boto3_client(make_session: type, make_config: type, settings: StorageSettings) -> Boto3Client:
    session = make_session(
        aws_access_key_id=settings.key or None,
        aws_secret_access_key=settings.secret or None,
        aws_session_token=settings.token or None,
        region_name=settings.region or None,
    )
    if session.get_credentials() is None:
        raise BadStateError(f"the object storage cannot be reached without credentials: {CREDENTIALS_HINT}")
    options = make_config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path" if settings.wants_path_style else "virtual"},
        # Checksums that only Amazon's servers know are left out.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return Boto3Client(session.client("s3", endpoint_url=settings.endpoint or None, config=options))
