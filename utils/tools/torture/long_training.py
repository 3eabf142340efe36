"""One training of many epochs that is killed every few minutes, whatever it does at that moment, until it ends."""

from utils.tools.torture.bench import Bench, Try
from utils.tools.torture.compare import unfinished_files

KIND = "long training"
SECONDS = (120.0, 240.0)  # between two kills: a start and some hundred steps, also on a busy machine
EVALUATIONS = 10
LOG_INTERVAL = 10  # the curves of ten thousands of steps would take longer to draw than the steps


def try_long_training(bench: Bench) -> Try:
    """Kills a training every few minutes, and compares its end with an undisturbed one of as many epochs."""
    tried, here = bench.new_try(KIND)
    every = max(1, bench.epochs // EVALUATIONS)
    epochs = (f"--epoch_size={bench.epochs}", f"--eval_start_epoch={every}", f"--eval_interval={every}")
    arguments = (*epochs, bench.suite.rows_every(LOG_INTERVAL))
    bench.reference(*arguments)
    bench.fill(here)
    while True:
        delay = bench.draws.uniform(*SECONDS)
        with bench.start(here, *arguments) as training:
            if training.waits(delay, bench.patience):
                break
            training.kill()
            left = training.left_over()
        tried.moments.append({"at": f"{delay:.0f} s", "in_writing": unfinished_files(here)})
        tried.lost += [f"process {pid} has outlived the kill" for pid in left] + bench.broken(here)
    bench.complete(tried, here, *arguments)
    return tried
