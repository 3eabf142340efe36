"""What is started on several devices, on one host and on several, worked by hand from small rank tables."""

import json
import os
import sys
from pathlib import Path

import pytest

from utils.hccl_tools.msrun_plan import VISIBLE_DEVICES
from utils.launch.job_devices import JobDevices, check_present, choose_job_devices
from utils.launch.job_plan import core_blocks, format_plan, make_plan
from utils.launch.processes.logged_process import LogFile
from utils.launch.processes.ports import check_free, free_port, read_port
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, UserError

DEVICES_OF_HOSTS = {"10.0.0.1": (0, 1), "10.0.0.2": (4, 5)}


def write_table(path, hosts=DEVICES_OF_HOSTS):
    ranks = iter(range(16))
    servers = [
        {
            "server_id": host,
            "host_nic_ip": "reserve",
            "device": [
                {"device_id": str(number), "device_ip": f"192.98.{index}.{number + 1}", "rank_id": str(next(ranks))}
                for number in numbers
            ],
        }
        for index, (host, numbers) in enumerate(hosts.items())
    ]
    path.write_text(
        json.dumps({"version": "1.0", "server_count": str(len(hosts)), "server_list": servers, "status": "completed"})
    )
    return str(path)


def plan_of(devices, base=Path("/here"), **options):
    return make_plan(devices, ["python", "train.py", "--lr=1"], base, folder="LOG{}", log="log.txt", **options)


def test_a_table_of_two_hosts_gives_each_its_ranks_devices_and_the_first_as_master(tmp_path, monkeypatch):
    monkeypatch.delenv("HCCL_CONNECT_TIMEOUT", raising=False)
    table = write_table(tmp_path / "table.json")
    for number, host in enumerate(DEVICES_OF_HOSTS):
        plan = plan_of(choose_job_devices("4", table, own_address=host))
        assert plan.devices == JobDevices(
            4, 2, number, "10.0.0.1", DEVICES_OF_HOSTS[host], "Ascend", (tmp_path / "table.json").resolve()
        )
        assert (plan.devices.num_hosts, plan.master_port) == (2, 8118)
        assert [rank.number for rank in plan.ranks] == [2 * number, 2 * number + 1]
        assert [rank.environment["DEVICE_ID"] for rank in plan.ranks] == ["0", "1"]
        assert plan.ranks[1].command == ("python", "train.py", f"--run_dir=/here/LOG{2 * number + 1}", "--lr=1")
        assert plan.ranks[1].log == Path(f"/here/LOG{2 * number + 1}/log.txt")
        assert {
            name: plan.environment[name]
            for name in ("DEVICE_NUM", "RANK_SIZE", "RANK_TABLE_FILE", "HCCL_CONNECT_TIMEOUT", VISIBLE_DEVICES)
        } == {
            "DEVICE_NUM": "4",
            "RANK_SIZE": "4",
            "RANK_TABLE_FILE": str(Path(table).resolve()),
            "HCCL_CONNECT_TIMEOUT": "600",
            VISIBLE_DEVICES: "0,1" if number == 0 else "4,5",
        }


def test_msrun_is_told_the_place_of_the_host_and_to_wait_for_the_end(tmp_path, monkeypatch):
    (tmp_path / "msrun").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").touch(mode=0o755)
    monkeypatch.setenv("MS_TOPO_TIMEOUT", "1200")
    devices = choose_job_devices("4", write_table(tmp_path / "table.json"), own_address="10.0.0.2")
    plan = plan_of(devices, master_port=9000)
    assert [rank.environment["MS_TOPO_TIMEOUT"] for rank in plan.ranks] == ["1200", "1200"]
    command = plan.msrun_command()
    assert command[0] == str(tmp_path / "msrun")
    assert {
        "--worker_num=4",
        "--local_worker_num=2",
        "--node_rank=1",
        "--master_addr=10.0.0.1",
        "--master_port=9000",
        "--cluster_time_out=1200",
        "--join=True",
    } <= set(command)
    assert command[-3] == "python"
    assert list(json.loads(command[-1])) == ["2", "3"]
    assert format_plan(plan).startswith(
        "4 ranks on 2 hosts, 2 here (Ascend); the scheduler listens on 10.0.0.1 port 9000\nmsrun:\n  PATH="
    )
    assert "rank 3: folder /here/LOG3, log /here/LOG3/log.txt, cores " in format_plan(plan)


def test_without_msrun_or_python_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    (tmp_path / "python3").touch(mode=0o755)
    with pytest.raises(BadStateError, match=f"'msrun', with which .* is not in '{tmp_path}': name the Python of an"):
        plan_of(choose_job_devices("2", "cpu")).msrun_command()
    (tmp_path / "msrun").touch(mode=0o755)
    assert plan_of(choose_job_devices("2", "cpu")).msrun_command()[-3] == "python3"


def test_a_cpu_has_no_table_and_no_ascend_variables(monkeypatch):
    monkeypatch.delenv("RANK_TABLE_FILE", raising=False)
    for word, target in (("cpu", "CPU"), ("CPU", "CPU"), ("gpu", "GPU")):
        plan = plan_of(choose_job_devices("3", word))
        assert plan.devices == JobDevices(3, 3, 0, "127.0.0.1", (0, 1, 2), target, None)
        assert set(plan.environment) == {"PATH", "DEVICE_NUM", "RANK_SIZE", "PYTHONUNBUFFERED"}


def test_the_number_may_come_from_the_table_and_the_device_from_the_launchers_name(tmp_path):
    table = write_table(tmp_path / "table.json", {"127.0.0.1": (2, 3)})
    assert choose_job_devices(None, table, "Ascend").device_ids == (2, 3)
    assert choose_job_devices("2", None, "GPU").target == "GPU"


@pytest.mark.parametrize(
    ("number", "table", "error", "sentence"),
    [
        (
            "8",
            "table.json",
            BadValueError,
            "DEVICE_NUM is 8, but rank table '.*table.json' has 2 devices: give 2, or make a table of the devices "
            "wanted",
        ),
        (
            "2",
            "absent.json",
            MissingPathError,
            "absent.json' does not exist; make one with utils/hccl_tools/hccl_tools.py",
        ),
        ("-1", "table.json", BadValueError, "DEVICE_NUM is '-1', wanted a number of devices from 1 to 4096"),
        ("9" * 5000, "table.json", BadValueError, r"DEVICE_NUM is '9{56}\.\.\., wanted a number of devices"),
        ("²", "cpu", BadValueError, "DEVICE_NUM is '²'"),
        (None, "cpu", BadValueError, "RANK_TABLE_FILE is 'cpu', wanted the path of a rank table"),
        ("4", "others.json", BadStateError, "is not in the rank table, whose servers are 203.0.113.1, 203.0.113.2"),
    ],
)
def test_a_table_or_number_that_does_not_fit_is_one_sentence(number, table, error, sentence, tmp_path):
    write_table(tmp_path / "table.json", {"127.0.0.1": (0, 1)})
    write_table(tmp_path / "others.json", {"203.0.113.1": (0, 1), "203.0.113.2": (0, 1)})
    with pytest.raises(error, match=sentence):
        choose_job_devices(number, table if table == "cpu" else str(tmp_path / table))


def devices_of(target, *numbers):
    return JobDevices(len(numbers), len(numbers), 0, "127.0.0.1", numbers, target)


def test_devices_that_are_not_there_are_named(tmp_path, monkeypatch):
    for name in ("davinci0", "davinci1", "davinci_manager", "nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for target in ("Ascend", "GPU"):
        check_present(devices_of(target, 0, 1), tmp_path)
        with pytest.raises(BadStateError, match=rf"2 {target} devices .* \(1,2\), but this machine has 2 \(0,1\)"):
            check_present(devices_of(target, 1, 2), tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(BadStateError, match=r"2 GPU devices were asked for \(0,1\), but this machine has 1 \(0\)"):
        check_present(devices_of("GPU", 0, 1), tmp_path)
    with pytest.raises(BadStateError, match=r"this machine has 0 \(none\)"):
        check_present(devices_of("Ascend", 0), tmp_path.parent)


def test_more_processes_than_cores_are_warned_of_and_not_bound(caplog):
    count = len(os.sched_getaffinity(0)) + 1
    devices = choose_job_devices(str(count), "cpu")
    check_present(devices)
    assert f"{count} processes on {count - 1} cores" in caplog.text
    assert all(rank.cores == () for rank in plan_of(devices).ranks)


def test_cores_are_shared_out_in_equal_blocks_of_neighbours():
    assert core_blocks([0, 1, 2, 3, 8, 9, 10], 3) == [(0, 1), (2, 3), (8, 9)]
    assert core_blocks([5], 1) == [(5,)]
    assert core_blocks([0, 1], 3) == [(), (), ()]


def test_a_free_port_can_be_listened_on_and_a_foreign_address_cannot():
    check_free("127.0.0.1", free_port(), "--port")
    with pytest.raises(BadStateError, match="port 9000 of 203.0.113.1 cannot be listened on"):
        check_free("203.0.113.1", 9000, "--port")


@pytest.mark.parametrize("text", ["", "80", "65536", "http", "-8118", "8118.0", "9" * 19])
def test_what_is_no_port_is_refused(text):
    with pytest.raises(UserError, match=f"--master_port is '{text}', wanted a port from 1024 to 65535"):
        read_port(text, "--master_port")


def test_the_last_lines_are_those_of_this_run(tmp_path):
    path = tmp_path / "log"
    path.write_text("of an earlier run\n")
    log = LogFile(path)
    assert (log.last_lines(), log.new_output()) == ("", b"")
    with path.open("a") as file:
        file.write("".join(f"line {number}\n" for number in range(30)))
    assert len(log.new_output().splitlines()) == 30
    assert log.last_lines().splitlines() == [f"line {number}" for number in range(10, 30)]
    assert LogFile.whole(path).new_output().startswith(b"of an earlier run")
    assert LogFile(tmp_path / "absent").last_lines() == ""
