"""What a job brings in, and takes out, through any client of an object storage."""

import json
import logging
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from utils.model_utils import moxing_adapter
from utils.model_utils.errors import BadStateError, MissingPathError
from utils.model_utils.moxing_adapter import open_uploader, sync_in
from utils.model_utils.storage import input_sync
from utils.model_utils.storage.retries import Retries
from utils.model_utils.tests.object_server import Faults, misbehaving

STAND_IN = Path(__file__).parent / "stand_in_moxing"


@pytest.fixture
def storage(bucket, monkeypatch):
    """The bucket's storage, through boto3 and without pauses."""
    monkeypatch.setitem(sys.modules, "obs", None)
    return moxing_adapter.connect(Retries(sleep=lambda _seconds: None))


def files_in(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and input_sync.STATE_FOLDER not in path.parts
    }


def zip_of(folder, **files):
    path = folder / "packed.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(f"MindRecord_COCO/{name}", content)
    return path.read_bytes()


def test_data_and_checkpoints_are_copied_to_their_folders(bucket, storage, job, tmp_path):
    bucket.write("coco/annotations/a.json", b"{}")
    bucket.write("coco/train/1.jpg", b"1")
    bucket.write("coco-other/2.jpg", b"2")
    bucket.write("models/net.ckpt", b"weights")
    sync_in(job(data_url=f"s3://{bucket.name}/coco/", checkpoint_url=f"obs://{bucket.name}/models/net.ckpt"), storage)
    assert files_in(tmp_path / "cache/data") == {"annotations/a.json": b"{}", "train/1.jpg": b"1"}
    assert files_in(tmp_path / "cache/load") == {"net.ckpt": b"weights"}


def test_nothing_is_done_without_enable_modelarts_and_by_the_scheduler(job, tmp_path, monkeypatch):
    sync_in(job(enable_modelarts=False, data_url="s3://absent/x"))
    monkeypatch.setenv("MS_ROLE", "MS_SCHED")
    sync_in(job(data_url="s3://absent/x"))
    assert list(tmp_path.iterdir()) == []


def test_a_second_job_copies_what_has_changed_and_removes_what_is_gone(bucket, storage, job, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    for name in ("same", "other", "gone"):
        bucket.write(f"d/{name}", b"1")
    config = job(data_url=f"s3://{bucket.name}/d")
    sync_in(config, storage)
    bucket.write("d/other", b"2")  # of the same size
    bucket.client.delete_object(Bucket=bucket.name, Key="d/gone")
    (tmp_path / "cache/data/own").write_bytes(b"own")
    caplog.clear()
    sync_in(config, storage)
    assert files_in(tmp_path / "cache/data") == {"same": b"1", "other": b"2", "own": b"own"}
    assert "copying 1 of 2 files" in caplog.text
    (tmp_path / "cache/data/same").unlink()
    sync_in(config, storage)
    assert (tmp_path / "cache/data/same").read_bytes() == b"1"


def test_another_place_replaces_what_came_from_the_first(bucket, storage, job, tmp_path):
    bucket.write("one/a", b"1")
    bucket.write("one/b", b"1")
    bucket.write("two/b", b"1")
    sync_in(job(data_url=f"s3://{bucket.name}/one"), storage)
    sync_in(job(data_url=f"s3://{bucket.name}/two"), storage)
    assert files_in(tmp_path / "cache/data") == {"b": b"1"}


def test_a_zip_is_unpacked_once_and_again_when_it_changes(bucket, storage, job, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    bucket.write("d/MindRecord_COCO.zip", zip_of(tmp_path, a=b"1"))
    config = job(data_url=f"s3://{bucket.name}/d", modelarts_dataset_unzip_name="MindRecord_COCO")
    for expected in (True, False):
        caplog.clear()
        sync_in(config, storage)
        assert ("unpacked 1 file " in caplog.text) == expected
    assert (tmp_path / "cache/data/MindRecord_COCO/a").read_bytes() == b"1"
    bucket.write("d/MindRecord_COCO.zip", zip_of(tmp_path, a=b"2", b=b"3"))
    sync_in(config, storage)
    assert (tmp_path / "cache/data/MindRecord_COCO/b").read_bytes() == b"3"


@pytest.mark.parametrize(
    ("values", "is_unpacked"),
    [
        ({"modelarts_dataset_unzip_name": ""}, True),
        ({"modelarts_dataset_unzip_name": "MindRecord_COCO.zip"}, True),
        ({"modelarts_dataset_unzip_name": "other"}, False),
        ({"need_modelarts_dataset_unzip": False}, False),
    ],
)
def test_which_archive_is_unpacked(bucket, storage, job, tmp_path, values, is_unpacked):
    bucket.write("d/MindRecord_COCO.zip", zip_of(tmp_path, a=b"1"))
    sync_in(job(data_url=f"s3://{bucket.name}/d/MindRecord_COCO.zip", **values), storage)
    assert (tmp_path / "cache/data/MindRecord_COCO/a").exists() == is_unpacked
    assert (tmp_path / "cache/data/MindRecord_COCO.zip").exists()


def test_local_places_are_used_where_they_are(job, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    data = tmp_path / "platform"
    (data / "annotations").mkdir(parents=True)
    (data / "annotations/a.json").write_bytes(b"{}")
    (data / "MindRecord_COCO.zip").write_bytes(zip_of(tmp_path, a=b"1"))
    (tmp_path / "net.ckpt").write_bytes(b"weights")
    config = job(data_url=str(data), checkpoint_url=str(tmp_path / "net.ckpt"), train_url=str(tmp_path / "out"))
    for _ in range(2):
        sync_in(config)
    here = tmp_path / "cache/data"
    assert (here / "annotations").is_symlink() and (here / "annotations/a.json").read_bytes() == b"{}"
    assert (here / "MindRecord_COCO/a").read_bytes() == b"1"
    assert not (data / "MindRecord_COCO").exists()
    assert (tmp_path / "cache/load/net.ckpt").read_bytes() == b"weights"
    (tmp_path / "cache/train/result").write_bytes(b"r")
    assert (tmp_path / "out/result").read_bytes() == b"r"
    assert "data_url" in caplog.text and "is used where it is" in caplog.text
    with open_uploader(config, tmp_path / "cache/train") as results:
        results.checkpoint_saved(tmp_path / "elsewhere.ckpt")


def test_a_local_place_that_is_its_folder_is_left_alone(job, tmp_path):
    (tmp_path / "d").mkdir()
    sync_in(
        job(
            data_url=str(tmp_path / "d"),
            data_path=str(tmp_path / "d"),
            train_url=str(tmp_path / "o"),
            output_path=str(tmp_path / "o"),
        )
    )
    assert list((tmp_path / "d").iterdir()) == []
    assert not (tmp_path / "o").is_symlink()


def test_what_is_in_the_way_of_a_link_is_moved_away_or_another_folder_taken(job, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.json").write_bytes(b"new")
    own = tmp_path / "cache/data/a.json"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"own")
    sentence = "a.json' is in the way of data_url .*: move it away, or choose another folder with --data_path or"
    with pytest.raises(BadStateError, match=sentence):
        sync_in(job(data_url=str(tmp_path / "mine")))
    assert own.read_bytes() == b"own"
    sync_in(job(data_url=str(tmp_path / "mine"), data_path=str(tmp_path / "other")))
    assert (tmp_path / "other/a.json").read_bytes() == b"new"
    own.rename(tmp_path / "away.json")
    sync_in(job(data_url=str(tmp_path / "mine")))
    assert own.read_bytes() == b"new"


def test_what_is_copied_later_is_not_written_through_a_link(bucket, storage, job, tmp_path):
    (tmp_path / "mine/images").mkdir(parents=True)
    bucket.write("d/images/1.jpg", b"1")
    sync_in(job(data_url=str(tmp_path / "mine")))
    sync_in(job(data_url=f"s3://{bucket.name}/d"), storage)
    assert (tmp_path / "cache/data/images/1.jpg").read_bytes() == b"1"
    assert list((tmp_path / "mine/images").iterdir()) == []


def test_places_that_cannot_be_used_are_named(bucket, storage, job, tmp_path):
    with pytest.raises(MissingPathError, match="bucket 'absent-bucket-77'"):
        sync_in(job(data_url="s3://absent-bucket-77/d"), storage)
    with pytest.raises(MissingPathError, match="data_url 's3://.*/nothing' holds nothing"):
        sync_in(job(data_url=f"s3://{bucket.name}/nothing"), storage)
    with pytest.raises(MissingPathError, match="checkpoint_url '/nowhere' does not exist"):
        sync_in(job(checkpoint_url="/nowhere"))
    (tmp_path / "cache/train").mkdir()
    (tmp_path / "cache/train/old").write_bytes(b"")
    with pytest.raises(BadStateError, match="output_path .* cannot lead to train_url"):
        sync_in(job(train_url=str(tmp_path / "out")))
    assert (tmp_path / "cache/train/old").is_file()
    sync_in(job(train_url=str(tmp_path / "out"), output_path=str(tmp_path / "out")))  # as the sentence says
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadStateError, match="for data_url cannot be made"):
        sync_in(job(data_url=f"s3://{bucket.name}/d", data_path=str(tmp_path / "file")), storage)


def test_a_copy_that_broke_off_goes_on_where_it_was(bucket, storage, job, moto_address, tmp_path, monkeypatch):
    for index in range(4):
        bucket.write(f"d/{index}", b"x" * 2000)
    faults = Faults(cuts=999, applies=lambda _method, path: path.endswith("/d/3"))
    config = job(data_url=f"s3://{bucket.name}/d")
    with misbehaving(moto_address, faults) as address:
        monkeypatch.setenv("OBS_ENDPOINT", address)
        with pytest.raises(BadStateError, match="d/3' failed 2 times"):
            sync_in(config, moxing_adapter.connect(Retries(2, sleep=lambda _seconds: None)))
        assert sorted(files_in(tmp_path / "cache/data")) == ["0", "1", "2"]
        faults.cuts = 0
        faults.seen.clear()
        sync_in(config, moxing_adapter.connect(Retries(2)))
    assert [path for method, path in faults.seen if method == "GET" and "prefix" not in path] == [f"/{bucket.name}/d/3"]
    assert files_in(tmp_path / "cache/data")["3"] == b"x" * 2000


PROCESS = """
import json, logging, sys
from utils.model_utils.config.schema import ModelArtsKeys
from utils.model_utils.moxing_adapter import connect, sync_in
from utils.model_utils.storage.retries import Retries
logging.basicConfig(level=logging.INFO)
sys.modules["obs"] = None
sync_in(ModelArtsKeys(**json.loads(sys.argv[1])), connect(Retries(2, 0.1)))
"""


def start(config, **environment):
    text = json.dumps(config.model_dump(exclude_unset=True))
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, text], stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def test_of_three_processes_one_copies_and_a_scheduler_does_not(bucket, job, moto_address, tmp_path):
    for index in range(5):
        bucket.write(f"d/{index}", b"x" * 100)
    faults = Faults()
    with misbehaving(moto_address, faults) as address:
        config = job(data_url=f"s3://{bucket.name}/d")
        processes = [
            start(config, OBS_ENDPOINT=address, MS_ROLE=role)
            for role in ("MS_WORKER", "MS_WORKER", "MS_WORKER", "MS_SCHED")
        ]
        errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], errors
    assert sum(method == "GET" and "prefix" not in path for method, path in faults.seen) == 5
    assert len(files_in(tmp_path / "cache/data")) == 5
    assert "data_url" not in errors[3]


def test_a_process_that_waits_fails_with_the_sentence_of_the_one_that_copied(bucket, storage, job, tmp_path):
    config = job(data_url=f"s3://{bucket.name}/d")
    bucket.write("d/1", b"x")
    folder = input_sync.InputFolder(tmp_path / "cache/data", "data_url", 0.0, 5)
    with pytest.raises(MissingPathError):
        sync_in(job(data_url="s3://absent-bucket-77/d"), storage)
    with pytest.raises(BadStateError, match="another process of this machine failed: bucket 'absent-bucket-77'"):
        folder.copy(moxing_adapter.ObjectUrl.parse(config.data_url), storage)
    sync_in(config, storage)  # a later job is not held up by it
    assert files_in(tmp_path / "cache/data") == {"1": b"x"}


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Folder of the buckets of a stand-in moxing that is found first."""
    monkeypatch.setenv("STAND_IN_MOXING_BUCKETS", str(tmp_path / "buckets"))
    monkeypatch.syspath_prepend(str(STAND_IN))
    for name in ("moxing", "moxing.file"):
        sys.modules.pop(name, None)
    (tmp_path / "buckets/bk").mkdir(parents=True)
    yield tmp_path / "buckets/bk"
    for name in ("moxing", "moxing.file"):
        sys.modules.pop(name, None)


def test_moxing_is_taken_first_and_brings_data_in_and_results_out(stand_in, job, tmp_path):
    (stand_in / "d/deep").mkdir(parents=True)
    (stand_in / "d/deep/1.jpg").write_bytes(b"1")
    (stand_in / "net.ckpt").write_bytes(b"weights")
    config = job(data_url="s3://bk/d/", checkpoint_url="s3://bk/net.ckpt", train_url="obs://bk/out")
    assert moxing_adapter.connect().name == "moxing"
    sync_in(config)
    assert files_in(tmp_path / "cache/data") == {"deep/1.jpg": b"1"}
    assert files_in(tmp_path / "cache/load") == {"net.ckpt": b"weights"}
    (tmp_path / "run").mkdir()
    with open_uploader(config, tmp_path / "run"):
        (tmp_path / "run/log.txt").write_bytes(b"log")
    assert files_in(stand_in / "out") == {"log.txt": b"log"}


def test_a_storage_without_versions_is_copied_once_by_the_processes_of_a_job(stand_in, job, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (stand_in / "d").mkdir()
    (stand_in / "d/1").write_bytes(b"1")
    url, storage = moxing_adapter.ObjectUrl.parse("s3://bk/d"), moxing_adapter.connect()
    began_before, began_after = 0.0, time.time() + 60
    for begun in (began_before, began_before, began_after):
        input_sync.InputFolder(tmp_path / "data", "data_url", begun, 5).copy(url, storage)
    assert caplog.text.count("copying 1 of 1 files") == 2
    with input_sync.InputFolder(tmp_path / "data", "data_url", began_after, 5).copy(url, storage):
        input_sync.InputFolder(tmp_path / "data", "data_url", began_after, 5).copy(url, storage)
    assert "names no versions: it is used as it is" in caplog.text
    assert caplog.text.count("copying 1 of 1 files") == 3


def test_what_a_job_reads_is_not_changed_by_another(bucket, storage, job, tmp_path):
    """Neither by another place, nor by a change in its own, nor by a local one, nor by an archive; then it is."""
    for name in ("one/a", "one/b", "two/a"):
        bucket.write(name, name.encode())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a").write_bytes(b"local")
    one, two = (job(data_url=f"s3://{bucket.name}/{name}") for name in ("one", "two"))
    before = {"a": b"one/a", "b": b"one/b"}
    sentence = "cache/data' is read by another job of this machine, and data_url would change what is there: wait until"
    with sync_in(one, storage), sync_in(one, storage):  # two processes of a job
        for other in (two, job(data_url=str(tmp_path / "mine"))):
            with pytest.raises(BadStateError, match=r"a' is in the way|" + sentence):
                sync_in(other, storage)
        bucket.write("one/b", b"new")
        with pytest.raises(BadStateError, match=sentence):
            sync_in(one, storage)
        assert files_in(tmp_path / "cache/data") == before
        sync_in(job(data_url=f"s3://{bucket.name}/two", data_path=str(tmp_path / "other")), storage)  # as it says
    sync_in(one, storage)
    assert files_in(tmp_path / "cache/data") == {"a": b"one/a", "b": b"new"}
    with sync_in(two, storage):
        assert files_in(tmp_path / "cache/data") == {"a": b"two/a"}


def test_links_and_archives_that_a_job_reads_stay(job, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(name.encode())
        (tmp_path / name / "packed.zip").write_bytes(zip_of(tmp_path / name, **{"0": name}))
    one, two = (job(data_url=str(tmp_path / name), modelarts_dataset_unzip_name="packed") for name in ("one", "two"))
    with sync_in(one), sync_in(one):
        with pytest.raises(BadStateError, match="is read by another job of this machine"):
            sync_in(two)
        zip_of(tmp_path / "one", **{"0": "another"})
        with pytest.raises(BadStateError, match="is read by another job of this machine"):
            sync_in(one)
        found = files_in(tmp_path / "cache/data")
        assert (found["a"], found["MindRecord_COCO/0"]) == (b"one", b"one")
    sync_in(two)
    found = files_in(tmp_path / "cache/data")
    assert (found["a"], found["MindRecord_COCO/0"]) == (b"two", b"two")
