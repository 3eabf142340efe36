"""docs/reliability.md names tests that are there, and has the figures that the tool gives."""

import re
from pathlib import Path

import pytest

from utils.tools.torture.report import HEADER
from utils.tools.torture.small_suites import SUITES

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
TESTS = re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)


def test_each_promise_has_tests():
    promises = TEXT.partition("## Promises and their tests")[2].partition("\n## ")[0]
    parts = re.split(r"\n\n(?=\*\*)", promises.strip())
    assert len(parts) >= 6
    assert [part.split("**")[1] for part in parts if "::test_" not in part] == []


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_each_test_is_there(path, name):
    assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_tool():
    assert f"| {' | '.join(HEADER)} |" in TEXT
    counts = re.findall(
        r"\| (\w+) \| (kills|full disk|two runs at once|worker deaths) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", TEXT
    )
    assert {suite for suite, *_ in counts} == {*SUITES, "all"}
    for _, _, tries, _, survived, lost in counts:
        assert int(tries) == int(survived) + int(lost)


def test_the_readmes_lead_to_it():
    for name in ("README.md", "README_CN.md", "CONTRIBUTING.md"):
        assert "docs/reliability.md" in (ROOT / name).read_text(encoding="utf-8")
