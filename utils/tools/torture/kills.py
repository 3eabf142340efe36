"""Trainings whose whole process group is killed, again and again, and that go on with --resume=auto."""

import time

from utils.tools.torture.bench import Bench, Try
from utils.tools.torture.compare import unfinished_files
from utils.tools.torture.moments import condition_of, delay_after, draw_names
from utils.tools.torture.watched import Watched

KIND = "kills"


def try_kills(bench: Bench) -> Try:
    """Kills a training a few times, lets it end, and compares it with the undisturbed one."""
    tried, here = bench.new_try(KIND)
    reference = bench.reference()
    bench.fill(here)
    for name in draw_names(bench.suite, bench.draws, bench.draw_count()):
        delay = delay_after(name, reference.start_seconds, bench.draws)
        is_there = condition_of(name, bench.suite, here)
        with bench.start(here) as training:
            if not training.wait_for(is_there) or not _lives_for(training, delay):
                break  # it has come to its end before
            training.kill()
            left = training.left_over()
        tried.moments.append({"at": name, "delay": round(delay, 4), "in_writing": unfinished_files(here)})
        tried.lost += [f"process {pid} has outlived the kill" for pid in left] + bench.broken(here)
    bench.complete(tried, here)
    return tried


def _lives_for(training: Watched, seconds: float) -> bool:
    """Waits; returns whether the process is still there."""
    time.sleep(seconds)
    return training.is_there()
