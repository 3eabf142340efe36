"""The commands as a user runs them: printout, files, exit codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hccl_examples import MODELARTS, SUPER_PODS, TWO_SERVERS, example

from utils.tests.processes import finish

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).resolve().parents[3]
ROOM = ROOT / "utils" / "hccl_tools"
SYSTEM = "/usr/bin:/bin"
FOUR = {number: f"192.98.92.10{number}" for number in range(4, 8)}


@pytest.fixture()
def here(tmp_path):
    folder = tmp_path / "it's here"
    folder.mkdir()
    return folder


def run(here, script, *arguments, path=SYSTEM):
    return finish(sys.executable, ROOM / script, *arguments, cwd=here, env={**os.environ, "PATH": str(path)})


def sentence_of(done):
    """Returns the one line on standard error of a command that has refused."""
    assert done.returncode == 2, done
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def write(here, name, document):
    (here / name).write_text(json.dumps(document))
    return name


def one_server(server_id, addresses):
    devices = [
        {"device_id": str(number), "device_ip": address, "rank_id": str(rank)}
        for rank, (number, address) in enumerate(addresses.items())
    ]
    return {
        "version": "1.0",
        "server_count": "1",
        "status": "completed",
        "server_list": [{"server_id": server_id, "device": devices, "host_nic_ip": "reserve"}],
    }


def test_hccl_tools_makes_the_documented_file(here, hccn_tool):
    hccn_tool.knows({number: f"192.98.92.{number}" for number in range(8)})
    done = run(
        here, "hccl_tools.py", "--device_num", "[0,8)", "--server_ip", "10.0.0.1", path=f"{hccn_tool.folder}:{SYSTEM}"
    )
    assert done.returncode == 0, done.stderr
    file = here / "hccl_8p_01234567_10.0.0.1.json"
    assert done.stdout.splitlines() == [
        f"start {ROOM / 'hccl_tools.py'}",
        "visible_devices:['0', '1', '2', '3', '4', '5', '6', '7']",
        "server_id:10.0.0.1",
        "device_num_list: [0, 1, 2, 3, 4, 5, 6, 7]",
        *(f"rank_id:{number}, device_id:{number}, device_ip:192.98.92.{number}" for number in range(8)),
        f"Completed: hccl file was save in : {file}",
    ]
    assert json.loads(file.read_text()) == one_server("10.0.0.1", {n: f"192.98.92.{n}" for n in range(8)})
    assert file.read_text().startswith('{\n    "version": "1.0",\n    "server_count": "1",\n    "server_list": [\n')
    assert os.listdir(here) == [file.name]


def test_visible_devices_that_start_at_four(here, hccn_tool):
    hccn_tool.knows(FOUR)
    done = run(
        here,
        "hccl_tools.py",
        "--device_num",
        "[0, 2)",
        "--visible_devices",
        "4,5,6,7",
        "--server_ip=10.0.0.2",
        path=f"{hccn_tool.folder}:{SYSTEM}",
    )
    assert "visible_devices:['4', '5', '6', '7']\n" in done.stdout
    assert "rank_id:1, device_id:5, device_ip:192.98.92.105\n" in done.stdout
    assert json.loads((here / "hccl_2p_01_10.0.0.2.json").read_text()) == one_server(
        "10.0.0.2", {4: FOUR[4], 5: FOUR[5]}
    )


def test_sixteen_cards_from_a_file_with_an_ipv6_server(here):
    (here / "hccn.conf").write_text("".join(f"address_{number}=192.98.92.{number}\n" for number in range(16)))
    done = run(here, "hccl_tools.py", "--device_num=[0,16)", "--server_ip=FD00::0:7", "--hccn_conf=hccn.conf")
    assert done.returncode == 0, done.stderr
    assert "Failed to call hccn_tool, try to read hccn.conf instead\n" in done.stdout
    table = json.loads((here / "hccl_16p_0123456789101112131415_fd00::7.json").read_text())
    assert len(table["server_list"][0]["device"]) == 16


def test_it_runs_as_a_module(here, hccn_tool):
    hccn_tool.knows({0: "192.98.92.1"})
    environment = {**os.environ, "PATH": f"{hccn_tool.folder}:{SYSTEM}", "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "utils.hccl_tools.hccl_tools", "--device_num=[0,1)", "--server_ip=10.0.0.1")
    done = finish(*command, cwd=here, env=environment)
    assert done.returncode == 0, done.stderr
    assert os.listdir(here) == ["hccl_1p_0_10.0.0.1.json"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--device_num=[3,3)"], "hccl_tools.py: error: --device_num is [3,3), which is empty"),
        (["--device_num=[5,2)"], "--device_num is [5,2), which is reversed"),
        (["--device_num=[3,6)"], "device num [3,6) must be in the same group of [0,4) or [4,8)"),
        (["--server_ip=10.0.0.256"], "--server_ip is '10.0.0.256', wanted an IPv4 or IPv6 address"),
        (["--server_ip=10.0.0.1"], "Failed to find information for hccl: "),
    ],
)
def test_hccl_tools_refuses_in_one_sentence_and_writes_nothing(here, arguments, sentence):
    assert sentence in sentence_of(run(here, "hccl_tools.py", "--hccn_conf=none", *arguments))
    assert os.listdir(here) == []


def test_addresses_that_make_no_table_are_refused(here, hccn_tool):
    hccn_tool.knows({0: "192.98.92.1", 1: "192.98.92.1"})
    done = run(here, "hccl_tools.py", "--device_num=[0,2)", "--server_ip=10.0.0.1", path=f"{hccn_tool.folder}:{SYSTEM}")
    assert 'device 1.device_ip is "192.98.92.1", the same as device 0.device_ip' in sentence_of(done)
    assert os.listdir(here) == []


def test_merge_hccl_joins_servers_in_the_order_given(here):
    first, second = one_server("10.0.0.2", {4: FOUR[4], 5: FOUR[5]}), one_server("10.0.0.1", {6: FOUR[6], 7: FOUR[7]})
    names = [write(here, "-a.json", first), write(here, "b.json", second)]
    before = {name: (here / name).read_bytes() for name in names}
    done = run(here, "merge_hccl.py", "b.json", "./-a.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Completed: hccl file was save in : {here / 'hccl_2s_4p.json'}\n"
    merged = json.loads((here / "hccl_2s_4p.json").read_text())
    assert (merged["version"], merged["server_count"], merged["status"]) == ("1.0", "2", "completed")
    assert [
        (server["server_id"], device["device_id"], device["rank_id"])
        for server in merged["server_list"]
        for device in server["device"]
    ] == [("10.0.0.1", "6", "0"), ("10.0.0.1", "7", "1"), ("10.0.0.2", "4", "2"), ("10.0.0.2", "5", "3")]
    assert {name: (here / name).read_bytes() for name in names} == before


def test_merge_hccl_warns_where_a_start_by_rank_table_wants_another_order(here):
    write(here, "a.json", one_server("10.0.0.9", {0: "192.98.92.1"}))
    write(here, "b.json", one_server("10.0.0.10", {0: "192.98.92.2"}))
    done = run(here, "merge_hccl.py", "a.json", "b.json")
    assert done.returncode == 0
    assert "warning: ranks follow the servers 10.0.0.9, 10.0.0.10, but a start by rank table wants" in done.stderr
    assert json.loads((here / "hccl_2s_2p.json").read_text())["server_list"][0]["server_id"] == "10.0.0.9"


def test_merge_hccl_joins_super_nodes(here):
    other = example(SUPER_PODS)
    for server, name in zip(other["server_list"], ("node_2", "node_3"), strict=True):
        server["server_id"], server["device"][0]["super_device_id"] = name, "5"
        server["device"][0].pop("device_ip", None)
    for pod, name in zip(other["super_pod_list"], ("node_2", "node_3"), strict=True):
        pod["server_list"][0]["server_id"] = name
    done = run(here, "merge_hccl.py", write(here, "a.json", SUPER_PODS), write(here, "b.json", other))
    assert done.returncode == 0, done.stderr
    merged = json.loads((here / "hccl_4s_4p.json").read_text())
    assert [[server["server_id"] for server in pod["server_list"]] for pod in merged["super_pod_list"]] == [
        ["node_0", "node_2"],
        ["node_1", "node_3"],
    ]


MERGE_REFUSALS = {
    "the same server": (
        one_server("10.0.0.1", {1: FOUR[5]}),
        'b.json: server_list[0].server_id is "10.0.0.1", the same as a.json: server_list[0].server_id',
    ),
    "the same address": (
        one_server("10.0.0.2", {0: FOUR[4]}),
        "b.json: server_list[0].device[0].device_ip is "
        '"192.98.92.104", the same as a.json: server_list[0].device[0].device_ip',
    ),
    "another version": (SUPER_PODS, "b.json: template is 1.2 and that of a.json is 1.0"),
    "another template": (MODELARTS, "b.json: template is group_list and that of a.json is 1.0"),
    "a pending one": ({"status": "initializing"}, "status in 'b.json' is \"initializing\" after 0 seconds"),
    "a wrong one": ({**one_server("10.0.0.2", {0: FOUR[5]}), "server_count": "2"}, 'b.json: server_count is "2"'),
    "other fields": ({**one_server("10.0.0.2", {0: FOUR[5]}), "board": "x"}, 'b.json: "board" is not what it is in'),
}


@pytest.mark.parametrize("case", MERGE_REFUSALS)
def test_merge_hccl_refuses(here, case):
    other, sentence = MERGE_REFUSALS[case]
    write(here, "a.json", one_server("10.0.0.1", {4: FOUR[4]}))
    write(here, "b.json", other)
    assert sentence in sentence_of(run(here, "merge_hccl.py", "a.json", "b.json"))
    assert sorted(os.listdir(here)) == ["a.json", "b.json"]


def test_merge_hccl_never_writes_over_a_file_that_it_was_given(here):
    write(here, "hccl_1s_1p.json", one_server("10.0.0.1", {4: FOUR[4]}))
    before = (here / "hccl_1s_1p.json").read_bytes()
    assert "which is one of the files" in sentence_of(run(here, "merge_hccl.py", "hccl_1s_1p.json"))
    assert (here / "hccl_1s_1p.json").read_bytes() == before


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (TWO_SERVERS, "t.json: template 1.0, completed, 2 servers, 4 devices: sound"),
        (SUPER_PODS, "t.json: template 1.2, completed, 2 servers, 2 devices: sound"),
        (MODELARTS, "t.json: template group_list, completed, 2 servers, 3 devices: sound"),
        (one_server("a", {0: "::1"}), "t.json: template 1.0, completed, 1 server, 1 device: sound"),
    ],
)
def test_check_says_what_the_table_is(here, document, line):
    done = run(here, "check.py", write(here, "t.json", document))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{line}\n", "")


def test_check_names_the_wrong_field(here):
    document = example(TWO_SERVERS)
    document["server_list"][1]["device"][0]["rank_id"] = "7"
    assert sentence_of(run(here, "check.py", write(here, "t.json", document))).startswith(
        'check.py: error: t.json: server_list[1].device[0].rank_id is "7", wanted ranks from 0 to 3'
    )


def test_check_waits_for_modelarts_with_a_limit(here):
    write(here, "jobstart_hccl.json", {"status": "initializing"})
    done = run(here, "check.py", ".", "--wait_seconds", "0.2")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].endswith("waiting up to 0.2 seconds for the platform to complete it")
    assert 'is "initializing" after 0.2 seconds' in done.stderr.splitlines()[1]


def test_check_can_be_interrupted_while_it_waits(here):
    write(here, "t.json", {"status": "initializing"})
    with subprocess.Popen(
        [sys.executable, str(ROOM / "check.py"), "t.json"], cwd=here, stderr=subprocess.PIPE, text=True
    ) as process:
        assert "waiting up to 60 seconds" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=120)[1] == "check.py: interrupted\n"
    assert process.returncode == 130


def test_check_of_an_impossible_path_is_a_sentence(here):
    assert "does not exist; make one with utils/hccl_tools/hccl_tools.py" in sentence_of(
        run(here, "check.py", "x" * 300)
    )


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_a_wrong_waiting_time_is_refused(here, seconds):
    done = run(here, "check.py", "t.json", f"--wait_seconds={seconds}")
    assert done.returncode == 2
    assert f"'{seconds}', wanted a number of seconds" in done.stderr


def test_translate_says_how_msrun_starts_a_host(here):
    done = run(here, "translate.py", write(here, "t.json", TWO_SERVERS), "--own_address", "10.0.0.2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == (
        "ASCEND_RT_VISIBLE_DEVICES=4,5 msrun --worker_num=4 --local_worker_num=2 --node_rank=1 --master_addr=10.0.0.1"
    )


def test_translate_finds_this_host_by_an_address_of_its_own(here):
    done = run(here, "translate.py", write(here, "t.json", one_server("127.0.0.1", {3: "192.98.92.3"})))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "server 0: 127.0.0.1, devices 3, ranks 0-0 (this host)\n"
        "ASCEND_RT_VISIBLE_DEVICES=3 msrun --worker_num=1 --local_worker_num=1 --node_rank=0 --master_addr=127.0.0.1\n"
    )


def test_translate_refuses_a_table_of_other_hosts(here):
    document = example(TWO_SERVERS)
    document["server_list"][0]["server_id"], document["server_list"][1]["server_id"] = "203.0.113.1", "203.0.113.2"
    assert "this host is not in the rank table, whose servers are 203.0.113.1, 203.0.113.2" in sentence_of(
        run(here, "translate.py", write(here, "t.json", document))
    )
