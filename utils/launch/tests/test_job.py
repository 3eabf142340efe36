"""Limits of a job, shortened here: of a scheduler that does not end and of workers that do not stop."""

import dataclasses
import os
import signal
import sys
import threading

import pytest

from utils.launch import job
from utils.launch.job_devices import choose_job_devices
from utils.launch.job_plan import make_plan

pytestmark = pytest.mark.end_to_end


@pytest.fixture()
def plan(place, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(place.tree / "bin" / "python"))
    monkeypatch.setenv("PYTHONPATH", str(place.tree / "stand_in"))
    command = [sys.executable, str(place.tree / "suite" / "train.py")]
    plan = make_plan(choose_job_devices("2", "cpu"), command, place.here, folder="LOG{}", log="log.txt")
    for rank in plan.ranks:
        (rank.folder / "msrun").mkdir(parents=True)
    return plan


def test_a_scheduler_that_does_not_end_is_not_waited_for_without_limit(plan, place, monkeypatch, capfd):
    monkeypatch.setattr(job, "SCHEDULER_SECONDS", 1.0)
    monkeypatch.setenv("SCHEDULER_SECONDS", "50")
    monkeypatch.setenv("RECORDER_SECONDS", "1")
    assert job.run_job(plan, is_shown=False) == 1
    assert "error: all ranks have ended, but the scheduler has not after 1 s" in capfd.readouterr().err
    assert place.left() == []


def test_workers_that_do_not_stop_in_time_are_killed_and_the_handlers_are_as_before(plan, place, monkeypatch, capfd):
    monkeypatch.setenv("RECORDER_SECONDS", "50")
    monkeypatch.setenv("IS_DEAF", "1")
    before = signal.getsignal(signal.SIGTERM)

    def stop():
        for rank in (0, 1):
            place.call(rank)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    assert job.run_job(plan, is_shown=False, stop_seconds=0.5) == 143
    thread.join()
    assert "workers that were asked to stop have not within 0.5 s, they are killed" in capfd.readouterr().err
    assert place.left() == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_rank_that_does_not_come_to_its_command_is_named_with_what_it_said(plan, place, capfd):
    bad = dataclasses.replace(plan.ranks[1], cores=(4095,))
    assert job.run_job(dataclasses.replace(plan, ranks=(plan.ranks[0], bad)), is_shown=False) == 1
    errors = capfd.readouterr().err
    assert "OSError: [Errno 22] Invalid argument\nerror: rank 1 ended with exit code 1, the other ranks are" in errors
    assert place.left() == []


def test_what_msrun_needs_and_is_not_there_is_said_before_anything_starts(plan, place):
    (place.here / "LOG0" / "msrun").rmdir()
    with pytest.raises(job.BadStateError, match=r"msrun.log' cannot be used \(No such file or directory\)"):
        job.run_job(plan)
