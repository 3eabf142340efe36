"""What is read for long is held, and only what nobody holds can be claimed; across processes and forked children."""

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from utils.model_utils import in_use
from utils.model_utils.in_use import claim, hold

READER = """
import os, sys, time
from pathlib import Path
from utils.model_utils.in_use import hold
held = hold(Path(sys.argv[1]))
if "fork" in sys.argv and os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
time.sleep(600)
"""
ROOT = Path(in_use.__file__).parents[2]


@pytest.fixture(params=["file", "folder"])
def place(request, tmp_path):
    path = tmp_path / "place ä"
    path.mkdir() if request.param == "folder" else path.write_text("content")
    return path


def start_reader(*arguments) -> tuple[subprocess.Popen, int]:
    """Starts a process that holds a path; returns the id of the one that has it, which may be its child."""
    command = [sys.executable, "-c", READER, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def test_readers_share_and_nobody_claims_what_they_read(place):
    first, second = hold(place), hold(place)
    assert first.is_locked and second.is_locked
    assert claim(place) is None
    first.close()
    assert claim(place) is None
    del second  # forgotten
    with claim(place) as claimed:
        assert claimed.is_locked
        assert hold(place) is None
        assert claim(place) is None
    assert hold(place).is_locked


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_a_process_holds_until_it_is_gone_however_it_ends(place, how):
    """And a child, as the processes that load images are, when its parent has ended."""
    process, reader = start_reader(place, how)
    if how == "fork":
        process.wait(30)
    try:
        assert claim(place) is None
    finally:
        os.kill(reader, signal.SIGKILL)
    process.communicate(timeout=30)  # to the end of its output: the reader is gone
    assert claim(place).is_locked


def test_a_hold_that_ends_at_this_moment_refuses_nobody(place):
    """As one does that a process has for a moment while it is being started."""
    held = hold(place)
    threading.Timer(in_use.START_SECONDS / 5, held.close).start()
    assert claim(place) is not None


def test_a_file_that_takes_the_place_of_a_held_one_is_another(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    held = hold(path)
    assert held.is_of(path)
    (tmp_path / "new").write_text("new")
    os.replace(tmp_path / "new", path)
    assert not held.is_of(path)
    assert claim(path).is_locked
    path.unlink()
    assert not held.is_of(path)


def test_where_there_are_no_locks_it_is_read_all_the_same_and_said_once(place, monkeypatch, caplog):
    caplog.set_level(logging.INFO)

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert not hold(place).is_locked
    assert [message for message in caplog.messages if "cannot be locked here" in message] == [
        f"'{place}' cannot be locked here: nothing keeps another run from replacing it while it is read"
    ]
    assert not claim(place).is_locked


def test_nothing_is_written_to_hold_something(place):
    before = sorted(place.parent.rglob("*")), place.stat().st_mtime_ns
    with hold(place):
        assert (sorted(place.parent.rglob("*")), place.stat().st_mtime_ns) == before
