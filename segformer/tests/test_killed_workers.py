"""What a worker that is killed with SIGKILL leaves: before the first step, in mid-epoch, and in an evaluation.

The three happen to one run, one after the other, and each time `--resume=auto` goes on. A picture that is replaced by a
named pipe holds the workers at the place where one of them is killed.
"""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segformer.tests.tiny_city import image_path, write_city
from utils.randomness import epoch_order
from utils.training.checkpoints.checkpoint import load_checkpoint

SUITE = Path(__file__).resolve().parent.parent
NUM_IMAGES, STEPS, NUM_VALIDATION = 24, 12, 4
ARGUMENTS = (
    "--config_path=config/custom.yaml",
    "--run_dir=run",
    "--data_path=city",
    "--device_target=CPU",
    "--class_num=4",
    "--backbone_widths=[4,8,10,16]",
    "--backbone_depths=[1,1,1,1]",
    "--decoder_channels=8",
    "--base_size=[32,64]",
    "--crop_size=[32,48]",
    "--dataset_num_parallel_workers=1",
    "--dataset_eval_num_parallel_workers=1",
    "--batch_size=1",
    "--epoch_size=2",
    "--run_eval=True",
    "--eval_interval=1",
    "--train_log_interval=1",
    "--seed=1",
    "--resume=auto",
    "--warmup_steps=0",
    "--optimizer=sgd",
    "--clip_norm=0",
    "--ema_decay=0",  # less to compile
)
TEMPORARY = ("*.tmp", "*.tmp.*", ".*.tmp*")

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not Path(sys.executable).with_name("msrun").exists(), reason="no msrun beside this Python"),
]


class Job:
    """Two workers of one run, which train.py starts itself."""

    def __init__(self, here):
        self.here, self.run = here, here / "run"
        self.logs = [self.run / "msrun" / f"rank{rank}.log" for rank in (0, 1)]
        self._starts = [len(log.read_text()) if log.exists() else 0 for log in self.logs]
        environment = {name: text for name, text in os.environ.items() if not name.startswith(("MS_", "RANK_"))}
        self._process = subprocess.Popen(
            [sys.executable, str(SUITE / "train.py"), *ARGUMENTS, "--run_distribute=True", "--device_num=2"],
            cwd=here,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self, rank):
        """Returns what a rank has written in this job."""
        log = self.logs[rank]
        return log.read_text()[self._starts[rank] :] if log.exists() else ""

    def wait_for(self, condition):
        limit = time.monotonic() + 240
        while not condition():
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() < limit, self.said(0) + self.said(1)
            time.sleep(0.02)

    def kill(self, rank):
        """Kills a rank; returns exit code and errors of the job, and how many seconds it took to end."""
        pid = next(
            pid
            for pid in marked(self.here)
            if variable(pid, "RANK_ID") == str(rank) and variable(pid, "MS_ROLE") == "MS_WORKER"
        )
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        _, errors = self._process.communicate(timeout=60)
        return self._process.returncode, errors, time.monotonic() - began

    def end(self):
        for pid in marked(self.here):
            os.kill(pid, signal.SIGKILL)
        self._process.kill()


@pytest.fixture()
def start(tmp_path):
    """Starts a job; all of them are gone after the test."""
    jobs = []

    def start():
        jobs.append(Job(tmp_path))
        return jobs[-1]

    yield start
    for job in jobs:
        job.end()


def marked(here):
    """Numbers of the processes of a job in a folder, by the mark that they hand on."""
    wanted = f"LAUNCH_JOB={here / 'run'}#"
    found = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [pid for pid in found if wanted in read(pid, "environ") and ") Z " not in read(pid, "stat")]


def variable(pid, name):
    entries = dict(entry.split("=", 1) for entry in read(pid, "environ").split("\0") if "=" in entry)
    return entries.get(name)


def read(pid, file):
    try:
        return Path("/proc", str(pid), file).read_text(errors="replace")
    except OSError:
        return ""


@contextlib.contextmanager
def held(picture):
    """Puts a pipe in a picture's place; yields whether a process has come to read it, which then waits for content."""
    kept = picture.with_name("kept")
    picture.rename(kept)
    os.mkfifo(picture)
    ends = []

    def is_read():
        try:
            ends.append(os.open(picture, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            assert error.errno == errno.ENXIO
            return False
        return True

    try:
        yield is_read
    finally:
        kept.rename(picture)
        for end in ends:
            os.close(end)


def rows(run, kind):
    path = run / "metrics.jsonl"
    found = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return [row for row in found if row["kind"] == kind]


def checkpoint(run, epoch):
    return run / "checkpoint" / f"segformer_mit_b0_{epoch}.ckpt"


def check_end(job, rank, last_words, code, errors, seconds):
    """The same for each death: who it was, its last lines, the code, in time, and nothing left."""
    assert code == 137, errors
    assert seconds < 60
    assert errors.endswith(
        f"error: rank {rank} was ended by SIGKILL, the other ranks are stopped; its last lines "
        f"stand above, the others in '{job.logs[rank]}'\n"
    )
    assert last_words in errors
    assert marked(job.here) == []
    assert [path for pattern in TEMPORARY for path in job.run.rglob(pattern)] == []


@pytest.mark.long_run
def test_a_killed_worker_ends_the_job_and_resume_goes_on(tmp_path, start):
    data = write_city(tmp_path / "city", {"train": NUM_IMAGES, "val": NUM_VALIDATION}, 32, 64)
    run = tmp_path / "run"

    job = start()  # before the first step
    job.wait_for(lambda: f"{NUM_IMAGES} images" in job.said(1))
    check_end(job, 1, f"{NUM_IMAGES} images, 4 classes", *job.kill(1))
    assert not rows(run, "step")
    assert not list(run.rglob("*.ckpt"))

    job = start()  # in mid-epoch
    job.wait_for(lambda: checkpoint(run, 1).exists())
    pictures = sorted((data / "leftImg8bit" / "train").rglob("*.png"))
    with held(pictures[epoch_order(1, 2, NUM_IMAGES)[-1]]) as is_read:  # of the last step
        job.wait_for(is_read)
        job.wait_for(lambda: any(row["epoch"] == 2 and row["step"] >= 3 for row in rows(run, "step")))
        check_end(job, 0, "epoch 2", *job.kill(0))
    assert rows(run, "step")[-1]["step"] < STEPS
    state = load_checkpoint(checkpoint(run, 1))
    assert (state.epoch, state.step_in_epoch, state.epoch_done) == (1, STEPS, True)

    job = start()  # in an evaluation
    job.wait_for(
        lambda: (
            f"resuming at epoch 1 step {STEPS} of {STEPS}" in job.said(0)
            and all(f"values of {NUM_VALIDATION} labels" in job.said(rank) for rank in (0, 1))
        )
    )  # their headers are read
    with held(image_path(data, "val", 1)) as is_read:
        job.wait_for(is_read)
        job.wait_for(lambda: checkpoint(run, 2).exists())
        check_end(job, 1, "[rank 1] epoch 2/2", *job.kill(1))
    assert [row["epoch"] for row in rows(run, "evaluation")] == [1]
    state = load_checkpoint(checkpoint(run, 2))
    assert (state.epoch, state.step_in_epoch, state.epoch_done) == (2, STEPS, False)

    alone = [sys.executable, str(SUITE / "train.py"), *ARGUMENTS, "--batch_size=2"]
    finished = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
    assert f"resuming at epoch 2 step {STEPS}" in finished.stdout + finished.stderr
    assert [row["epoch"] for row in rows(run, "evaluation")] == [1, 2]
    assert [(row["epoch"], row["step"]) for row in rows(run, "step")] == [
        (epoch, step) for epoch in (1, 2) for step in range(1, STEPS + 1)
    ]
