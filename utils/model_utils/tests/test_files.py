"""The one writer of result files: whole or not at all, a sentence with the reason, nothing left beside it."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from utils.model_utils import files
from utils.model_utils.errors import BadStateError
from utils.model_utils.files import remove_leftovers, replaced_file, write_file

ROOT = Path(files.__file__).parents[2]


def refuse(*_arguments, **_more):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_bytes_and_permissions_are_those_of_an_ordinary_write(tmp_path):
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "new" / "a.json", b"\x00content")
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "a.json").read_bytes() == b"\x00content"
    assert (tmp_path / "new" / "a.json").stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path / "new") == ["a.json"]


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_full_disk_is_a_sentence_with_what_is_free_and_the_older_file_stays(tmp_path, monkeypatch, call):
    path = tmp_path / "a.json"
    path.write_bytes(b"older")
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="No space left on device"), replaced_file(path, is_forced=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["a.json"]


def test_the_sentence_names_file_reason_room_and_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(BadStateError) as caught:
        write_file(tmp_path / "a.png", b"new", "do that", "picture")
    sentence = rf"picture '{re.escape(str(tmp_path))}/a\.png' cannot be written "
    sentence += r"\(No space left on device, \d+\.\d MB are free\): do that"
    assert re.fullmatch(sentence, str(caught.value))
    assert os.listdir(tmp_path) == []


def test_a_block_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), replaced_file(tmp_path / "a") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_file_that_outgrows_a_limit_is_a_sentence(tmp_path):
    """RLIMIT_FSIZE of 1000 bytes, which needs no root: 1000 of 5000 bytes are written before the system refuses."""
    program = f"""
import resource, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from utils.model_utils.command import run_command
from utils.model_utils.files import write_file
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
run_command(lambda: write_file(Path("big.json"), bytes(5000)), "tiny.py")
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert finished.returncode == 2
    assert finished.stderr == (
        "tiny.py: error: 'big.json' cannot be written (File too large): free some space or make its folder writable, "
        "then give the command again\n"
    )
    assert os.listdir(tmp_path) == []


def test_what_killed_processes_have_left_is_removed_and_nothing_else(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    kept = {".a.json.tmp", "a.json.7.tmp", f".a.json.{os.getppid()}.tmp", ".run.lock"}
    for name in (*kept, f".metrics.jsonl.{ended.pid}.tmp", f".metrics.jsonl.{os.getpid()}.tmp"):
        (tmp_path / name).write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert set(os.listdir(tmp_path)) == kept
    remove_leftovers(tmp_path / "absent")


def test_a_folder_that_takes_no_more_files_says_so(tmp_path, monkeypatch):
    found = os.statvfs(tmp_path)
    values = list(found)
    values[5], values[7] = 1000, 0  # f_files, f_favail
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))
    assert files.free_space(tmp_path / "absent" / "folder") == "it takes no more files"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_command_whose_output_goes_to_a_full_disk_ends_with_a_sentence_or_well(stream):
    """What it prints is its result; what it says on standard error is not."""
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from utils.model_utils.command import run_command
run_command(lambda: print("x" * 10, file=sys.{stream}), "tiny.py")
"""
    with Path("/dev/full").open("w") as full:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: full}
        finished = subprocess.run([sys.executable, "-c", program], text=True, check=False, timeout=60, **pipes)
    assert finished.returncode == 2
    if stream == "stdout":
        assert finished.stderr == (
            "tiny.py: error: standard output, or a file, cannot be written (No space left on device): free some space, "
            "then give the command again\n"
        )
