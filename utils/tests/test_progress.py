"""What a long loop says of itself."""

import logging

from utils import progress


def test_progress_without_a_terminal_writes_plain_lines(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "PLAIN_INTERVAL_SECONDS", 0.0)
    assert list(progress.track(iter("abc"), 3, "checking images")) == ["a", "b", "c"]
    assert "checking images: 2 of 3, 0 s left" in caplog.text


def test_progress_on_a_terminal_yields_the_same(monkeypatch, capsys):
    assert list(progress._track_on_terminal([1, 2], 2, "checking images")) == [1, 2]
    assert "checking images" in capsys.readouterr().err
