"""Templates read by hand; each wrong field has a sentence that names its path."""

import pytest
from hccl_examples import MODELARTS, SUPER_PODS, TWO_SERVERS, example

from utils.hccl_tools.tables.consistency import check_tables, order_warning
from utils.hccl_tools.tables.rank_table import Device, Server, SuperPod, parse_table
from utils.model_utils.errors import BadValueError


def read(document):
    table = parse_table(document, "t.json")
    check_tables([table])
    return table


def refusal(document):
    with pytest.raises(BadValueError) as error:
        read(document)
    return str(error.value)


def test_template_1_0():
    table = read(TWO_SERVERS)
    assert (table.template, table.device_count, table.super_pods) == ("1.0", 4, ())
    assert table.servers[1] == Server(
        "10.0.0.2", (Device(4, 2, "192.98.2.8"), Device(5, 3, "192.98.2.9")), {"host_nic_ip": "reserve"}
    )
    assert table.as_document() == TWO_SERVERS


def test_template_1_2():
    table = read(SUPER_PODS)
    assert table.servers[0].devices == (Device(0, 0, "192.168.1.6", 37748736, {"device_port": "16666"}),)
    assert table.servers[1].devices == (Device(0, 1, None, 37748736),)  # the number counts inside a super node
    assert table.super_pods == (SuperPod("0", ("node_0",)), SuperPod("1", ("node_1",)))
    assert table.as_document() == SUPER_PODS


def test_ranks_of_a_group_list_follow_the_file():
    table = read(MODELARTS)
    assert [
        (server.server_id, device.device_id, device.rank_id) for server in table.servers for device in server.devices
    ] == [("192.168.0.25", 4, 0), ("192.168.0.25", 5, 1), ("192.168.0.26", 4, 2)]


def test_a_group_list_is_written_as_template_1_0():
    document = read(MODELARTS).as_document()
    assert (document["version"], document["server_count"]) == ("1.0", "2")
    assert document["server_list"][1] == {
        "server_id": "192.168.0.26",
        "device": [{"device_id": "4", "device_ip": "192.1.11.254", "rank_id": "2"}],
        "pod_name": "job-1",
    }
    assert [server.names for server in read(document).servers] == [("192.168.0.25", "job-0"), ("192.168.0.26", "job-1")]


def test_fields_that_nobody_knows_are_kept():
    document = example(TWO_SERVERS)
    document["cluster_list"] = [{"cluster_id": "a", "nodes": []}]
    document["server_list"][0]["device"][0]["numa_id"] = "3"
    assert read(document).as_document() == document


def test_no_field_of_a_group_list_replaces_one_of_template_1_0():
    document = example(MODELARTS)
    document["version"] = "9"
    document["group_list"][0]["instance_list"][0]["device"] = "x"
    written = read(document).as_document()
    assert written["version"] == "1.0"
    assert len(written["server_list"][0]["device"]) == 2


def test_the_address_of_a_server_is_the_one_its_processes_have():
    assert Server("10.0.0.1", ()).address == "10.0.0.1"
    assert Server("10.0.0.1", (), {"host_ip": "10.9.9.9"}).address == "10.0.0.1"
    assert Server("10.0.0.1", (), {"container_ip": "172.16.0.1"}).address == "172.16.0.1"
    assert Server("node_0", (), {"host_ip": "10.9.9.9"}).address == "10.9.9.9"
    assert Server("node_0", ()).address == "node_0"


# (path, what to put there, what the sentence says behind the path)
WRONG = {
    "number in place of a string": ("server_list/1/device/0/rank_id", 2, "is 2, wanted a whole number from 0 to"),
    "device number too high": ("server_list/0/device/1/device_id", "16", 'is "16", wanted a whole number from 0 to 15'),
    "rank too high": ("server_list/1/device/1/rank_id", "4", 'is "4", wanted ranks from 0 to 3'),
    "rank twice": (
        "server_list/1/device/0/rank_id",
        "1",
        'is "1", the same as t.json: server_list[0].device[1].rank_id',
    ),
    "device twice": (
        "server_list/1/device/1/device_id",
        "4",
        'is "4", the same as t.json: server_list[1].device[0].device_id',
    ),
    "address twice": (
        "server_list/1/device/1/device_ip",
        "192.98.1.8",
        'is "192.98.1.8", the same as t.json: server_list[0].device[0].device_ip',
    ),
    "server twice": (
        "server_list/1/server_id",
        "10.0.0.1",
        'is "10.0.0.1", the same as t.json: server_list[0].server_id',
    ),
    "mixed families": ("server_list/1/device/1/device_ip", "fd00::1", 'is "fd00::1" and t.json: server_list[0]'),
    "no address": ("server_list/0/device/0/device_ip", "192.98.1", 'is "192.98.1", wanted an IPv4 or IPv6 address'),
    "half an address": ("server_list/0/server_id", "10.0.0", 'is "10.0.0", wanted an IPv4 or IPv6 address or a host'),
    "path as a name": ("server_list/0/server_id", "../x", 'is "../x", wanted an IPv4 or IPv6 address or a host name'),
    "wrong count": ("server_count", "1", 'is "1", wanted "2", the number of servers in server_list'),
    "count as a number": ("server_count", 2, 'is 2, wanted "2"'),
    "wrong version": ("version", "1.1", 'is "1.1", wanted "1.0" or "1.2"'),
    "wrong status": ("status", "failed", 'is "failed", wanted "completed"'),
    "no servers": ("server_list", [], "is an empty list, wanted a list with at least one item"),
    "servers as an object": ("server_list", {"0": "x"}, "is an object, wanted a list"),
    "no devices": ("server_list/0/device", [], "is an empty list, wanted a list with at least one item"),
    "device as a string": ("server_list/0/device/0", "0", 'is "0", wanted an object'),
    "unknown field as a number": ("server_list/0/numa_id", 3, 'is 3, wanted a string, like "3"'),
    "port too high": ("server_list/0/device/0/device_port", "65536", 'is "65536", wanted a whole number from 1 to'),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_wrong_field_is_named(case):
    path, value, sentence = WRONG[case]
    document = example(TWO_SERVERS)
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    container = document
    for step in way:
        container = container[step]
    container[last] = value
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in (*way, last)).lstrip(".")
    message = refusal(document)
    assert message.startswith(f"t.json: {shown} ")
    assert sentence in message
    assert "\n" not in message


def test_whatever_a_file_holds_the_sentence_is_one_printable_line():
    document = example(TWO_SERVERS)
    document["server_list"][0]["a\nb.\ud800"] = 3
    assert refusal(document).startswith(r't.json: server_list[0]."a\nb.\ud800" is 3, wanted a string')
    document = example(MODELARTS)
    for instance in document["group_list"][0]["instance_list"]:
        instance["pod_name"] = "a\n\ud800"
    assert r'instance_list[1].pod_name is "a\n\ud800", the same as' in refusal(document)


def test_two_spellings_of_an_address_are_one():
    document = example(TWO_SERVERS)
    document["server_list"][0]["server_id"] = "fd00::1"
    document["server_list"][1]["server_id"] = "FD00:0:0::1"
    assert 'server_list[1].server_id is "FD00:0:0::1", the same as' in refusal(document)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "t.json: the document is an empty list, wanted an object"),
        ({"status": "completed"}, "t.json: version is missing"),
        ({}, "t.json: status is missing"),
        ({**TWO_SERVERS, "group_list": []}, "server_list and group_list are both there"),
    ],
)
def test_documents_that_are_no_table(document, sentence):
    assert sentence in refusal(document)


def test_super_nodes_hold_the_servers_of_the_table_once():
    document = example(SUPER_PODS)
    document["super_pod_list"][1]["server_list"][0]["server_id"] = "node_7"
    assert 'super_pod_list[1].server_list[0].server_id is "node_7", wanted a server_id of the top' in refusal(document)
    document["super_pod_list"][1]["server_list"][0]["server_id"] = "node_0"
    assert "the same as t.json: super_pod_list[0].server_list[0].server_id" in refusal(document)
    del document["super_pod_list"][1]
    assert 'server_list[1].server_id is "node_1", which no super_pod_list names' in refusal(document)
    document["super_pod_list"][0]["server_list"].append({"server_id": "node_1"})
    assert 'server_list[1].device[0].super_device_id is "37748736", the same as' in refusal(document)


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("group_count", 'group_count is "7", wanted "1", the number of groups'),
        ("device_count", 'group_list[0].device_count is "7", wanted "3", the number of devices in the group'),
        ("instance_count", 'group_list[0].instance_count is "7", wanted "2", the number of instances'),
    ],
)
def test_counts_of_a_group_list(field, sentence):
    document = example(MODELARTS)
    (document if field == "group_count" else document["group_list"][0])[field] = "7"
    assert sentence in refusal(document)


def test_the_order_that_a_start_by_rank_table_wants_is_that_of_the_dictionary():
    servers = [Server(name, ()) for name in ("10.0.0.9", "10.0.0.10")]
    assert order_warning(servers[::-1]) is None
    assert "wants the dictionary order of server_id: 10.0.0.10, 10.0.0.9" in order_warning(servers)
