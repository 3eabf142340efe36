import errno
import os
import sys
from pathlib import Path

import pytest

from utils.model_utils import moxing_adapter
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.storage.clients import failure
from utils.model_utils.storage.object_storage import Entry, ObjectUrl, Storage, is_object_url
from utils.model_utils.storage.retries import Retries, TransientError
from utils.model_utils.tests.object_server import ACCESS_KEY, SECRET_KEY, Faults, misbehaving

STAND_IN = Path(__file__).parent / "stand_in_moxing"
CLIENTS = ("boto3", "moxing", "esdk-obs-python")


def quick_retries(pauses=None, attempts=6):
    return Retries(attempts, sleep=(pauses if pauses is not None else []).append)


@pytest.fixture(params=CLIENTS)
def place(request, monkeypatch, tmp_path):
    """An empty bucket and its storage, through each client that is here."""
    bucket = request.getfixturevalue("bucket")
    if request.param == "moxing":
        (tmp_path / "buckets" / "bk").mkdir(parents=True)
        monkeypatch.setenv("STAND_IN_MOXING_BUCKETS", str(tmp_path / "buckets"))
        monkeypatch.syspath_prepend(str(STAND_IN))
        monkeypatch.delitem(sys.modules, "moxing", raising=False)
        yield ObjectUrl.parse("obs://bk/work/"), moxing_adapter.connect(quick_retries())
        for name in ("moxing", "moxing.file"):
            sys.modules.pop(name, None)
        return
    if request.param == "boto3":
        monkeypatch.setitem(sys.modules, "obs", None)
    else:
        pytest.importorskip("obs", reason="esdk-obs-python is not installed")
    storage = moxing_adapter.connect(quick_retries())
    assert storage.name == request.param
    yield ObjectUrl.parse(f"s3://{bucket.name}/work/"), storage


@pytest.fixture(params=["boto3", "esdk-obs-python"])
def open_storage(request, bucket, monkeypatch):
    """Connects to an endpoint, through each client of ours that speaks with a server."""
    if request.param == "boto3":
        monkeypatch.setitem(sys.modules, "obs", None)
    else:
        pytest.importorskip("obs", reason="esdk-obs-python is not installed")

    def connect(endpoint, pauses=None):
        monkeypatch.setenv("OBS_ENDPOINT", endpoint)
        return moxing_adapter.connect(quick_retries(pauses))

    return connect


def test_a_folder_comes_back_as_it_was_sent(place, tmp_path):
    url, storage = place
    contents = {"a.txt": b"a", "deep/er/b.bin": os.urandom(100_000), "deep/empty.txt": b"", "with space/ü.txt": b"u"}
    for name, content in contents.items():
        path = tmp_path / "sent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        storage.upload_file(path, url.child(name))
    assert [entry.path for entry in storage.entries(url)] == sorted(contents)
    storage.download_folder(url, tmp_path / "back")
    found = {
        path.relative_to(tmp_path / "back").as_posix(): path.read_bytes()
        for path in (tmp_path / "back").rglob("*")
        if path.is_file()
    }
    assert found == contents


def test_objects_and_folders_are_told_apart_and_removed(place, tmp_path):
    url, storage = place
    (tmp_path / "a").write_bytes(b"abc")
    storage.upload_file(tmp_path / "a", url.child("folder/a.txt"))
    assert storage.exists(url.child("folder/a.txt"))
    assert not storage.exists(url.child("folder"))
    assert not storage.exists(url.child("absent"))
    assert [bool(storage.entries(url.child(name))) for name in ("folder", "folder/a.txt", "fold")] == [
        True,
        False,
        False,
    ]
    storage.remove(url.child("folder/a.txt"))
    storage.remove(url.child("folder/a.txt"))
    assert not storage.exists(url.child("folder/a.txt"))


def test_missing_buckets_and_objects_are_named(place, tmp_path):
    url, storage = place
    with pytest.raises(MissingPathError, match="'absent-bucket-77' of .* does not exist"):
        storage.entries(ObjectUrl("s3", "absent-bucket-77", "x"))
    with pytest.raises(MissingPathError, match="absent.txt' does not exist"):
        storage.download_file(url.child("absent.txt"), tmp_path / "x.txt")
    (tmp_path / "a").write_bytes(b"abc")
    with pytest.raises(MissingPathError, match="absent-bucket-77"):
        storage.upload_file(tmp_path / "a", ObjectUrl("s3", "absent-bucket-77", "x"))
    assert [path.name for path in tmp_path.iterdir() if path.name != "buckets"] == ["a"]


def test_a_listing_longer_than_a_page_is_whole(bucket, moto_address, open_storage):
    for index in range(11):
        bucket.write(f"many/{index:04}", b"")
    faults = Faults(page=4)
    with misbehaving(moto_address, faults) as address:
        entries = open_storage(address).entries(ObjectUrl("s3", bucket.name, "many"))
    assert [entry.path for entry in entries] == [f"{index:04}" for index in range(11)]
    assert sum("prefix=" in path for _, path in faults.seen) == 3


def test_a_server_that_fails_three_times_is_asked_again_after_growing_pauses(
    bucket, open_storage, moto_address, tmp_path, caplog
):
    bucket.write("a.bin", b"content")
    faults = Faults(busy=3)
    pauses = []
    with misbehaving(moto_address, faults) as address:
        open_storage(address, pauses).download_file(ObjectUrl("s3", bucket.name, "a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == b"content"
    assert pauses == [1, 2, 4]
    assert sum("status 503" in record.message for record in caplog.records) == 3


def test_a_server_that_stays_busy_ends_in_a_sentence_after_all_attempts(bucket, open_storage, moto_address, tmp_path):
    faults = Faults(busy=99)
    with misbehaving(moto_address, faults) as address, pytest.raises(BadStateError, match="failed 6 times, at last"):
        open_storage(address).download_file(ObjectUrl("s3", bucket.name, "a.bin"), tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_connection_cut_in_mid_file_is_mended(bucket, open_storage, moto_address, tmp_path):
    content = os.urandom(200_000)
    bucket.write("a.bin", content)
    faults = Faults(cuts=2)
    with misbehaving(moto_address, faults) as address:
        open_storage(address).download_file(ObjectUrl("s3", bucket.name, "a.bin"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == content
    assert faults.cuts == 0


def test_a_connection_that_is_always_cut_leaves_the_earlier_file_and_no_half_one(
    bucket, open_storage, moto_address, tmp_path
):
    bucket.write("a.bin", os.urandom(200_000))
    (tmp_path / "a.bin").write_bytes(b"earlier")
    with misbehaving(moto_address, Faults(cuts=999)) as address, pytest.raises(BadStateError, match="failed 6 times"):
        open_storage(address).download_file(ObjectUrl("s3", bucket.name, "a.bin"), tmp_path / "a.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"earlier"


def test_a_server_that_is_not_there_ends_in_a_sentence(open_storage, tmp_path):
    with pytest.raises(BadStateError, match="failed 6 times"):
        open_storage("http://127.0.0.1:9").download_file(ObjectUrl("s3", "b", "a.bin"), tmp_path / "a.bin")


def test_a_refusal_is_not_repeated_and_quotes_no_credential(bucket, open_storage, moto_address, tmp_path, caplog):
    caplog.set_level("DEBUG", logger="utils")
    spoken = f"<Error><Code>AccessDenied</Code><Message>{ACCESS_KEY} {SECRET_KEY}</Message></Error>"
    faults = Faults(denied=True, spoken=spoken)
    pauses = []
    with misbehaving(moto_address, faults) as address, pytest.raises(BadStateError, match="AccessDenied") as caught:
        open_storage(address, pauses).entries(ObjectUrl("s3", bucket.name, ""))
    assert pauses == []
    assert ACCESS_KEY not in str(caught.value) + caplog.text
    assert SECRET_KEY not in str(caught.value) + caplog.text


class WrongSize:
    """A client whose copies lack their last byte."""

    name = "wrong"

    def size(self, url):
        return 3

    def fetch(self, url, path):
        path.write_bytes(b"ab")

    def send(self, path, url):
        pass


def test_a_copy_of_another_size_is_no_copy(tmp_path):
    storage = Storage(WrongSize(), quick_retries(attempts=2))
    with pytest.raises(BadStateError, match="2 bytes here, 3 bytes there"):
        storage.download_file(ObjectUrl("s3", "b", "a"), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").write_bytes(b"ab")
    with pytest.raises(BadStateError, match="2 bytes here, 3 bytes there"):
        storage.upload_file(tmp_path / "a", ObjectUrl("s3", "b", "a"))


def test_a_full_disk_is_said_at_once(tmp_path, monkeypatch):
    client = WrongSize()
    client.fetch = lambda _url, _path: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(BadStateError, match="a' cannot be written .No space left on device."):
        Storage(client, quick_retries()).download_file(ObjectUrl("s3", "b", "a"), tmp_path / "a")


@pytest.mark.parametrize("key", ["../a", "x/../../a", "/a", "a//b", "./a"])
def test_a_key_that_is_no_path_beneath_the_folder_is_refused(key):
    client = WrongSize()
    client.entries = lambda _url: [Entry(key)]
    with pytest.raises(BadValueError, match="no path of a file beneath it"):
        Storage(client).entries(ObjectUrl("s3", "b", ""))


def test_addresses_are_taken_apart():
    assert is_object_url("obs://b/x") and is_object_url("S3://b/") and not is_object_url("/cache/obs")
    url = ObjectUrl.parse("obs://bk/work/run/")
    assert (url.bucket, url.key, url.prefix, url.is_marked_folder) == ("bk", "work/run", "work/run/", True)
    assert str(url.child("a/b.txt")) == "obs://bk/work/run/a/b.txt"
    assert ObjectUrl.parse("s3://bk").prefix == ""
    for text in ("s3://", "s3:///x", "https://bb/x", "bb/x", "s3://b:c/x"):
        with pytest.raises(BadValueError, match="data_url is no address of a bucket"):
            ObjectUrl.parse(text, "data_url")


def test_a_user_in_an_address_is_refused_without_quoting_it():
    with pytest.raises(BadValueError) as caught:
        ObjectUrl.parse(f"s3://{ACCESS_KEY}:{SECRET_KEY}@b/x", "data_url")
    assert ACCESS_KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchBucket", 404, MissingPathError),
        ("NoSuchKey", 404, MissingPathError),
        ("404", 404, MissingPathError),
        ("InvalidAccessKeyId", 403, BadStateError),
        ("", 401, BadStateError),
        ("NoCredentialsError", None, BadStateError),
        ("InvalidRange", 416, BadStateError),
        ("SlowDown", 503, TransientError),
        ("", 500, TransientError),
        ("TooManyRequests", 429, TransientError),
        ("RequestTimeout", 400, TransientError),
        ("ConnectTimeoutError", None, TransientError),
    ],
)
def test_codes_are_sorted_into_final_and_passing_faults(code, status, kind):
    assert type(failure(ObjectUrl("s3", "b", "x"), code, status)) is kind


def test_what_is_no_code_is_not_quoted():
    text = f"key {SECRET_KEY} is wrong"
    assert SECRET_KEY not in str(failure(ObjectUrl("s3", "b", "x"), text, 500))
