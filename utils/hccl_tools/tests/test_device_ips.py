"""Addresses of devices, from a stand-in for hccn_tool and from a file like /etc/hccn.conf."""

import pytest

from utils.hccl_tools.device_ips import find_device_ips
from utils.model_utils.errors import BadStateError

CONF = """address_0=192.98.92.1
netmask_0=255.255.255.0
 address_10 = 192.98.92.11
IPv6address_0=FD00::0:1
IPv6address_3=fd00::3
address_3=
"""


@pytest.fixture()
def conf(tmp_path):
    path = tmp_path / "hccn.conf"
    path.write_text(CONF)
    return path


def test_the_tool_is_asked_for_physical_numbers(hccn_tool, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", f"{hccn_tool.folder}:/usr/bin:/bin")
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "4")  # hccn_tool does not work under it
    hccn_tool.knows({4: "192.98.92.104", 15: "192.98.92.115"})
    assert find_device_ips([4, 15], tmp_path / "none") == ["192.98.92.104", "192.98.92.115"]
    assert hccn_tool.calls == ["-i 4 -ip -g ", "-i 15 -ip -g "]
    assert capsys.readouterr().out == ""


def test_ipv6_is_asked_for_where_ipv4_is_not_complete(hccn_tool, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{hccn_tool.folder}:/usr/bin:/bin")
    hccn_tool.knows({0: "192.98.92.1"})
    hccn_tool.knows({0: "FD00:0::1", 1: "fd00::2"})
    assert find_device_ips([0, 1], tmp_path / "none") == ["fd00::1", "fd00::2"]


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        ("ipaddr:10.0.0.11 / netmask:255.255.255.0\n", "10.0.0.11"),
        ("\nnetmask:255.255.255.0\nipaddr: 10.0.0.11\n", "10.0.0.11"),
        ("ipv6 address: fd00::5/64\n", "fd00::5"),
    ],
)
def test_forms_of_the_tool_s_answer(hccn_tool, monkeypatch, tmp_path, answer, address):
    monkeypatch.setenv("PATH", f"{hccn_tool.folder}:/usr/bin:/bin")
    (hccn_tool.folder / "3").write_text(answer)
    assert find_device_ips([3], tmp_path / "none") == [address]


def test_a_silent_tool_leaves_it_to_the_file(hccn_tool, monkeypatch, conf, capsys):
    monkeypatch.setenv("PATH", f"{hccn_tool.folder}:/usr/bin:/bin")
    hccn_tool.knows({0: "1.1.1.1"})  # and not 10: half of each would be no table
    assert find_device_ips([0, 10], conf) == ["192.98.92.1", "192.98.92.11"]
    assert capsys.readouterr().out == f"Failed to call hccn_tool, try to read {conf} instead\n"


def test_the_file_s_addresses_are_of_one_family(monkeypatch, conf):
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_device_ips([0], conf) == ["192.98.92.1"]
    assert find_device_ips([0, 3], conf) == ["fd00::1", "fd00::3"]


def test_a_tool_that_cannot_be_run_counts_as_silent(hccn_tool, monkeypatch, conf):
    monkeypatch.setenv("PATH", str(hccn_tool.folder))
    (hccn_tool.folder / "hccn_tool").write_bytes(b"\x00not a program")
    assert find_device_ips([0], conf) == ["192.98.92.1"]


def test_neither_is_a_sentence_that_names_both(monkeypatch, conf, tmp_path, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BadStateError, match=r"hccn_tool is not on PATH .* and .*hccn.conf does not name them all"):
        find_device_ips([0, 5], conf)
    with pytest.raises(BadStateError, match=r"Failed to find information for hccl: .* devices 0, 5, .*cannot be read"):
        find_device_ips([0, 5], tmp_path / "none")
    assert f"Failed to read {tmp_path / 'none'}\n" in capsys.readouterr().out
