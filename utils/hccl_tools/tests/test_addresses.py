"""Addresses have one spelling; a host knows its own."""

import socket

import pytest

from utils.hccl_tools.tables import addresses
from utils.model_utils.errors import BadStateError


def resolves_to(monkeypatch, *found):
    answers = [(socket.AF_INET6 if ":" in text else socket.AF_INET, None, None, "", (text, 0)) for text in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("FD00:0:0::1", "fd00::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::ffff:1.2.3.4", "::ffff:102:304"),
        ("fe80::1%../x", None),
        ("10.0.0.01", None),
        ("10.0.0", None),
        ("host", None),
        ("", None),
    ],
)
def test_normal_address(text, normal):
    assert addresses.normal_address(text) == normal


def test_own_addresses_are_those_that_can_be_bound():
    assert addresses.is_own_address("127.0.0.1")
    assert not addresses.is_own_address("203.0.113.7")  # RFC 5737: in no network
    assert not addresses.is_own_address("2001:db8::7")
    assert not addresses.is_own_address("no address")


def test_own_names(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "node7.example")
    assert addresses.is_own_name("node7")
    assert addresses.is_own_name("node7.example")
    assert addresses.is_own_name("127.0.0.1")
    assert not addresses.is_own_name("node")


def test_a_name_that_resolves_to_loopback_may_be_anybody_s(monkeypatch):
    resolves_to(monkeypatch, "127.0.1.1")
    assert not addresses.resolves_to_own_address("node_3")


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        (["10.0.0.5"], "10.0.0.5"),
        (["127.0.1.1", "10.0.0.5"], "10.0.0.5"),
        (["fd00::5", "10.0.0.5"], "10.0.0.5"),
        (["::1", "127.0.1.1", "fd00::5"], "fd00::5"),
        (["::1", "127.0.1.1"], "127.0.1.1"),
    ],
)
def test_the_server_ip_is_what_the_host_name_resolves_to(monkeypatch, found, chosen):
    resolves_to(monkeypatch, *found)
    assert addresses.own_server_ip() == chosen


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label empty")])
def test_a_host_name_that_does_not_resolve_asks_for_server_ip(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(socket, "gethostname", lambda: "box..x")
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(BadStateError, match="'box..x', does not resolve to an address: .* with --server_ip"):
        addresses.own_server_ip()
