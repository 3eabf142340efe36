"""Jobs of two workers, one of which is killed: the job has to end soon and to say why, and goes on afterwards."""

import os
import re
import signal
import time

from utils.tools.torture.bench import Bench, Try, last_line, two_workers
from utils.tools.torture.compare import unfinished_files
from utils.tools.torture.moments import CHECKPOINT, EVALUATION, SAVED, START, STEP, condition_of, delay_after
from utils.tools.torture.watched import Watched

KIND = "worker deaths"
MOMENTS = (START, STEP, STEP, CHECKPOINT, SAVED, EVALUATION)
END_SECONDS = 5  # from the death of a worker to the end of its job, also where the machine does much else
CODE = 128 + signal.SIGKILL
_SENTENCE = "error: rank {} was ended by SIGKILL, the other ranks are stopped"


def try_worker_deaths(bench: Bench) -> Try:
    """Kills workers of a job of two, one after the other, lets it end, and compares it with the undisturbed job."""
    tried, here = bench.new_try(KIND)
    arguments = two_workers()
    reference = bench.reference(*arguments)
    bench.fill(here)
    names = sorted((bench.draws.choice(MOMENTS) for _ in range(bench.draw_count())), key=MOMENTS.index)
    for name, rank in [(name, bench.draws.randrange(2)) for name in names]:
        delay = delay_after(name, reference.start_seconds / 2, bench.draws)
        is_there = condition_of(name, bench.suite, here)
        with bench.start(here, *arguments) as training:
            if not training.wait_for(is_there) or not _kill_worker(training, rank, delay):
                break  # the job, or the worker, has come to its end before
            seen = _end_of(training, rank, tried)
        writing = unfinished_files(here)
        tried.moments.append({"at": name, "delay": round(delay, 4), "rank": rank, **seen, "in_writing": writing})
        tried.lost += bench.broken(here)
    bench.complete(tried, here, *arguments)
    return tried


def _kill_worker(training: Watched, rank: int, delay: float) -> bool:
    """Kills a worker a while after it is there; returns whether it was still there."""
    found: dict[int, int] = {}

    def is_found() -> bool:
        found.update(training.workers())
        return rank in found

    if not training.wait_for(is_found, 0.02):
        return False
    time.sleep(delay)
    try:
        os.kill(found[rank], signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _end_of(training: Watched, rank: int, tried: Try) -> dict[str, object]:
    """Watches the end of a job, and notes what is not as it has to be."""
    began = time.monotonic()
    code = training.finish()
    seconds = time.monotonic() - began
    output, left = training.output, training.left_over()
    sentences = re.findall(r"(?m)^error: .*", output)
    if code != CODE or len(sentences) != 1 or not sentences[0].startswith(_SENTENCE.format(rank)):
        tried.lost.append(f"rank {rank} dies: exit code {code}, {len(sentences)} sentences, {last_line(output)}")
    if seconds > END_SECONDS:
        tried.lost.append(f"the job ends {seconds:.0f} s after the death of a worker, wanted {END_SECONDS}")
    tried.lost += ["a traceback"] * ("Traceback" in output)
    tried.lost += [f"process {pid} has outlived the job" for pid in left]
    return {"seconds": round(seconds, 1)}
