"""Processes in tests: run to their end, or until something is so, with a limit that busy cores do not reach."""

import subprocess
import time

LIMIT_SECONDS = 120  # two other processes on the cores make what takes two seconds take ten


def finish(*command, cwd=None, env=None, seconds=LIMIT_SECONDS):
    """Runs a command to its end; returns its exit code and what it has said."""
    return subprocess.run(
        [*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True, timeout=seconds, check=False
    )


def wait_for(condition, seconds=LIMIT_SECONDS):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"waited {seconds} s in vain"
        time.sleep(0.02)
