"""Files of rank tables: pending ones are waited for with a limit, broken ones refused at once, results whole."""

import json
import os
import threading
import time

import pytest
from hccl_examples import MODELARTS, TWO_SERVERS, example

from utils.hccl_tools.tables.rank_table import parse_table
from utils.hccl_tools.tables.table_file import load_table, write_table
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError

LONG = 60  # seconds that a test must not take


@pytest.fixture()
def finish(tmp_path):
    """Returns a function that writes a document a moment later, as a platform does."""
    timers = []

    def later(file, document, seconds=0.3):
        timers.append(threading.Timer(seconds, lambda: file.write_text(json.dumps(document))))
        timers[-1].start()

    yield later
    for timer in timers:
        timer.join()


def test_a_pending_status_is_waited_for(tmp_path, finish, caplog):
    file = tmp_path / "t.json"
    file.write_text('{"status": "initializing"}')
    finish(file, TWO_SERVERS)
    assert load_table(file, LONG).device_count == 4
    assert [record.getMessage() for record in caplog.records] == [
        f"status in '{file}' is \"initializing\": waiting up to 60 seconds for the platform to complete it"
    ]


@pytest.mark.parametrize("before", [None, "", '{"status": "compl', '{"status": "initializing", "group_count": "1"}'])
def test_in_modelarts_folder_the_file_may_come_later(tmp_path, finish, before):
    file = tmp_path / "jobstart_hccl.json"
    if before is not None:
        file.write_text(before)
    finish(file, MODELARTS)
    assert load_table(tmp_path, LONG).template == "group_list"


@pytest.mark.parametrize(
    ("before", "what"),
    [
        (None, "is missing"),
        ('{"status": "co', "is not complete JSON"),
        ('{"status": "initializing"}', '"initializing"'),
    ],
)
def test_the_waiting_has_a_limit(tmp_path, before, what):
    if before is not None:
        (tmp_path / "jobstart_hccl.json").write_text(before)
    start = time.monotonic()
    with pytest.raises(BadStateError, match=f"{what} after 0.2 seconds, wanted a completed rank table"):
        load_table(tmp_path, 0.2)
    assert time.monotonic() - start >= 0.2


def test_without_waiting_a_pending_table_is_refused_at_once(tmp_path):
    (tmp_path / "t.json").write_text('{"status": "initializing"}')
    with pytest.raises(BadStateError, match='"initializing" after 0 seconds'):
        load_table(tmp_path / "t.json")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not JSON"),
        (b'{"status": "completed"', "is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe{}", "is not UTF-8 text"),
        (b'{"status": ' + b"9" * 4301 + b"}", r"is not JSON \(it has a number of thousands of digits\)"),
        (b'{"status": "' + b"x" * 70 + b'"}', 'status is "x{56}\\.\\.\\., wanted "completed"'),
        (b'{"status": "failed"}', 'status is "failed", wanted "completed"'),
        (b'{"status": "completed", "status": "completed"}', 'key "status" stands twice in one object'),
        (b"12", "the document is 12, wanted an object"),
    ],
)
def test_a_broken_file_is_refused_without_waiting(tmp_path, monkeypatch, content, sentence):
    (tmp_path / "t.json").write_bytes(content)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waits {seconds} s"))
    with pytest.raises(BadValueError, match=sentence):
        load_table(tmp_path / "t.json", LONG)


def test_a_missing_file_is_refused_without_waiting(tmp_path):
    with pytest.raises(MissingPathError, match=r"t.json' does not exist; make one with utils/hccl_tools/hccl_tools.py"):
        load_table(tmp_path / "t.json", LONG)
    with pytest.raises(MissingPathError, match="'/dev/null' is not a regular file"):
        load_table(type(tmp_path)("/dev/null"), LONG)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(TWO_SERVERS), encoding="utf-8-sig")
    assert load_table(tmp_path / "t.json").as_document() == TWO_SERVERS


def test_a_table_is_written_as_indented_json(tmp_path):
    write_table(tmp_path / "t.json", parse_table(example(TWO_SERVERS), "x"))
    assert (tmp_path / "t.json").read_text() == json.dumps(TWO_SERVERS, indent=4)
    assert os.listdir(tmp_path) == ["t.json"]


def test_a_result_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "t.json").mkdir()
    with pytest.raises(BadStateError, match=r"t.json' cannot be written \(Is a directory\)"):
        write_table(tmp_path / "t.json", parse_table(example(TWO_SERVERS), "x"))
    assert os.listdir(tmp_path) == ["t.json"]
