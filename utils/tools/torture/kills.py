"""Trainings whose whole process group is killed, again and again, and that go on with --resume=auto.

Small ones are killed at chosen moments; a long one every few minutes, whatever it does then.
"""

import time

from utils.tools.torture.bench import Bench, Try
from utils.tools.torture.compare import unfinished_files
from utils.tools.torture.moments import condition_of, delay_after, draw_names
from utils.tools.torture.watched import Watched

KIND, LONG_KIND = "kills", "long training"
LONG_SECONDS = (120.0, 240.0)  # between two kills: a start and some hundred steps, also on a busy machine
LONG_EVALUATIONS = 10
LONG_LOG_INTERVAL = 10  # the curves of ten thousands of steps would take longer to draw than the steps


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


def try_long_training(bench: Bench) -> Try:
    """Kills a training every few minutes, and compares its end with an undisturbed one of as many epochs."""
    tried, here = bench.new_try(LONG_KIND)
    every = max(1, bench.epochs // LONG_EVALUATIONS)
    epochs = (f"--epoch_size={bench.epochs}", f"--eval_start_epoch={every}", f"--eval_interval={every}")
    arguments = (*epochs, bench.suite.rows_every(LONG_LOG_INTERVAL))
    bench.reference(*arguments)
    bench.fill(here)
    while True:
        delay = bench.draws.uniform(*LONG_SECONDS)
        with bench.start(here, *arguments) as training:
            if training.waits(delay, bench.patience):
                break
            training.kill()
            left = training.left_over()
        tried.moments.append({"at": f"{delay:.0f} s", "in_writing": unfinished_files(here)})
        tried.lost += [f"process {pid} has outlived the kill" for pid in left] + bench.broken(here)
    bench.complete(tried, here, *arguments)
    return tried


def _lives_for(training: Watched, seconds: float) -> bool:
    """Waits; returns whether the process is still there."""
    time.sleep(seconds)
    return training.is_there()
