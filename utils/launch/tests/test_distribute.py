"""A launcher for several devices as a user runs it, with stand-ins for msrun and the command."""

import json
import os
import shlex
import signal
import socket
import subprocess
import time

import pytest

from utils.launch.job import STOP_SECONDS
from utils.launch.processes.ports import free_port
from utils.tests.processes import LIMIT_SECONDS, wait_for

pytestmark = pytest.mark.end_to_end
CPU = ("2", "cpu", "data")
LONG = "600"  # seconds that nothing waits for


def test_each_rank_has_its_folder_log_variables_and_cores(place):
    finished = place.run("both.sh", *CPU, "--lr=0.1", RANK_TABLE_FILE="of another job", DEVICE_ID="of another job")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "rank 0 at work\nan error of rank 0\n" in finished.stdout
    assert "rank 1 at work" not in finished.stdout
    cores = []
    for rank in (0, 1):
        call, folder = place.call(rank), place.here / f"LOG{rank}"
        assert call["argv"] == [
            f"--run_dir={folder}",
            "--device_target=CPU",
            "--run_distribute=True",
            f"--data={place.here / 'data'}",
            "--lr=0.1",
        ]
        assert call["cwd"] == str(place.here)
        assert (folder / "log.txt").read_text() == f"rank {rank} at work\nan error of rank {rank}\n"
        wanted = {
            "DEVICE_NUM": "2",
            "RANK_SIZE": "2",
            "RANK_ID": str(rank),
            "DEVICE_ID": str(rank),
            "MS_ROLE": "MS_WORKER",
            "PYTHONUNBUFFERED": "1",
        }
        assert {name: call["environment"].get(name) for name in wanted} == wanted
        assert call["environment"]["PATH"].split(":")[0] == str(place.tree / "bin")
        assert "RANK_TABLE_FILE" not in call["environment"]
        cores.append(set(call["cores"]))
    assert len(os.sched_getaffinity(0)) < 2 or not cores[0] & cores[1]
    assert (place.here / "LOG0" / "msrun" / "scheduler.log").read_text() == "the scheduler joins\n"
    assert place.left() == []


def test_a_dry_run_prints_what_a_run_would_do_and_starts_nothing(place):
    port = f"--master_port={free_port()}"
    printed = place.run("both.sh", *CPU, port, "--dry_run")
    assert printed.returncode == 0, printed.stderr
    assert sorted(os.listdir(place.here)) == ["data"]
    run = place.run("both.sh", *CPU, port)
    assert printed.stdout.strip() in run.stdout
    called = json.loads((place.here / "LOG0" / "msrun" / "called.json").read_text())
    lines = printed.stdout.splitlines()
    assert shlex.split(lines[2])[-len(called["argv"]) :] == called["argv"]
    for rank, line in enumerate((lines[4], lines[6])):
        call, words = place.call(rank), shlex.split(line)
        assert words[-len(call["argv"]) :] == call["argv"]
        variables = dict(word.split("=", 1) for word in words[: -len(call["argv"]) - 2])
        assert len(variables) == 12
        assert {name: call["environment"][name] for name in variables} == variables


@pytest.mark.parametrize("is_quiet", [False, True])
def test_a_worker_that_is_killed_ends_the_job_at_once_with_its_last_lines(is_quiet, place):
    """... and not when msrun's scheduler has noticed too, unless msrun names no worker."""
    quiet = {"IS_QUIET": "1", "SCHEDULER_SECONDS": "1"} if is_quiet else {"SCHEDULER_SECONDS": LONG}
    process = place.start("both.sh", *CPU, RECORDER_SECONDS=LONG, **quiet)
    os.kill(place.call(1)["pid"], signal.SIGKILL)
    output, errors = process.communicate(timeout=LIMIT_SECONDS)
    if is_quiet:  # MindSpore's log level may hide msrun's report
        assert process.returncode == 1
        assert "error: msrun ended with exit code 1; rank " in errors
    else:
        assert process.returncode == 137
        assert errors.endswith(
            "rank 1 at work\nan error of rank 1\nerror: rank 1 was ended by SIGKILL, the other "
            f"ranks are stopped; its last lines stand above, the others in "
            f"'{place.here / 'LOG1' / 'log.txt'}'\n"
        )
    assert place.left() == []


def test_a_command_that_refuses_its_arguments_hands_its_code_through(place):
    finished = place.run("both.sh", *CPU, RECORDER_SECONDS="0", CODE_OF_RANK_1="2")
    assert finished.returncode == 2
    assert "error: rank 1 ended with exit code 2" in finished.stderr
    assert place.left() == []


def test_a_log_that_cannot_be_written_is_one_sentence(place):
    (place.here / "LOG1" / "log.txt").mkdir(parents=True)
    finished = place.run("both.sh", *CPU)
    assert finished.returncode == 2
    assert finished.stderr == (
        f"both.sh: error: '{place.here / 'LOG1' / 'log.txt'}' cannot be used (Is a directory); "
        "check the folder and that msrun can be run\n"
    )
    assert place.left() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)])
def test_signals_reach_all_ranks_and_each_may_save(number, code, place):
    process = place.start("both.sh", *CPU, RECORDER_SECONDS=LONG)
    for rank in (0, 1):
        place.call(rank)
    process.send_signal(number)
    process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == code
    assert all((place.here / f"LOG{rank}" / f"saved{rank}").is_file() for rank in (0, 1))
    assert place.left() == []


def test_a_second_signal_does_not_wait(place):
    process = place.start("both.sh", *CPU, RECORDER_SECONDS=LONG, IS_DEAF="1")
    for rank in (0, 1):
        place.call(rank)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=STOP_SECONDS - 10)  # the first one would wait for so long
    assert process.returncode == 143
    assert place.left() == []


def test_a_signal_before_the_workers_are_there_ends_the_start(place):
    process = place.start("both.sh", *CPU, RECORDER_SECONDS=LONG)
    wait_for((place.here / "LOG0" / "msrun" / "msrun.log").is_file)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 143
    assert place.left() == []


def test_the_workers_do_not_outlive_msrun(place):
    process = place.start("both.sh", *CPU, RECORDER_SECONDS=LONG)
    for rank in (0, 1):
        place.call(rank)
    (msrun,) = place.left("/bin/msrun")
    os.kill(msrun, signal.SIGKILL)
    _, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 137
    assert "error: msrun was ended by SIGKILL" in errors
    assert place.left() == []


def test_in_the_background_the_job_goes_on_and_a_second_one_is_refused(place):
    finished = place.run("both.sh", *CPU, FOREGROUND="", STARTUP_SECONDS="1", RECORDER_SECONDS=LONG)
    assert finished.returncode == 0, finished.stderr
    assert "logs of the ranks: " in finished.stdout
    pid = int(finished.stdout.partition("running as process ")[2].split(";")[0])
    place.call(1)
    second = place.run("both.sh", *CPU)
    assert second.returncode == 2
    assert f"an earlier run still uses '{place.here / 'LOG0'}': wait" in second.stderr
    assert f" stop it with kill {pid}, " in second.stderr
    assert len(second.stderr.splitlines()) == 1
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: place.left() == [])
    assert (place.here / "LOG1" / "saved1").is_file()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_start_that_is_interrupted_while_it_is_watched_stops_every_worker(number, code, place):
    process = place.start("both.sh", *CPU, FOREGROUND="", STARTUP_SECONDS=LONG, RECORDER_SECONDS=LONG)
    for rank in (0, 1):
        place.call(rank)
    process.send_signal(number)
    _, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == code
    assert "is asked to stop and waited for, a second Ctrl-C ends it at once; log: " in errors
    assert all((place.here / f"LOG{rank}" / f"saved{rank}").is_file() for rank in (0, 1))
    assert place.left() == []


def test_what_outlives_its_launcher_is_named_as_a_whole(place):
    process = place.start("both.sh", *CPU, RECORDER_SECONDS=LONG)
    workers = [place.call(rank)["pid"] for rank in (0, 1)]
    process.kill()
    process.communicate(timeout=LIMIT_SECONDS)
    second = place.run("both.sh", *CPU)
    assert second.returncode == 2
    pids = second.stderr.partition("stop it with kill ")[2].partition(",")[0].split()
    assert {*map(str, workers)} < {*pids}
    for pid in map(int, pids):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: place.left() == [])


def test_a_run_of_one_process_in_the_folder_is_seen_too(place):
    (place.here / "LOG1").mkdir()
    alone = subprocess.Popen(["bash", "-c", "read", "bash", f"--run_dir={place.here / 'LOG1'}"], stdin=subprocess.PIPE)
    finished = place.run("both.sh", *CPU)
    alone.communicate()
    assert finished.returncode == 2
    assert f"process {alone.pid} of an earlier run still uses '{place.here / 'LOG1'}'" in finished.stderr


def test_a_failed_start_in_the_background_is_told(place):
    finished = place.run("both.sh", *CPU, FOREGROUND="", CODE_OF_RANK_0="2")
    assert finished.returncode == 2
    assert "error: rank 0 ended with exit code 2" in finished.stderr


def test_a_taken_port_is_one_sentence(place):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        finished = place.run("both.sh", *CPU, f"--master_port={port}")
    assert finished.returncode == 2
    assert finished.stderr == (
        f"both.sh: error: port {port} of 127.0.0.1 cannot be listened on (Address already in use): end the process "
        "that has it, or choose another one on every host with a launcher's --master_port=PORT\n"
    )


@pytest.mark.parametrize(
    ("script", "arguments", "sentence"),
    [
        ("both.sh", (), "0 arguments, wanted 3; usage: both.sh DEVICE_NUM RANK_TABLE_FILE DATA [--key=value]..."),
        ("both.sh", ("0", "cpu", "data"), "DEVICE_NUM is '0', wanted a number of devices from 1 to 4096"),
        ("both.sh", ("two", "cpu", "data"), "DEVICE_NUM is 'two'"),
        ("both.sh", ("2", "absent.json", "data"), "rank table '"),
        ("both.sh", ("2", "cpu", "absent"), "DATA 'absent' does not exist"),
        ("both.sh", (*CPU, "--master_port=80"), "--master_port is '80', wanted a port from 1024 to 65535"),
        ("both.sh", (*CPU, "--own_address"), "'--own_address', wanted --own_address=VALUE"),
        ("both.sh", (*CPU, "--dry_run=1"), "'--dry_run=1', wanted --dry_run"),
        ("ascend.sh", ("cpu", "data"), "RANK_TABLE_FILE is 'cpu', wanted the path of a rank table"),
        ("gpu.sh", ("64", "data"), "64 GPU devices were asked for (0,1,"),
    ],
)
def test_what_cannot_be_started_is_one_sentence_and_leaves_nothing(script, arguments, sentence, place):
    finished = place.run(script, *arguments)
    assert finished.returncode == 2
    assert finished.stderr.startswith(f"{script}: error: ")
    assert sentence in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert sorted(os.listdir(place.here)) == ["data"]


def test_the_ranks_of_a_gpu_share_a_folder_with_a_log_each(place):
    finished = place.run("gpu.sh", "2", "data", "--dry_run")
    folder = place.here / "run_distribute_train"
    assert [f"rank {rank}: folder {folder}, log {folder / f'log{rank}'}" in finished.stdout for rank in (0, 1)] == [
        True,
        True,
    ]
    assert finished.stdout.count("--device_target=GPU") == 4  # twice in msrun's command, once in each rank's


def test_a_table_of_two_hosts_is_started_on_each_with_its_ranks(place):
    servers = [
        {
            "server_id": f"203.0.113.{host}",
            "host_nic_ip": "reserve",
            "device": [
                {
                    "device_id": str(number),
                    "device_ip": f"192.98.{host}.{number}",
                    "rank_id": str(4 * host + number - 6),
                }
                for number in (2, 3, 4, 5)
            ],
        }
        for host in (1, 2)
    ]
    (place.here / "table.json").write_text(
        json.dumps({"version": "1.0", "server_count": "2", "server_list": servers, "status": "completed"})
    )
    finished = place.run("ascend.sh", "table.json", "data", own := "--own_address=203.0.113.2", "--dry_run")
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert lines[0] == "8 ranks on 2 hosts, 4 here (Ascend); the scheduler listens on 203.0.113.1 port 8118"
    variables = f"RANK_TABLE_FILE={shlex.quote(str(place.here / 'table.json'))} ASCEND_RT_VISIBLE_DEVICES=2,3,4,5 "
    assert variables in lines[2]
    assert " --worker_num=8 --local_worker_num=4 --node_rank=1 --master_addr=203.0.113.1 " in lines[2]
    assert lines[9].startswith(f"rank 7: folder {place.here / 'train_parallel7'}, ")
    assert f"{variables}HCCL_CONNECT_TIMEOUT=" in lines[10]
    assert " RANK_ID=7 DEVICE_ID=3 " in lines[10]
    tried = place.run("both.sh", "8", "table.json", "data", "--device_target=CPU", own, "--dry_run")
    assert "8 ranks on 2 hosts, 4 here (CPU); the scheduler listens on 203.0.113.1 port 8118" in tried.stdout
    assert "ASCEND_RT_VISIBLE_DEVICES" not in tried.stdout
    refused = place.run("ascend.sh", "table.json", "data")
    assert refused.returncode == 2
    assert "this host is not in the rank table, whose servers are 203.0.113.1, 203.0.113.2" in refused.stderr


def test_another_run_dir_is_where_the_documented_folders_are_made(place):
    assert place.run("both.sh", *CPU, "--run_dir=second run").returncode == 0
    assert place.call(1, "second run/LOG{}")["argv"][0] == f"--run_dir={place.here / 'second run' / 'LOG1'}"


def test_help_is_the_usage(place):
    finished = place.run("gpu.sh", "--help")
    assert finished.stdout == (
        "usage: gpu.sh DEVICE_NUM DATA [--key=value]... [--dry_run] [--master_port=PORT] [--own_address=IP]\n"
    )
