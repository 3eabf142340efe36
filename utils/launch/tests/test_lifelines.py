"""Workers that miss one another, as processes without MindSpore; what the sums carry goes over a file."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utils.launch.processes.lifeline_meeting import meet, own_address
from utils.launch.processes.lifelines import DIED, DONE, FAILED, STOPPED, Lifelines, held_lifelines
from utils.model_utils.workers import ALONE, Workers

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 60
# Meets the others, says so, and waits until it is told by a line how to leave, or for ever; holding Python's lock if so
# wanted, as a compilation does.
WORKER = """
import ctypes, json, os, pathlib, sys, time
from utils.launch.processes.lifeline_meeting import meet
from utils.launch.processes.lifelines import PATIENCE, Lifelines
from utils.model_utils.workers import Workers
rank, count, here = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
class Told(Workers):
    def broadcast(self, value):
        place = here / "place"
        if self.is_main:
            place.with_suffix(".tmp").write_text(json.dumps(value))
            place.with_suffix(".tmp").rename(place)
        while not place.exists():
            time.sleep(0.01)
        return json.loads(place.read_text())
connections = meet(Told(rank, count), "127.0.0.1")
lifelines = Lifelines(rank, connections, {**PATIENCE, **json.loads(sys.argv[4])})
if len(sys.argv) > 5:
    if not os.fork():
        time.sleep(60)
print("met", flush=True)
word = sys.stdin.readline().strip()
if not word:
    time.sleep(60)
if word == "hold the lock":
    ctypes.PyDLL(None).sleep(3)
    time.sleep(30)
lifelines.leave(word)
print("left", flush=True)
"""


@pytest.fixture()
def workers(tmp_path):
    """Starts a number of workers that have met; all of them are gone after the test."""
    started = []

    def start(count, patience=None, *options):
        for rank in range(count):
            started.append(
                subprocess.Popen(
                    [
                        sys.executable,
                        "-Wignore::DeprecationWarning",  # from 3.12 on of a fork beside threads, in a main program
                        "-c",
                        WORKER,
                        str(rank),
                        str(count),
                        str(tmp_path),
                        json.dumps(patience or {}),
                        *options,
                    ],
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    bufsize=1,
                    start_new_session=True,
                )
            )
        for process in started:
            wait_for_line(process, "met")
        return started

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with its loader
        process.communicate()


def wait_for_line(process, wanted):
    assert process.stdout.readline() == f"{wanted}\n", process.communicate()


def tell(process, word):
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def end_of(process):
    _, errors = process.communicate(timeout=LIMIT)
    return process.returncode, errors


def sentence(lost, own, how="has died"):
    return (
        f"error: rank {lost} on 127.0.0.1 {how}; rank {own} ends with it: start again with --resume=auto, which goes "
        "on from the last checkpoint, also with fewer workers\n"
    )


@pytest.mark.parametrize("lost", [0, 2])
def test_a_dead_worker_is_known_to_all_others_at_once(lost, workers):
    started = workers(3, {DIED: 0.5})
    began = time.monotonic()
    started[lost].kill()
    others = [rank for rank in range(3) if rank != lost]
    assert [end_of(started[rank]) for rank in others] == [(1, sentence(lost, rank)) for rank in others]
    assert time.monotonic() - began < 5  # half a second where the machine has nothing else to do


def test_workers_that_are_done_miss_nobody(workers):
    started = workers(3)
    for rank in (2, 0, 1):
        tell(started[rank], DONE)
    assert [end_of(process) for process in started] == [(0, "")] * 3


@pytest.mark.parametrize(
    ("word", "how"), [(FAILED, "has failed, see its log"), (STOPPED, "was asked to stop, and the others were not")]
)
def test_others_that_do_not_leave_by_themselves_end_after_a_while(word, how, workers):
    started = workers(3, {word: 1.0})
    tell(started[1], word)
    tell(started[0], word)  # it has the same reason, and leaves by itself
    assert end_of(started[1]) == (0, "")
    assert end_of(started[0]) == (0, "")
    code, errors = end_of(started[2])
    assert (code, how in errors) == (1, True)


def test_a_loader_that_outlives_its_worker_does_not_stand_for_it_and_ends_with_another(workers):
    started = workers(2, {DIED: 0.1}, "with a loader")
    os.kill(started[1].pid, signal.SIGKILL)
    assert started[0].wait(timeout=10) == 1  # the loaders have the output, and that of the killed one lives on
    assert started[0].stderr.read() == sentence(1, 0)


def test_a_worker_that_holds_pythons_lock_is_not_missed(workers):
    started = workers(2, {DIED: 0.1})
    tell(started[1], "hold the lock")
    with pytest.raises(subprocess.TimeoutExpired):
        started[0].wait(timeout=2)
    assert started[1].poll() is None


def test_nothing_is_watched_alone_or_beside_a_launcher_on_one_host(monkeypatch):
    monkeypatch.setattr("utils.launch.processes.lifelines.meet", None)
    for variables in ({}, {"MS_SCHED_PORT": "9", "LAUNCH_JOB_HOSTS": "1"}):
        with pytest.MonkeyPatch.context() as patch:
            for name, text in variables.items():
                patch.setenv(name, text)
            with held_lifelines(Workers(1, 2)):
                pass
    monkeypatch.setenv("MS_SCHED_PORT", "9")
    with held_lifelines(ALONE):
        pass


@pytest.mark.parametrize(
    ("error", "word"), [(None, "done"), (ValueError, "failed"), (KeyboardInterrupt, "stopped"), (SystemExit, "failed")]
)
def test_how_the_block_ends_is_what_the_others_are_told(error, word, monkeypatch):
    near, far = connected()
    monkeypatch.setattr("utils.launch.processes.lifelines.meet", lambda *_: {1: near})
    monkeypatch.setenv("MS_SCHED_PORT", "9")
    try:
        with held_lifelines(Workers(0, 2)):
            if error:
                raise error
    except BaseException as caught:
        assert type(caught) is error
    assert far.recv(100) == f"0 {word} ".encode().ljust(64)
    assert far.recv(1) == b""
    near.close()
    far.close()


def connected():
    """Returns both ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        return near, listener.accept()[0]


class Main(Workers):
    """Worker 0, whose broadcast starts the others."""

    def __init__(self, count, others):
        super().__init__(0, count)
        object.__setattr__(self, "_others", others)

    def broadcast(self, value):
        self._others(value)
        return value


def test_strangers_do_not_join_and_a_rank_that_does_not_come_is_said(caplog):
    """Silent, without the token, with another rank than there is, or one that is there: the listener lets none in."""
    opened = []

    def come(place):
        host, port, token = place
        assert len(token) == 32
        greetings = ["", "GET / HTTP/1.1\r\n\r\n", f"{'0' * 32}00000001", f"{token}00000000", f"{token}00000003"]
        for greeting in (*greetings, f"{token}00000001", f"{token}00000001", f"{token}1"):
            opened.append(socket.create_connection((host, port), timeout=5))
            opened[-1].sendall(greeting.encode())
        opened[0].shutdown(socket.SHUT_WR)

    found = meet(Main(3, come), "127.0.0.1", seconds=1.0)
    assert list(found) == [1]
    assert "rank 2 did not come to port" in caplog.text
    for index, connection in enumerate(opened):
        content = connection.recv(100)
        assert (content[32:] == b"00000000") == (index == 5), content
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", opened_port(caplog)))
    found[1].close()


def opened_port(caplog):
    return int(caplog.text.partition("did not come to port ")[2].partition(" ")[0])


def test_without_a_place_to_meet_the_job_goes_on_unwatched(caplog):
    told = []
    assert meet(Main(2, told.append), "203.0.113.1") == {}  # of documentation: no host has it
    assert told == [None]
    assert "203.0.113.1 cannot be listened on" in caplog.text
    lifelines = Lifelines(0, {})
    lifelines.leave(FAILED)


def test_the_own_address_is_that_on_the_way_to_the_scheduler(monkeypatch):
    monkeypatch.setenv("MS_SCHED_HOST", "localhost")
    monkeypatch.setenv("MS_SCHED_PORT", "8118")
    assert own_address() in ("127.0.0.1", "::1")
    monkeypatch.delenv("MS_SCHED_HOST")
    assert own_address() == ""
