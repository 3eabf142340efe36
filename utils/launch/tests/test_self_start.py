"""train.py as the start of its own job, as one of several that a launcher has started, and alone."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utils.launch import platform_job, self_start
from utils.launch.platform_job import join_platform_job
from utils.launch.processes.ports import free_port
from utils.launch.processes.scheduler import wait_for_scheduler
from utils.launch.self_start import start_or_join
from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import RuntimeKeys
from utils.model_utils.errors import BadStateError, BadValueError
from utils.tests.processes import LIMIT_SECONDS, wait_for

ROOT = Path(__file__).resolve().parents[3]
DISTRIBUTED = "--run_distribute=True"


@pytest.fixture(autouse=True)
def nothing_started(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("MS_", "RANK_", "VC_"))]:
        monkeypatch.delenv(name)


def configure(folder, *arguments, yaml="{}\n"):
    (folder / "default.yaml").write_text(yaml)
    return load_config(
        RuntimeKeys,
        [f"--run_dir={folder}", *arguments],
        suite_dir=folder,
        default_file="default.yaml",
        program="train.py",
        description="",
    )


def set_up(monkeypatch, **variables):
    for name, text in variables.items():
        monkeypatch.setenv(name, text)


def test_alone_it_returns_and_sets_nothing(tmp_path, monkeypatch):
    before = dict(os.environ)
    start_or_join(configure(tmp_path), "train.py")
    set_up(monkeypatch, RANK_SIZE="1")
    start_or_join(configure(tmp_path, DISTRIBUTED), "train.py")
    assert {name: text for name, text in os.environ.items() if name != "RANK_SIZE"} == before


def test_the_number_of_processes_has_to_be_known(tmp_path):
    with pytest.raises(BadValueError, match="say how many processes share the CPU with --device_num=N"):
        start_or_join(configure(tmp_path, DISTRIBUTED, "--device_target=CPU"), "train.py")


@pytest.mark.parametrize(
    "variables", [{"RANK_SIZE": "2"}, {"RANK_SIZE": "2", "MS_ROLE": "MS_WORKER"}, {"MS_ROLE": "MS_SCHED"}]
)
def test_several_processes_without_run_distribute_are_refused(variables, tmp_path, monkeypatch):
    set_up(monkeypatch, **variables)
    with pytest.raises(BadStateError, match="but run_distribute is not set: add --run_distribute=True"):
        start_or_join(configure(tmp_path), "train.py")


def test_another_number_on_the_command_line_is_refused_and_one_in_a_file_is_passed_over(tmp_path, monkeypatch):
    set_up(monkeypatch, RANK_SIZE="2", RANK_ID="1", MS_ROLE="MS_WORKER", MS_SCHED_HOST="127.0.0.1", MS_SCHED_PORT="9")
    watched = []
    monkeypatch.setattr(self_start, "end_without_scheduler", lambda: watched.append(True))
    with pytest.raises(BadValueError, match="--device_num is 3, but the launcher has started 2 processes: leave"):
        start_or_join(configure(tmp_path, DISTRIBUTED, "--device_num=3"), "train.py")
    start_or_join(configure(tmp_path, DISTRIBUTED, yaml="device_num: 1\n"), "train.py")
    assert watched == [True]
    assert os.environ.pop("MS_CPU_COMM_OP_TIMEOUT") == "3600"


def test_the_scheduler_of_msrun_comes_to_nothing_else(tmp_path, monkeypatch):
    served = []
    monkeypatch.setattr(self_start, "serve", lambda: served.append(True))
    set_up(monkeypatch, MS_ROLE="MS_SCHED", RANK_SIZE="2")
    with pytest.raises(SystemExit) as ended:
        start_or_join(configure(tmp_path, DISTRIBUTED), "train.py")
    assert (ended.value.code, served) == (0, [True])


def table_of(folder, hosts):
    servers = [
        {
            "server_id": f"203.0.113.{host}",
            "device": [{"device_id": "0", "device_ip": f"192.98.{host}.1"}],
            "pod_name": f"pod{host}",
        }
        for host in hosts
    ]
    group = {
        "device_count": str(len(hosts)),
        "group_name": "worker",
        "instance_count": str(len(hosts)),
        "instance_list": [{**server, "devices": server.pop("device")} for server in servers],
    }
    (folder / "jobstart_hccl.json").write_text(
        json.dumps({"group_count": "1", "group_list": [group], "status": "completed"})
    )
    return str(folder)


@pytest.mark.parametrize(
    ("hosts", "names", "wanted"),
    [
        ((3, 1), "", "203.0.113.3"),
        ((4,), "", "127.0.0.1"),
        ((), "first.job, second.job", "first.job"),
        ((), "only.job", "127.0.0.1"),
        ((), "", "127.0.0.1"),
    ],
)
def test_a_worker_of_a_platform_looks_for_the_scheduler_on_the_first_host(hosts, names, wanted, tmp_path, monkeypatch):
    set_up(monkeypatch, RANK_ID="1", RANK_SIZE="2", DEVICE_ID="1", VC_WORKER_HOSTS=names)
    if hosts:
        set_up(
            monkeypatch,
            RANK_TABLE_FILE=table_of(tmp_path, hosts),
            RANK_SIZE=str(len(hosts)),
            RANK_ID=str(len(hosts) - 1),
        )
    asked = []
    monkeypatch.setattr(platform_job, "wait_for_scheduler", lambda *place: asked.append(place) or "198.51.100.7")
    monkeypatch.setattr(platform_job, "_start_scheduler", lambda _folder: None)
    monkeypatch.setattr(platform_job, "check_free", lambda *_: None)  # another job of this machine may have it
    monkeypatch.setattr(os, "environ", dict(os.environ))
    join_platform_job(tmp_path)
    assert asked == [(wanted, 8118, 600)]
    variables = {
        name: os.environ[name] for name in ("MS_ROLE", "MS_NODE_ID", "MS_WORKER_NUM", "MS_SCHED_HOST", "MS_SCHED_PORT")
    }
    assert variables == {
        "MS_ROLE": "MS_WORKER",
        "MS_NODE_ID": os.environ["RANK_ID"],
        "MS_SCHED_PORT": "8118",
        "MS_WORKER_NUM": os.environ["RANK_SIZE"],
        "MS_SCHED_HOST": "198.51.100.7",
    }


def test_a_rank_table_of_another_number_of_devices_is_refused(tmp_path, monkeypatch):
    set_up(monkeypatch, RANK_ID="1", RANK_SIZE="4", RANK_TABLE_FILE=table_of(tmp_path, (1, 2)))
    with pytest.raises(BadValueError, match="RANK_SIZE is 4, but rank table '.*' has 2 devices"):
        join_platform_job(tmp_path)


def test_a_scheduler_that_does_not_come_is_one_sentence():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        with pytest.raises(BadStateError, match=f"no scheduler at localhost port {port} after 0 s: see whether"):
            wait_for_scheduler("localhost", port, 0)
        listener.listen()
        assert wait_for_scheduler("localhost", port, 0) == "127.0.0.1"


def watched(code: str, port: int) -> subprocess.Popen:
    """Starts code as a worker whose scheduler is at a port."""
    place = {"MS_SCHED_HOST": "127.0.0.1", "MS_SCHED_PORT": str(port)}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **place, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


STUCK = """
import ctypes, os, signal
from utils.launch.processes.scheduler import end_without_scheduler
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
end_without_scheduler()
print("stuck", flush=True)
mutex = ctypes.create_string_buffer(64)
for _ in range(2):
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "pthread_mutex_lock"), reason="needs POSIX threads in the C library")
def test_a_worker_that_is_stuck_ends_with_the_scheduler_and_not_before():
    listener = socket.create_server(("127.0.0.1", 0))
    process = watched(STUCK, listener.getsockname()[1])
    assert process.stdout.readline() == "stuck\n"
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1.5)
    listener.close()
    output, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 1
    assert output in ("", "handled\n")  # the handler runs where the signal comes before the lock that holds it up
    assert errors == "error: the job's scheduler has ended: another process of the job has failed, see its log\n"


ENDING = """
import atexit, signal, sys, time
from utils.launch.processes.scheduler import end_without_scheduler
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
end_without_scheduler()
atexit.register(time.sleep, 3)
print("waiting", flush=True)
signal.pause()
"""


def test_a_worker_that_has_ended_keeps_its_exit_code_while_it_takes_leave():
    """As MindSpore does at exit, for 13 seconds where the scheduler has gone before."""
    process = watched(ENDING, free_port())
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=LIMIT_SECONDS) == ("", "")
    assert process.returncode == 143


# What a training does, without the training: the last line is of the exit code that rank 1 ends with.
COMMAND = """
import os, pathlib, sys
from utils.launch.self_start import start_or_join
from utils.model_utils.command import run_command
from utils.model_utils.config.loading import load_config
from utils.model_utils.config.schema import RuntimeKeys
def main():
    here = pathlib.Path(__file__).parent
    config = load_config(RuntimeKeys, suite_dir=here, default_file="d.yaml", program="train.py", description="")
    start_or_join(config, __file__)
    import mindspore as ms
    from mindspore.communication import get_rank, init
    ms.set_device("CPU")
    init()
    gathered = [None, None]
    ms.mint.distributed.all_gather_object(gathered, os.getpid(), group="mccl_world_group")
    print(f"rank {get_rank()} of {len(set(gathered))}", flush=True)
    return int(os.environ.get("CODE_OF_RANK_1", 0)) if get_rank() else 0
run_command(main, "train.py")
"""


@pytest.mark.long_run
@pytest.mark.end_to_end
@pytest.mark.skipif(not Path(sys.executable).with_name("msrun").exists(), reason="no msrun beside this Python")
def test_two_workers_meet_by_self_start_and_by_a_platform(tmp_path):
    (tmp_path / "train.py").write_text(COMMAND)
    (tmp_path / "d.yaml").write_text("{}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    def start(run_dir, *arguments, **variables):
        return subprocess.Popen(
            [sys.executable, "train.py", DISTRIBUTED, f"--run_dir={run_dir}", "--device_target=CPU", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    by_platform = [
        start("given", RANK_ID=str(rank), RANK_SIZE="2", DEVICE_ID=str(rank), MS_SCHED_PORT=port) for rank in (0, 1)
    ]
    by_itself = start("own", "--device_num=2", CODE_OF_RANK_1="3")
    try:
        ends = [process.communicate(timeout=400) for process in (*by_platform, by_itself)]
    finally:
        for process in (*by_platform, by_itself):
            process.kill()
    assert [process.returncode for process in (*by_platform, by_itself)] == [0, 0, 3], ends
    for rank, (output, _) in enumerate(ends[:2]):
        assert f"rank {rank} of 2\n" in output
    assert (tmp_path / "given" / "msrun" / "scheduler.log").is_file()
    output, errors = ends[2]
    assert output.startswith("2 ranks on 1 host, 2 here (CPU); ")
    assert "error: rank 1 ended with exit code 3, the other ranks are stopped" in errors
    for rank in (0, 1):
        assert f"rank {rank} of 2\n" in (tmp_path / "own" / "msrun" / f"rank{rank}.log").read_text()
    wait_for(lambda: not processes_of(tmp_path))


# What a training does all the time: it waits for the others.
WAITING = """
    from utils.launch.processes.lifelines import held_lifelines
    from utils.model_utils.device_adapter import set_up_device
    workers = set_up_device("CPU", is_distributed=True).workers
    with held_lifelines(workers):
        print("met", flush=True)
        while True:
            workers.wait()
run_command(main, "train.py")
"""


@pytest.mark.end_to_end
@pytest.mark.parametrize("lost", [0, 1])
def test_a_worker_of_a_platform_that_dies_is_missed_by_the_others_within_seconds(lost, tmp_path):
    """MindSpore's scheduler takes 32 to 37."""
    (tmp_path / "train.py").write_text(COMMAND.partition("    import mindspore")[0] + WAITING)
    (tmp_path / "d.yaml").write_text("{}\n")
    variables = {"RANK_SIZE": "2", "MS_SCHED_PORT": str(free_port()), "PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen(
            [sys.executable, "train.py", DISTRIBUTED, "--run_dir=run", "--device_target=CPU"],
            cwd=tmp_path,
            env={**os.environ, **variables, "RANK_ID": str(rank), "DEVICE_ID": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        for process in workers:
            assert process.stdout.readline() == "met\n", process.communicate()
        workers[lost].kill()
        began = time.monotonic()
        _, errors = workers[1 - lost].communicate(timeout=LIMIT_SECONDS)
        assert time.monotonic() - began < 15
    finally:
        for process in workers:
            process.kill()
            process.communicate()
    assert workers[1 - lost].returncode == 1
    assert f"error: rank {lost} on 127.0.0.1 has died; rank {1 - lost} ends with it: start again with" in errors
    wait_for(lambda: not processes_of(tmp_path), 5)  # the scheduler ends with rank 0


def processes_of(folder):
    """Numbers of the processes that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(path / "cwd") == str(folder) and ") Z " not in (path / "stat").read_text():
                found.append(path.name)
        except OSError:
            continue
    return found
