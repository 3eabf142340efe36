"""Jobs on two hosts, which are two network namespaces: late hosts, dead hosts and cut cables end as documented.

The documented launcher runs on both with a rank table of two servers, in one folder, as over a shared file system.
"""

import os
import re
import signal
import sys
import time

import pytest

from segformer.tests.tiny_city import write_city
from tests.suites import LIMIT, SEGFORMER, rows_of, run
from tests.two_hosts import ADDRESSES, TwoHosts, reason_against
from utils.tests.processes import wait_for

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(bool(reason_against()), reason=reason_against()),
]
LAUNCHER = SEGFORMER.path / "scripts" / "run_distribute_train.sh"
ARGUMENTS = (
    *SEGFORMER.tiny.TOY,
    "--crop_size=[32,48]",
    "--base_size=[32,64]",
    "--warmup_steps=0",
    "--optimizer=sgd",
    "--clip_norm=0",
    "--ema_decay=0",
    "--train_log_interval=1",
    "--run_eval=False",
    "--resume=auto",
)
STEPS = 4
TEMPORARY = ("*.tmp", "*.tmp.*", ".*.tmp*")
ENDED = 15  # seconds: what is seen is 3 to 5; nobody waits for MindSpore's scheduler, which takes 30
LOST = (
    "error: rank {} on {} {}; rank {} ends with it: start again with --resume=auto, which goes on from the last "
    "checkpoint, also with fewer workers\n"
)
SILENT = "has not been heard of for 28 s: its host is down, or the network is cut"


class Job:
    """A training that goes on until something happens to it."""

    def __init__(self, here):
        self.here, self.run = here, here / "run_distribute_train_device0"
        self.hosts = TwoHosts(here)
        self.launchers = [None, None]
        write_city(here / "city", {"train": 2 * STEPS, "val": 1}, 32, 64)

    def start(self, host, **variables):
        """Starts a host's part."""
        command = ["bash", LAUNCHER, 2, self.hosts.table, "config/custom.yaml", "city"]
        environment = {**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1", **variables}
        options = ("--epoch_size=100000", "--batch_size=1")
        self.launchers[host] = self.hosts.start(
            host, [*command, *ARGUMENTS, *options], cwd=self.here, env=environment, start_new_session=True
        )

    def start_both(self):
        """Starts both parts; returns when a checkpoint is written and the second epoch trains."""
        for host in (0, 1):
            self.start(host)
        self.wait_for_steps(STEPS + 1)

    def steps(self):
        """Returns the number of steps that the run has noted."""
        return len(rows_of(self.run, "step")) if (self.run / "metrics.jsonl").exists() else 0

    def wait_for_steps(self, number):
        def is_there():
            for launcher in filter(None, self.launchers):
                assert launcher.poll() is None, launcher.communicate()
            return self.steps() >= number

        wait_for(is_there, LIMIT)

    def end_of(self, host, seconds=LIMIT):
        """Returns a host's exit code and sentences."""
        _, errors = self.launchers[host].communicate(timeout=seconds)
        return self.launchers[host].returncode, errors

    def check_nothing_is_left(self):
        for host in (0, 1):
            assert self.hosts.processes(host) == []
            assert self.hosts.ports(host) == []
        assert [path for pattern in TEMPORARY for path in self.here.rglob(pattern)] == []

    def go_on(self, number):
        """Goes on with one worker, or two on one host, for an epoch more, with the images of a step as before."""
        epoch = max(int(re.search(r"\d+$", path.stem)[0]) for path in (self.run / "checkpoint").glob("*_[0-9]*.ckpt"))
        options = (f"--epoch_size={epoch + 1}", f"--batch_size={2 // number}")
        if number == 1:
            train = [sys.executable, SEGFORMER.path / "train.py", "--data_path=city", f"--run_dir={self.run}"]
        else:
            train = ["bash", LAUNCHER, number, "cpu", "config/custom.yaml", "city"]
        finished = run([*train, *ARGUMENTS, *options], self.here, PYTHON=sys.executable, FOREGROUND="1")
        said = finished.stdout + finished.stderr
        assert finished.returncode == 0, said
        assert f"resuming at epoch {epoch} step {STEPS} of {STEPS} from" in said
        assert [row["global_step"] for row in rows_of(self.run, "step")] == list(range(1, STEPS * (epoch + 1) + 1))


@pytest.fixture()
def job(tmp_path):
    job = Job(tmp_path)
    yield job
    job.hosts.close()


def errors_where_a_host_dies(job, dead):
    """Kills all processes of one of two hosts; returns the sentences of the other, which has to end at once."""
    job.start_both()
    job.hosts.kill(dead)
    began = time.monotonic()
    code, errors = job.end_of(1 - dead)
    assert time.monotonic() - began < ENDED
    assert code == 1
    assert LOST.format(dead, ADDRESSES[dead], "has died", 1 - dead) in errors
    return errors


def test_a_host_that_dies_ends_the_other_at_once_and_one_worker_goes_on(job):
    errors = errors_where_a_host_dies(job, 1)
    assert "error: rank 0 ended with exit code 1, the other ranks are stopped; its last lines stand above" in errors
    job.check_nothing_is_left()
    job.go_on(1)


@pytest.mark.long_run
def test_where_the_host_of_rank_0_dies_the_other_ends_and_two_workers_on_one_host_go_on(job):
    errors_where_a_host_dies(job, 0)
    job.check_nothing_is_left()
    job.go_on(2)


@pytest.mark.long_run
def test_a_worker_that_dies_ends_both_hosts_at_once(job):
    job.start_both()
    (pid,) = [pid for pid in job.hosts.processes(1) if is_worker(pid)]
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    ends = [job.end_of(host) for host in (1, 0)]
    assert time.monotonic() - began < ENDED
    assert [code for code, _ in ends] == [137, 1]
    assert "error: rank 1 was ended by SIGKILL, the other ranks are stopped" in ends[0][1]
    assert LOST.format(1, ADDRESSES[1], "has died", 0) in ends[1][1]
    job.check_nothing_is_left()


def is_worker(pid):
    with open(f"/proc/{pid}/cmdline") as file:
        return "segformer/train.py\0--run_dir" in file.read()


@pytest.mark.long_run
def test_a_host_that_comes_late_joins_and_a_cable_that_is_cut_for_20_seconds_costs_nothing(job):
    job.start(0)
    time.sleep(20)
    job.start(1)
    job.wait_for_steps(STEPS + 1)
    job.hosts.cut()
    time.sleep(20)
    before = job.steps()
    job.hosts.mend()
    job.wait_for_steps(before + STEPS)
    os.kill(job.launchers[0].pid, signal.SIGTERM)  # on one host is enough
    ends = [job.end_of(host) for host in (0, 1)]
    assert [code for code, _ in ends] == [143, 143], ends
    job.check_nothing_is_left()


@pytest.mark.long_run
def test_a_cable_that_is_cut_for_two_minutes_ends_both_hosts_within_half_a_minute(job):
    job.start_both()
    job.hosts.cut()
    began = time.monotonic()
    ends = [job.end_of(host, 120) for host in (0, 1)]
    assert time.monotonic() - began < 28 + ENDED
    for host, (code, errors) in enumerate(ends):
        assert code == 1
        assert LOST.format(1 - host, ADDRESSES[1 - host], SILENT, host) in errors, errors[-2000:]
    job.check_nothing_is_left()
    job.hosts.mend()
    job.go_on(1)


@pytest.mark.long_run
@pytest.mark.parametrize("host", [0, 1])
def test_a_host_that_does_not_come_is_waited_for_as_long_as_documented(host, job):
    job.start(host, MS_TOPO_TIMEOUT="10")
    code, errors = job.end_of(host)
    assert code == 2, errors
    assert "the 2 processes of the job have not found each other" in errors
    assert "start all again, on every host within 10 s (MS_TOPO_TIMEOUT)" in errors
    job.check_nothing_is_left()
