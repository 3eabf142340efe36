import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from utils.model_utils.errors import BadStateError
from utils.model_utils.host_lock import describe_owner, host_lock

HOLDER = """
import sys, time
from pathlib import Path
from utils.model_utils.host_lock import host_lock
with host_lock(Path(sys.argv[1]), "copies 'obs://b/data'", 5):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_who_waits_too_long_is_told_the_owner(tmp_path, holder):
    started = time.monotonic()
    expected = f"process {holder.pid} on {socket.gethostname()}, which copies 'obs://b/data'"
    with pytest.raises(BadStateError, match=expected), host_lock(tmp_path / "lock", "waits", 0.5):
        pass
    assert time.monotonic() - started >= 0.5
    assert holder.poll() is None


def test_the_lock_of_a_killed_process_is_free(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with host_lock(tmp_path / "lock", "goes on", 1):
        assert describe_owner(tmp_path / "lock") == f"process {os.getpid()} on {socket.gethostname()}, which goes on"


def test_the_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), host_lock(tmp_path / "lock", "fails", 1):
        raise ZeroDivisionError
    with host_lock(tmp_path / "lock", "goes on", 0):
        pass


def test_an_owner_that_has_not_written_its_name_is_another_process(tmp_path):
    (tmp_path / "lock").write_text("")
    assert describe_owner(tmp_path / "lock") == "another process"


def test_a_lock_that_cannot_be_made_is_said(tmp_path):
    with pytest.raises(BadStateError, match="cannot be made"), host_lock(tmp_path / "absent" / "lock", "", 0):
        pass
