"""A download is whole and checked or not there at all, and goes on where it was cut off."""

import hashlib
import shutil
import socket
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest

from utils.model_utils.errors import BadStateError, BadValueError
from utils.models import download as module
from utils.models.download import download
from utils.models.progress import Progress
from utils.models.table import PublishedFile
from utils.models.tests.file_server import file_server

CONTENT = np.random.default_rng(0).bytes(600_000)  # more than two reads
WANTED = PublishedFile("net.pth", sha256=hashlib.sha256(CONTENT).hexdigest()[:8])
OTHER_WAYS = "give --file=PATH"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)


@pytest.fixture
def server():
    with file_server(net__pth=CONTENT) as server:
        yield server


def _get(server, folder, wanted=WANTED):
    download(f"{server.address}{wanted.name}", folder / wanted.name, wanted, OTHER_WAYS)
    return (folder / wanted.name).read_bytes()


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_and_nothing_else_is_left(server, tmp_path):
    assert _get(server, tmp_path) == CONTENT
    assert _names(tmp_path) == ["net.pth"]
    assert server.asked == [("/net.pth", "")]


def test_a_connection_that_is_cut_half_way_goes_on_from_there(server, tmp_path):
    server.cuts = [300_000, 100_000]
    assert _get(server, tmp_path) == CONTENT
    assert [asked for _, asked in server.asked] == ["", "bytes=300000-", "bytes=400000-"]
    assert _names(tmp_path) == ["net.pth"]


def test_one_that_is_cut_again_and_again_keeps_what_came_for_the_next_command(server, tmp_path):
    server.cuts = [200_000, *[0] * module.MOST_CUTS]
    with pytest.raises(BadStateError, match=r"was cut 5 times at 200,000 bytes of 'net.pth' .* goes on from there"):
        _get(server, tmp_path)
    assert _names(tmp_path) == ["net.pth.part", "net.pth.part.version"]
    server.cuts, server.asked = [], []
    assert _get(server, tmp_path) == CONTENT
    assert server.asked == [("/net.pth", "bytes=200000-")]


def test_one_that_moves_between_cuts_is_followed_to_the_end(server, tmp_path):
    server.cuts = [100_000, 0, 0, 100_000, 0, 0, 0, 100_000, 0, 0, 0]
    assert _get(server, tmp_path) == CONTENT


def test_two_versions_of_a_file_are_never_glued_together(server, tmp_path):
    new = bytes(reversed(CONTENT))
    server.cuts = [300_000, *[0] * module.MOST_CUTS]
    with pytest.raises(BadStateError):
        _get(server, tmp_path)
    server.files["net.pth"], server.version, server.cuts = new, '"2"', []
    assert _get(server, tmp_path, PublishedFile("net.pth", size=600_000)) == new


@pytest.mark.parametrize("facts", [{"has_ranges": False}, {"version": ""}, {"version": 'W/"1"'}], ids=str)
def test_a_server_that_cannot_go_on_begins_anew(server, tmp_path, facts):
    vars(server).update(facts, cuts=[300_000])
    assert _get(server, tmp_path) == CONTENT
    assert _names(tmp_path) == ["net.pth"]


def test_a_command_that_ended_before_the_last_step_does_not_download_again(server, tmp_path):
    (tmp_path / "net.pth.part").write_bytes(CONTENT)
    (tmp_path / "net.pth.part.version").write_text('"1"')
    assert _get(server, tmp_path) == CONTENT
    assert server.asked == [("/net.pth", "bytes=600000-")]
    assert _names(tmp_path) == ["net.pth"]


def test_other_bytes_are_refused_and_removed(server, tmp_path):
    server.files["net.pth"] = CONTENT[:-1] + b"x"
    with pytest.raises(
        BadValueError, match=rf"has the SHA-256 \w{{8}}\.\.\., wanted {WANTED.sha256}\.\.\.: .* removed"
    ):
        _get(server, tmp_path)
    assert _names(tmp_path) == []


@pytest.mark.parametrize("size", [600_001, "601.5 kB", "5 MB"])
def test_a_file_of_another_size_is_refused_before_it_comes(server, tmp_path, size):
    with pytest.raises(BadValueError, match=r"has 600,000 bytes, wanted .*another file"):
        _get(server, tmp_path, PublishedFile("net.pth", size=size))
    assert _names(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "has no such file any more"), (410, "moved it"), (503, "answers 503"), (403, "answers 403")],
)
def test_an_answer_that_is_an_error_is_a_sentence(server, tmp_path, status, words):
    server.status = status
    with pytest.raises(BadStateError, match=words) as caught:
        _get(server, tmp_path)
    assert str(caught.value).endswith(OTHER_WAYS)
    assert _names(tmp_path) == []


def test_no_connection_and_no_such_host_are_sentences(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(
        BadStateError, match=r"no connection to 127.0.0.1:\d+ \(.*refused.*\): check the network .*--file"
    ):
        download(f"http://127.0.0.1:{port}/net.pth", tmp_path / "net.pth", WANTED, OTHER_WAYS)

    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(BadStateError, match=r"no connection to nowhere.test \(.*not known\): check the network"):
        download("http://nowhere.test/net.pth", tmp_path / "net.pth", WANTED, OTHER_WAYS)
    assert _names(tmp_path) == []


def test_a_server_that_is_gone_in_the_middle_keeps_what_came(server, tmp_path, monkeypatch):
    server.cuts = [300_000]
    monkeypatch.setattr(module.time, "sleep", lambda _: server.server_close())
    server.daemon_threads = True
    with pytest.raises(BadStateError, match="was cut 5 times at 300,000 bytes"):
        _get(server, tmp_path)
    assert (tmp_path / "net.pth.part").read_bytes() == CONTENT[:300_000]


def test_a_disk_without_room_is_said_before_the_download(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=599_999))
    with pytest.raises(BadStateError, match=r"needs 600,000 bytes and its disk has 599,999: free some space"):
        _get(server, tmp_path)
    assert _names(tmp_path) == []


def test_a_disk_that_fills_up_is_a_sentence(server, tmp_path):
    (tmp_path / "net.pth.part").symlink_to("/dev/full")
    with pytest.raises(BadStateError, match=r"cannot be written \(No space left on device\): free some space"):
        _get(server, tmp_path)
    assert not (tmp_path / "net.pth").exists()


def test_an_interrupted_download_says_how_far_it_came_and_goes_on(server, tmp_path, monkeypatch, capsys):
    def interrupt(_, done, total):
        if done > 200_000:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "show", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _get(server, tmp_path)
    arrived = (tmp_path / "net.pth.part").stat().st_size
    assert 200_000 < arrived < 600_000
    assert f"stopped at {arrived:,} bytes of 'net.pth': the same command goes on" in capsys.readouterr().out
    assert _get(server, tmp_path) == CONTENT
    assert server.asked[-1] == ("/net.pth", f"bytes={arrived}-")


def test_a_way_out_of_https_is_not_followed(tmp_path, monkeypatch):
    def lead_away(*_, **__):
        return SimpleNamespace(geturl=lambda: "http://elsewhere.test/net.pth", close=lambda: None)

    monkeypatch.setattr(urllib.request, "urlopen", lead_away)
    with pytest.raises(BadStateError, match="leads to elsewhere.test without https, which is not followed"):
        download("https://here.test/net.pth", tmp_path / "net.pth", WANTED, OTHER_WAYS)


def test_where_there_is_no_terminal_a_line_now_and_then_says_how_far_it_is(monkeypatch, capsys):
    times = iter([0.0, 9.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr("utils.models.progress.time.monotonic", lambda: next(times))
    with Progress("net.pth") as progress:
        progress.show(1_000, 5_000)
        progress.show(2_000, 5_000)
        progress.show(3_000, 5_000)
    assert capsys.readouterr().out == "net.pth: 2,000 bytes of 5,000\n"
