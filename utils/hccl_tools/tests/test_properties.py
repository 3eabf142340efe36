"""Properties of all tables: what is made reads back, joins and translates; what is damaged is named by its path."""

import json
import tempfile
from pathlib import Path

import pytest
from hccl_examples import leaves, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.hccl_tools.device_range import choose_devices
from utils.hccl_tools.hccl_tools import make_table
from utils.hccl_tools.merge_hccl import merge_tables
from utils.hccl_tools.msrun_plan import plan_msrun
from utils.hccl_tools.tables.consistency import check_tables
from utils.hccl_tools.tables.rank_table import parse_table
from utils.hccl_tools.tables.table_file import load_table, write_table
from utils.model_utils.errors import BadValueError

NUMBERS = ("device_id", "rank_id", "super_device_id")
COUNTS = ("server_count", "group_count", "device_count", "instance_count")
ADDRESSES = ("device_ip", "pod_ip")
NOT_STRINGS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.just([]),
    st.just({}),
    st.just(["0"]),
    st.just({"device_id": "0"}),
)


def read(document):
    table = parse_table(document, "t.json")
    check_tables([table])
    return table


def wrong_texts(key):
    """Returns strings that are wrong in any table under a key that has a meaning."""
    if key in NUMBERS:
        return st.sampled_from(["", " ", "-1", "01", "1.0", "x", "0x1", "٣", "99999999999", "9" * 5000])
    if key in COUNTS:
        return st.sampled_from(["", "0", "-1", "17", "x", "1 "])
    if key in ADDRESSES:
        return st.sampled_from(["", "10.0.0.256", "10.0.0", "host", "fe80::%a/b", "1.2.3.4/24", "::g"])
    if key in ("server_id", "pod_name", "group_name", "super_pod_id"):
        return st.sampled_from(["", "  "])
    return st.sampled_from(["", "1.1", "initializing", "failed", "Completed"])  # version, status


@st.composite
def cluster(draw):
    """Draws hosts with the same number of devices: [(server_id, device_num, visible_devices)]."""
    size = draw(st.sampled_from([1, 2, 3, 4, 8]))
    hosts = []
    for index in range(draw(st.integers(1, 4))):
        base = draw(st.sampled_from([0, 4])) if size <= 4 else 0
        start = base + draw(st.integers(0, 4 - size)) if size <= 4 else 0
        server_id = f"fd00::{index}" if draw(st.booleans()) else f"10.0.0.{draw(st.integers(0, 60)) * 4 + index}"
        hosts.append((server_id, f"[{start}, {start + size})"))
    return hosts


@settings(max_examples=30, deadline=None)
@given(cluster())
def test_a_cluster_made_written_read_merged_and_translated_keeps_every_rank(hosts):
    with tempfile.TemporaryDirectory() as name:
        files, made = [], []
        for index, (server_id, device_num) in enumerate(hosts):
            numbers = choose_devices(device_num, None).physical_ids
            made.append(make_table(server_id, numbers, [f"192.98.{index}.{number}" for number in numbers]))
            files.append(Path(name, f"{index}.json"))
            write_table(files[-1], made[-1])
        before = [file.read_bytes() for file in files]
        assert [load_table(file) for file in files] == made
        whole = merge_tables([load_table(file) for file in files], [str(file) for file in files])
        write_table(Path(name, "whole.json"), whole)
        assert load_table(Path(name, "whole.json")) == whole
        assert [file.read_bytes() for file in files] == before
    assert [server.server_id for server in whole.servers] == [server_id for server_id, _ in hosts]
    ranks = [device.rank_id for server in whole.servers for device in server.devices]
    assert ranks == list(range(whole.device_count))
    for index, (server_id, _) in enumerate(hosts):
        plan = plan_msrun(whole, own_address=server_id)
        assert (plan.worker_num, plan.node_rank, plan.master_addr) == (len(ranks), index, hosts[0][0])
        assert [
            (plan.node_rank * plan.local_worker_num + local, number) for local, number in enumerate(plan.device_ids)
        ] == [(device.rank_id, device.device_id) for device in whole.servers[index].devices]


@settings(max_examples=80, deadline=None)
@given(tables())
def test_a_sound_table_is_accepted_and_reads_back_as_it_was_written(document):
    table = read(document)
    again = read(json.loads(json.dumps(table.as_document())))
    assert (again.servers, again.super_pods) == (table.servers, table.super_pods)
    assert again.as_document() == table.as_document()
    if "group_list" not in document:
        assert table.as_document() == document  # nothing is lost, whatever the template


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_leaf_that_is_no_string_is_named(data):
    document = data.draw(tables())
    path, container, key = data.draw(st.sampled_from(list(leaves(document))))
    container[key] = data.draw(NOT_STRINGS)
    with pytest.raises(BadValueError) as error:
        read(document)
    assert f"t.json: {path}" in str(error.value)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_leaf_with_a_wrong_text_is_named(data):
    document = data.draw(tables())
    path, container, key = data.draw(
        st.sampled_from(
            [leaf for leaf in leaves(document) if leaf[2] != "host_nic_ip" and ".server_list[" not in leaf[0]]
        )
    )
    container[key] = data.draw(wrong_texts(key))
    with pytest.raises(BadValueError) as error:
        read(document)
    assert f"t.json: {path} is " in str(error.value)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_leaf_that_is_missing_is_named(data):
    document = data.draw(tables())
    optional = ("host_nic_ip", "pod_ip", "pod_name")
    path, container, key = data.draw(
        st.sampled_from(
            [
                leaf
                for leaf in leaves(document)
                if leaf[2] not in optional and not (leaf[2] == "device_ip" and document.get("version") == "1.2")
            ]
        )
    )
    del container[key]
    with pytest.raises(BadValueError, match="is missing") as error:
        read(document)
    assert f"t.json: {path} is missing" in str(error.value)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_value_that_stands_twice_is_named_with_both_paths(data):
    document = data.draw(tables())
    key = data.draw(st.sampled_from(["device_ip", "rank_id", "server_id", "pod_name"]))
    same = [leaf for leaf in leaves(document) if leaf[2] == key and not leaf[0].startswith("super_pod_list")]
    if len(same) < 2:
        return
    one, other = data.draw(st.permutations(same))[:2]
    one[1][key] = other[1][key]
    with pytest.raises(BadValueError) as error:
        read(document)
    assert all(f"{path} " in f"{error.value} ".replace(",", " ") for path in (one[0], other[0]))
