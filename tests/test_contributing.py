"""CONTRIBUTING.md leads to files that are there."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import import_rules as rules

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAP = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| to change")]
PATHS = {path for path in re.findall(r"`([\w./]+/[\w./]*)`", TEXT) if not path.startswith(("..", "src/"))}


def test_the_map_has_the_common_changes_each_with_a_place():
    assert len(MAP) >= 20
    assert not [line for line in MAP if not set(re.findall(r"`([^`]+)`", line)) & PATHS]


@pytest.mark.parametrize("path", sorted(PATHS))
def test_each_place_is_there(path):
    suites = rules.SUITES if path.startswith("SUITE/") else ("",)
    missing = [name for name in (path.replace("SUITE", suite, 1) for suite in suites) if not (ROOT / name).exists()]
    assert not missing
