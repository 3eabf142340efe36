"""The set-up commands refuse an interpreter that they cannot use, in one sentence and before they make anything."""

import os
import stat
from pathlib import Path

import pytest

from utils.tests.processes import finish

ROOT = Path(__file__).resolve().parent.parent


def _run(script, python):
    return finish("bash", ROOT / script, env={**os.environ, "PYTHON": str(python)})


@pytest.mark.parametrize("script", ["quickstart.sh", "run_tests.sh"])
def test_a_missing_interpreter_is_a_sentence(script, tmp_path):
    finished = _run(script, tmp_path / "no-python")
    assert finished.returncode == 2
    assert f"PYTHON='{tmp_path / 'no-python'}' is not a command" in finished.stderr


@pytest.mark.parametrize("script", ["quickstart.sh", "run_tests.sh"])
def test_another_version_is_a_sentence(script, tmp_path):
    other = tmp_path / "python3.9"
    other.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
    other.chmod(other.stat().st_mode | stat.S_IEXEC)
    finished = _run(script, other)
    assert finished.returncode == 2
    assert "Python 3.9.2" in finished.stderr
    assert "wanted Python 3.11" in finished.stderr
