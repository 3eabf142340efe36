"""Waiting in tests: for a condition instead of some seconds, with a limit that busy cores do not reach."""

import time

LIMIT_SECONDS = 120  # two other processes on the cores make what takes two seconds take ten


def wait_for(condition, seconds=LIMIT_SECONDS):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"waited {seconds} s in vain"
        time.sleep(0.02)
