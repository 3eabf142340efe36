"""Files that a run adds to, on a disk that is full for a while: the run goes on, and so does the file."""

import errno
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.model_utils.errors import BadStateError
from utils.training.record import growing_file
from utils.training.record.growing_file import GrowingFile
from utils.training.record.logging_setup import set_up_logging
from utils.training.record.metrics_log import MetricsLog, read_metrics
from utils.training.record.run_folder import RunFolder

ROOT = Path(growing_file.__file__).parents[3]


class FullDisk:
    """Takes a part of what is written while it is full, as a disk does."""

    def __init__(self, monkeypatch):
        self.is_full, self._write = True, growing_file._append
        monkeypatch.setattr(growing_file, "_append", self.append)

    def append(self, path, content):
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._write(path, content)


@pytest.fixture
def disk(monkeypatch):
    return FullDisk(monkeypatch)


def row(step):
    return {"kind": "step", "epoch": 1, "step": step, "steps_per_epoch": 9, "global_step": step}


def test_lines_wait_for_room_and_that_is_said_once(tmp_path, disk):
    told = []
    file = GrowingFile(tmp_path / "f", told.append)
    for line in ("a\n", "b\n"):
        file.append(line)
    assert not (tmp_path / "f").exists()
    disk.is_full = False
    file.append("c\n")
    file.append("d\n")
    assert (tmp_path / "f").read_text() == "a\nb\nc\nd\n"
    assert len(told) == 2
    assert told[0].startswith(f"'{tmp_path / 'f'}' cannot be written (No space left on device, ")
    assert told[1].endswith("is written again, with the 3 lines that have waited")
    file.close()


def test_a_file_that_can_never_be_written_is_said_at_once(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(BadStateError, match=r"metrics\.jsonl' cannot be written \(Is a directory\): make it writable"):
        MetricsLog(tmp_path / "metrics.jsonl").append(row(1))


def test_what_waits_is_bounded_and_what_is_lost_is_counted(tmp_path, disk, monkeypatch):
    monkeypatch.setattr(growing_file, "MOST_WAITING", 3)
    file = GrowingFile(tmp_path / "f", lambda _: None)
    for number in range(5):
        file.append(f"{number}\n")
    with pytest.raises(BadStateError, match="lacks its last 5 lines .No space left on device"):
        file.close()
    disk.is_full = False
    file.close()
    assert not (tmp_path / "f").exists()


def test_a_line_is_whole_or_not_there(tmp_path):
    """RLIMIT_FSIZE of 25 bytes lets the third line of ten in by half: the file is cut back to two."""
    program = f"""
import resource, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from utils.training.record.growing_file import GrowingFile
file = GrowingFile(Path("f"), print)
resource.setrlimit(resource.RLIMIT_FSIZE, (25, resource.RLIM_INFINITY))
for number in range(4):
    file.append("123456789\\n")
assert Path("f").read_text() == "123456789\\n" * 2
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
file.append("last\\n")
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60, capture_output=True
    )
    assert (tmp_path / "f").read_text() == "123456789\n" * 4 + "last\n"
    assert finished.stdout.decode().splitlines() == [
        "'f' cannot be written (File too large): its lines wait until there is room, and the run goes on",
        "'f' is written again, with the 3 lines that have waited",
    ]


def test_rows_of_the_metrics_wait_and_their_order_stays(tmp_path, disk, caplog):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    metrics.append(row(1))
    metrics.append(row(2))
    disk.is_full = False
    metrics.append(row(3))
    assert [found["step"] for found in read_metrics(metrics.path)] == [1, 2, 3]
    assert ["cannot be written" in text for text in caplog.messages] == [True, False]


def test_a_run_that_ends_without_its_rows_says_so(tmp_path, disk):
    with (
        pytest.raises(BadStateError, match=r"metrics\.jsonl' lacks its last line .*all checkpoints are there"),
        RunFolder(tmp_path / "run") as folder,
    ):
        folder.begin("# Effective configuration\n")
        folder.metrics.append(row(1))
    with RunFolder(tmp_path / "run"):
        pass  # the lock is free


def test_another_fault_is_not_hidden_by_missing_rows(tmp_path, disk, caplog):
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path / "run") as folder:
        folder.begin("# Effective configuration\n")
        folder.metrics.append(row(1))
        raise KeyboardInterrupt
    assert "lacks its last line " in caplog.text


def test_cutting_on_a_full_disk_is_a_sentence_and_keeps_all_rows(tmp_path, monkeypatch):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    for step in (1, 2, 3):
        metrics.append(row(step))
    before = metrics.path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(BadStateError, match=r"metrics.jsonl' cannot be written \(No space .* go on with --resume=auto"):
        metrics.cut(1 / 9, keep_evaluation=True)
    assert metrics.path.read_bytes() == before
    assert os.listdir(tmp_path) == ["metrics.jsonl"]
    assert [json.loads(line)["step"] for line in before.splitlines()] == [1, 2, 3]


def test_the_log_goes_on_when_there_is_room_again(tmp_path, disk, capsys):
    disk.is_full = False
    set_up_logging(tmp_path / "train.log")
    logger = logging.getLogger("test")
    disk.is_full = True
    for number in range(3):
        logger.info("line %d", number)
    disk.is_full = False
    logger.info("line 3")
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["line 0", "line 1", "line 2", "line 3"]
    shown = capsys.readouterr().err.splitlines()
    assert [line.startswith("warning: ") for line in shown] == [False, True, False, False, False, True]
    assert "cannot be written (No space left on device" in shown[1]
    assert not any("Traceback" in line or "Logging error" in line for line in shown)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_standard_error_on_a_full_disk_ends_nothing(tmp_path):
    """As where a launcher has sent both streams to a log on the disk of the run."""
    program = f"""
import logging, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from utils.model_utils.command import run_command
from utils.training.record.logging_setup import set_up_logging
def main():
    set_up_logging(Path("train.log"))
    for number in range(2000):
        logging.getLogger("test").warning("a line of some length, number %d", number)
run_command(main, "tiny.py")
"""
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, stdout=full, stderr=full, check=False, timeout=60
        )
    assert finished.returncode == 0
    assert len((tmp_path / "train.log").read_text().splitlines()) == 2000
