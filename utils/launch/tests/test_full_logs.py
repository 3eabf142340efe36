"""A launcher whose log lies on a disk that gets full: the process ends as it does, and the launcher says it."""

import sys

import pytest

from utils.launch.processes.logged_process import LoggedProcess
from utils.model_utils.errors import BadStateError
from utils.tools.small_disk import small_disk

PROGRAM = """
import sys
try:
    print("x" * 9000, flush=True)
except OSError:
    sys.stdout = None
    sys.exit(3)
"""


@pytest.mark.parametrize("way", ["follow", "leave"])
def test_a_full_log_is_said_by_the_launcher(disk, capfd, way):
    with small_disk(disk, 4):
        process = LoggedProcess([sys.executable, "-c", PROGRAM], disk / "log.txt", {})
        code = process.follow() if way == "follow" else process.leave(60)
    assert code == 3
    sentence = f"error: the disk of '{disk / 'log.txt'}' is full, so that last lines may be missing: free some space"
    assert sentence in capfd.readouterr().err


def test_a_log_that_cannot_be_made_says_what_is_free(disk):
    wanted = r"log.txt' cannot be used \(No space left on device, it takes no more files\); check"
    with small_disk(disk, 64, files=0), pytest.raises(BadStateError, match=wanted):
        LoggedProcess([sys.executable, "-c", ""], disk / "log.txt", {})
