"""RANK_TABLE_FILE as a file, and as ModelArts' folder whose file comes later."""

import json
import threading

import pytest

from utils.model_utils.device_adapter import find_rank_table
from utils.model_utils.errors import BadStateError, MissingPathError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK_TABLE_FILE", str(tmp_path))
    return tmp_path


def test_without_the_variable_there_is_no_table(monkeypatch):
    monkeypatch.delenv("RANK_TABLE_FILE", raising=False)
    assert find_rank_table() is None


def test_a_file_is_taken_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "hccl.json").write_text("{}")
    monkeypatch.setenv("RANK_TABLE_FILE", str(tmp_path / "hccl.json"))
    assert find_rank_table() == tmp_path / "hccl.json"
    monkeypatch.setenv("RANK_TABLE_FILE", str(tmp_path / "absent"))
    with pytest.raises(MissingPathError, match="RANK_TABLE_FILE '.*absent' does not exist"):
        find_rank_table()


def test_a_table_that_comes_later_and_is_pending_at_first_is_waited_for(folder):
    file = folder / "jobstart_hccl.json"
    steps = ['{"status": "initial', '{"status": "initializing"}', '{"status": "completed", "version": "1.0"}']

    def write(rest):
        file.write_text(rest[0])
        if rest[1:]:
            threading.Timer(0.3, write, [rest[1:]]).start()

    threading.Timer(0.3, write, [steps]).start()
    assert find_rank_table(wait_seconds=20) == file
    assert json.loads(file.read_text())["status"] == "completed"


@pytest.mark.parametrize(("text", "state"), [
    (None, "is missing"), ("{", "is not complete JSON"), ('{"status": "initializing"}', "status 'initializing'"),
    ("[]", "status 'unknown'"),
])
def test_a_table_that_stays_pending_ends_in_a_sentence(folder, text, state):
    if text is not None:
        (folder / "jobstart_hccl.json").write_text(text)
    with pytest.raises(BadStateError, match=f"{state}.* after 0.1 seconds"):
        find_rank_table(wait_seconds=0.1)
