"""The real msrun with two workers on the CPU that know nothing of MindSpore, one of which is killed."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end
MSRUN = Path(sys.executable).with_name("msrun")


@pytest.mark.skipif(not MSRUN.exists(), reason="no msrun beside this Python")
def test_a_killed_worker_ends_the_real_job_within_seconds_and_nothing_is_left(place):
    process = place.start("both.sh", "2", "cpu", "data", PYTHON=sys.executable, PYTHONPATH="", RECORDER_SECONDS="300")
    try:
        pids = [place.call(rank)["pid"] for rank in (0, 1)]
        variables = place.call(1)["environment"]
        os.kill(pids[1], signal.SIGKILL)
        _, errors = process.communicate(timeout=35)  # msrun by itself takes 40
    finally:
        process.terminate()
    assert process.returncode == 137
    assert "rank 1 at work\nan error of rank 1\nerror: rank 1 was ended by SIGKILL, the other ranks are" in errors
    assert place.left() == []
    assert not any(map(is_there, pids))
    wanted = {
        "RANK_ID": "1",
        "DEVICE_ID": "1",
        "RANK_SIZE": "2",
        "DEVICE_NUM": "2",
        "MS_ROLE": "MS_WORKER",
        "MS_NODE_ID": "1",
        "MS_WORKER_NUM": "2",
        "MS_SCHED_HOST": "127.0.0.1",
        "MS_TOPO_TIMEOUT": "600",
    }
    assert {name: variables[name] for name in wanted} == wanted
    assert shutil.which("python", path=variables["PATH"]) == str(Path(sys.executable).with_name("python"))


def is_there(pid):
    try:
        return ") Z " not in Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return False
