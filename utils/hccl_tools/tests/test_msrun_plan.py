"""What msrun is told, worked out by hand from the tables of hccl_examples."""

import socket

import pytest
from hccl_examples import MODELARTS, SUPER_PODS, TWO_SERVERS, example

from utils.hccl_tools import msrun_plan
from utils.hccl_tools.msrun_plan import MsrunPlan, format_plan, plan_msrun
from utils.hccl_tools.tables.rank_table import parse_table
from utils.model_utils.errors import BadStateError, BadValueError


def plan(document, own_address=None):
    return plan_msrun(parse_table(document, "t.json"), own_address)


def own_names_are(monkeypatch, *names):
    monkeypatch.setattr(msrun_plan, "is_own_name", lambda name: name in names)
    monkeypatch.setattr(msrun_plan, "resolves_to_own_address", lambda name: False)


def test_each_host_of_two():
    assert plan(TWO_SERVERS, "10.0.0.1") == MsrunPlan(4, 2, 0, "10.0.0.1", (0, 1))
    assert plan(TWO_SERVERS, "10.0.0.2") == MsrunPlan(4, 2, 1, "10.0.0.1", (4, 5))


def test_the_command_line():
    second = plan(TWO_SERVERS, "10.0.0.2")
    assert second.arguments() == ["--worker_num=4", "--local_worker_num=2", "--node_rank=1", "--master_addr=10.0.0.1"]
    assert second.environment() == {"ASCEND_RT_VISIBLE_DEVICES": "4,5"}
    assert format_plan(parse_table(TWO_SERVERS, "t.json"), second) == (
        "server 0: 10.0.0.1, devices 0,1, ranks 0-1\n"
        "server 1: 10.0.0.2, devices 4,5, ranks 2-3 (this host)\n"
        "ASCEND_RT_VISIBLE_DEVICES=4,5 msrun --worker_num=4 --local_worker_num=2 --node_rank=1 --master_addr=10.0.0.1"
    )


def test_the_host_finds_itself_by_its_addresses_and_names(monkeypatch):
    own_names_are(monkeypatch, "10.0.0.2", "127.0.0.1")
    assert plan(TWO_SERVERS).node_rank == 1
    own_names_are(monkeypatch, "172.16.0.101")
    assert plan(SUPER_PODS) == MsrunPlan(2, 1, 1, "172.16.0.100", (0,))
    monkeypatch.setattr(msrun_plan, "resolves_to_own_address", lambda name: name == "node_0")
    own_names_are_none = plan(SUPER_PODS, None)
    assert own_names_are_none.node_rank == 1  # addresses come before look-ups
    monkeypatch.setattr(msrun_plan, "is_own_name", lambda name: False)
    assert plan(SUPER_PODS).node_rank == 0


def test_a_pod_of_modelarts_finds_itself_by_its_name(monkeypatch):
    document = example(MODELARTS)
    instances = document["group_list"][0]["instance_list"]
    del instances[0]["devices"][1]
    document["group_list"][0]["device_count"] = "2"
    monkeypatch.setattr(socket, "gethostname", lambda: "job-1")
    assert plan(document) == MsrunPlan(2, 1, 1, "192.168.0.25", (4,))


def test_servers_stand_in_the_order_of_their_ranks():
    document = example(TWO_SERVERS)
    document["server_list"].reverse()
    assert plan(document, "10.0.0.2") == MsrunPlan(4, 2, 1, "10.0.0.1", (4, 5))


def test_an_address_may_be_spelt_otherwise():
    document = example(TWO_SERVERS)
    document["server_list"][1]["server_id"] = "fd00:0::2"
    assert plan(document, "FD00::2").node_rank == 1


def test_devices_are_ascending_whatever_their_ranks(caplog):
    document = example(TWO_SERVERS)
    first, second = document["server_list"][0]["device"]
    first["rank_id"], second["rank_id"] = "1", "0"
    assert plan(document, "10.0.0.1").device_ids == (0, 1)
    assert "ranks follow the devices 1,0, but Ascend's runtime takes them in ascending order only" in caplog.text


def test_the_only_server_is_this_host_even_in_a_container(monkeypatch, caplog):
    document = example(TWO_SERVERS)
    document["server_count"] = "1"
    del document["server_list"][1]
    own_names_are(monkeypatch)
    assert plan(document) == MsrunPlan(2, 2, 0, "127.0.0.1", (0, 1))
    assert "10.0.0.1 is no address of this host" in caplog.text


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ((), "this host is not in the rank table, whose servers are 10.0.0.1, 10.0.0.2: name the one that it is with"),
        (("10.0.0.1", "10.0.0.2"), "this host has the addresses of several servers of the rank table"),
    ],
)
def test_a_host_that_is_not_told_apart_is_refused(monkeypatch, own, sentence):
    own_names_are(monkeypatch, *own)
    with pytest.raises(BadStateError, match=sentence):
        plan(TWO_SERVERS)


def test_an_own_address_that_is_not_in_the_table_is_refused():
    with pytest.raises(BadStateError, match="'10.0.0.3' is not in the rank table"):
        plan(TWO_SERVERS, "10.0.0.3")


def test_several_hosts_cannot_all_be_127_0_0_1():
    document = example(TWO_SERVERS)
    document["server_list"][1]["server_id"] = "127.0.1.1"
    with pytest.raises(BadValueError, match=r'server_list\[1\].server_id is "127.0.1.1", which every host has'):
        plan(document, "10.0.0.1")


def test_msrun_numbers_ranks_server_by_server():
    document = example(TWO_SERVERS)
    document["server_list"][0]["device"][1]["rank_id"] = "2"
    document["server_list"][1]["device"][0]["rank_id"] = "1"
    with pytest.raises(BadValueError, match=r"server_list\[0\] has the ranks 0,2, but msrun gives a server"):
        plan(document, "10.0.0.1")


def test_msrun_wants_as_many_devices_on_each_server():
    with pytest.raises(BadValueError, match=r"instance_list\[1\] has 1 device and .*instance_list\[0\] has 2"):
        plan(MODELARTS, "192.168.0.25")
