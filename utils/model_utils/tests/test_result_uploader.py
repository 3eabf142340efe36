import errno
import json
import logging
import os
import sys
import tempfile
import threading

import pytest

from utils.model_utils import moxing_adapter
from utils.model_utils.errors import BadStateError, MissingPathError
from utils.model_utils.storage import result_uploader
from utils.model_utils.storage.object_storage import ObjectUrl, Storage
from utils.model_utils.storage.result_uploader import MARKER, ResultUploader
from utils.model_utils.storage.retries import Retries, TransientError
from utils.tests.processes import LIMIT_SECONDS, wait_for


class Memory:
    """A client that keeps objects in a dictionary and the order of what is sent."""

    name = "memory"

    def __init__(self):
        self.objects, self.order, self.broken, self.gate = {}, [], lambda _key: False, None

    def size(self, url):
        return len(self.objects[url.key])

    def send(self, path, url):
        if self.gate is not None:
            self.gate.wait(LIMIT_SECONDS)
        if self.broken(url.key):
            raise TransientError("status 503")
        self.objects[url.key] = path.read_bytes()
        self.order.append(url.key)

    def remove(self, url):
        del self.objects[url.key]


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def open_uploader(memory, tmp_path):
    (tmp_path / "ckpt").mkdir()
    (tmp_path / "config.yaml").write_text("lr: 1\n")

    def build(**options):
        storage = Storage(memory, Retries(2, sleep=lambda _seconds: None))
        return ResultUploader(tmp_path, ObjectUrl("s3", "bk", "out"), storage, **options)

    return build


def marker(memory):
    return json.loads(memory.objects[f"out/{MARKER}"])


def test_each_checkpoint_arrives_while_the_run_goes_on_and_the_rest_at_its_end(open_uploader, memory, tmp_path):
    with open_uploader() as results:
        assert list(memory.objects) == ["out/config.yaml"]
        (tmp_path / "ckpt/net-1_5.ckpt").write_bytes(b"one")
        results.checkpoint_saved(tmp_path / "ckpt/net-1_5.ckpt")
        wait_for(lambda: f"out/{MARKER}" in memory.objects)
        assert marker(memory) == {"checkpoint": "ckpt/net-1_5.ckpt", "bytes": 3}
        (tmp_path / "curves.png").write_bytes(b"png")
        (tmp_path / ".run.lock").write_bytes(b"")
    assert sorted(memory.objects) == ["out/ckpt/net-1_5.ckpt", "out/config.yaml", "out/curves.png", f"out/{MARKER}"]
    assert memory.order.count("out/config.yaml") == 1
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".upload")] == []


def test_the_marker_is_sent_after_the_checkpoint_and_the_checkpoint_after_the_rest(open_uploader, memory, tmp_path):
    with open_uploader() as results:
        (tmp_path / "metrics.jsonl").write_bytes(b"{}")
        (tmp_path / "ckpt/net-1_5.ckpt").write_bytes(b"one")
        results.checkpoint_saved(tmp_path / "ckpt/net-1_5.ckpt")
    assert memory.order[1:4] == ["out/metrics.jsonl", "out/ckpt/net-1_5.ckpt", f"out/{MARKER}"]


def test_a_checkpoint_that_does_not_arrive_is_never_the_latest_and_fails_the_job_at_its_end(
    open_uploader, memory, tmp_path, caplog
):
    with (
        pytest.raises(BadStateError, match="not all results have reached train_url.*net-2_5.ckpt.* failed 2 times"),
        open_uploader() as results,
    ):
        (tmp_path / "ckpt/net-1_5.ckpt").write_bytes(b"one")
        results.checkpoint_saved(tmp_path / "ckpt/net-1_5.ckpt")
        wait_for(lambda: f"out/{MARKER}" in memory.objects)
        memory.broken = lambda key: "net-2" in key
        (tmp_path / "ckpt/net-2_5.ckpt").write_bytes(b"twotwo")
        results.checkpoint_saved(tmp_path / "ckpt/net-2_5.ckpt")
        wait_for(lambda: "the next copy will try again" in caplog.text)
        (tmp_path / "after").write_bytes(b"the run goes on")
    assert marker(memory)["checkpoint"] == "ckpt/net-1_5.ckpt"
    assert "out/after" in memory.objects


def test_what_failed_once_is_copied_with_the_next_checkpoint(open_uploader, memory, tmp_path, caplog):
    with open_uploader() as results:
        memory.broken = lambda _key: True
        (tmp_path / "ckpt/net-1_5.ckpt").write_bytes(b"one")
        results.checkpoint_saved(tmp_path / "ckpt/net-1_5.ckpt")
        wait_for(lambda: "the next copy will try again" in caplog.text)
        memory.broken = lambda _key: False
    assert marker(memory)["checkpoint"] == "ckpt/net-1_5.ckpt"


def test_results_are_copied_when_the_training_fails_and_its_error_stays(open_uploader, memory, tmp_path, caplog):
    with pytest.raises(ZeroDivisionError), open_uploader():
        (tmp_path / "train.log").write_bytes(b"what happened")
        raise ZeroDivisionError
    assert memory.objects["out/train.log"] == b"what happened"
    with pytest.raises(ZeroDivisionError), open_uploader():
        memory.broken = lambda _key: True
        (tmp_path / "train.log").write_bytes(b"what happened then")
        raise ZeroDivisionError
    assert "not all results have reached" in caplog.text


def test_a_place_that_cannot_be_written_ends_the_job_before_it_trains(open_uploader, memory):
    memory.broken = lambda _key: True
    with pytest.raises(BadStateError, match="failed 2 times"), open_uploader():
        raise AssertionError("it trained")


def test_a_training_does_not_wait_for_a_slow_storage_and_the_end_has_a_limit(open_uploader, memory, tmp_path):
    with pytest.raises(BadStateError, match="took more than 0.3 seconds"), open_uploader(finish_seconds=0.3) as results:
        memory.gate = threading.Event()
        for epoch in range(50):
            (tmp_path / f"ckpt/net-{epoch}.ckpt").write_bytes(b"x")
            results.checkpoint_saved(tmp_path / f"ckpt/net-{epoch}.ckpt")
        assert not any("net-" in name for name in memory.order)
    memory.gate.set()


def test_checkpoints_that_the_run_removes_are_removed_when_a_newer_one_is_there(open_uploader, memory, tmp_path):
    with open_uploader() as results:
        for epoch in (1, 2):
            path = tmp_path / f"ckpt/net-{epoch}_5.ckpt"
            path.write_bytes(b"x")
            results.checkpoint_saved(path)
            wait_for(lambda path=path: f"out/{MARKER}" in memory.objects and path.name in marker(memory)["checkpoint"])
        (tmp_path / "ckpt/net-1_5.ckpt").unlink()
        memory.objects["out/ckpt/foreign.ckpt"] = b"not ours"
    assert sorted(key for key in memory.objects if key.endswith(".ckpt")) == [
        "out/ckpt/foreign.ckpt",
        "out/ckpt/net-2_5.ckpt",
    ]


def test_a_log_that_grows_meanwhile_is_sent_as_it_was(open_uploader, memory, tmp_path):
    (tmp_path / "train.log").write_bytes(b"one")
    send = memory.send

    def growing(path, url):
        with (tmp_path / "train.log").open("ab") as file:
            file.write(b"more")
        send(path, url)

    memory.send = growing
    with open_uploader():
        pass
    assert memory.objects["out/train.log"].startswith(b"one")


def test_a_checkpoint_out_of_the_folder_is_said_and_fails_the_job_at_its_end(open_uploader, tmp_path, caplog):
    with pytest.raises(BadStateError, match="elsewhere.ckpt' lies out of"), open_uploader() as results:
        results.checkpoint_saved(tmp_path.parent / "elsewhere.ckpt")
    assert "set --save_checkpoint_path" in caplog.text


def test_a_checkpoint_that_is_written_again_has_its_new_size_in_the_marker(open_uploader, memory, tmp_path):
    with open_uploader() as results:
        for content in (b"one", b"longer"):
            (tmp_path / "ckpt/net.ckpt").write_bytes(content)
            results.checkpoint_saved(tmp_path / "ckpt/net.ckpt")
            wait_for(lambda sent=content: f"out/{MARKER}" in memory.objects and marker(memory)["bytes"] == len(sent))


def test_a_full_disk_is_a_warning_and_the_next_copy_has_it_all(open_uploader, memory, tmp_path, monkeypatch, caplog):
    """A copy is made beside the file, which needs room."""

    def full(*_arguments, **_more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with open_uploader() as results:
        (tmp_path / "ckpt/net.ckpt").write_bytes(b"one")
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "TemporaryDirectory", full)
            results.checkpoint_saved(tmp_path / "ckpt/net.ckpt")
            wait_for(lambda: "results have not been copied, the next copy will try again: [Errno 28]" in caplog.text)
    assert marker(memory) == {"checkpoint": "ckpt/net.ckpt", "bytes": 3}
    assert not [record for record in caplog.records if record.exc_info]


def test_a_file_that_cannot_be_read_does_not_hold_up_the_others(open_uploader, memory, tmp_path, monkeypatch):
    def deny(path, _copy):
        raise PermissionError(13, "Permission denied", str(path))

    snapshot = result_uploader._snapshot
    (tmp_path / "a-secret").write_bytes(b"")
    with pytest.raises(BadStateError, match="a-secret' cannot be read .Permission denied."), open_uploader() as results:
        monkeypatch.setattr(
            result_uploader, "_snapshot", lambda path, copy: (deny if path.name == "a-secret" else snapshot)(path, copy)
        )
        (tmp_path / "a-secret").write_bytes(b"changed")
        (tmp_path / "ckpt/net.ckpt").write_bytes(b"one")
        results.checkpoint_saved(tmp_path / "ckpt/net.ckpt")
    assert marker(memory)["checkpoint"] == "ckpt/net.ckpt"


def test_large_files_are_not_copied_for_the_upload(open_uploader, memory, tmp_path, monkeypatch):
    monkeypatch.setattr("utils.model_utils.storage.result_uploader._LINK_BYTES", 10)
    linked = []
    send = memory.send
    memory.send = lambda path, url: (linked.append((path.name, path.stat().st_nlink)), send(path, url))
    (tmp_path / "ckpt/net.ckpt").write_bytes(b"x" * 100)
    with open_uploader():
        pass
    assert dict(linked) == {"config.yaml": 1, "net.ckpt": 2}


def test_without_a_place_nothing_is_copied(tmp_path):
    before = threading.active_count()
    with ResultUploader(tmp_path, None, None) as results:
        results.checkpoint_saved(tmp_path / "x.ckpt")
        assert threading.active_count() == before


def test_a_run_arrives_in_a_bucket_and_a_missing_bucket_ends_the_job_at_once(bucket, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "obs", None)
    caplog.set_level(logging.INFO)
    (tmp_path / "log.txt").write_bytes(b"log")
    storage = moxing_adapter.connect(Retries(sleep=lambda _seconds: None))
    with ResultUploader(tmp_path, ObjectUrl("s3", bucket.name, "out"), storage) as results:
        (tmp_path / "net.ckpt").write_bytes(os.urandom(9_000_000))  # two parts
        results.checkpoint_saved(tmp_path / "net.ckpt")
    assert bucket.keys() == [f"out/{MARKER}", "out/log.txt", "out/net.ckpt"]
    assert bucket.read("out/net.ckpt") == (tmp_path / "net.ckpt").read_bytes()
    assert f"all results are in 's3://{bucket.name}/out'" in caplog.text
    with (
        pytest.raises(BadStateError, match="bucket 'absent-bucket-77'"),
        ResultUploader(tmp_path, ObjectUrl("s3", "absent-bucket-77", "out"), storage),
    ):
        raise AssertionError("it trained")


def test_what_has_written_nothing_yet_finds_a_missing_bucket_before_it_begins(bucket, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "obs", None)
    storage = moxing_adapter.connect(Retries(sleep=lambda _seconds: None))
    with (
        pytest.raises(MissingPathError, match="bucket 'absent-bucket-77'"),
        ResultUploader(tmp_path / "absent", ObjectUrl("s3", "absent-bucket-77", "out"), storage),
    ):
        raise AssertionError("it evaluated")
    with ResultUploader(tmp_path / "absent", ObjectUrl("s3", bucket.name, "out"), storage):
        (tmp_path / "absent").mkdir()
        (tmp_path / "absent/result.json").write_bytes(b"{}")
    assert bucket.keys() == ["out/result.json"]
