"""The tool that tries to lose trainings, on real ones: a short form, and under --all each kind on each suite."""

import json
import subprocess
import sys

import pytest

from tests.suites import ROOT, SEGFORMER, for_suites, run

pytestmark = pytest.mark.end_to_end
LONG_SECONDS = 3600


def torture(suite, folder, *arguments, seconds=None):
    """Runs the tool, which has to lose nothing; returns its JSON file."""
    output = folder / "result.json"
    command = [sys.executable, "-m", "utils.tools.torture", suite, f"--work={folder}", f"--output={output}", *arguments]
    if seconds is None:
        finished = run(command, ROOT)
    else:
        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return json.loads(output.read_text())


def test_a_kill_loses_nothing(tmp_path):
    """With this seed the kill is in the middle of a checkpoint."""
    content = torture("nas_fpn", tmp_path, "--tries=1", "--hurts=1", "--kinds=kills", "--seed=47")
    (tried,) = content["tries"]
    assert (tried["kind"], tried["lost"], len(tried["moments"])) == ("kills", [], 1)
    assert content["table"][-1]["lost"] == 0


@pytest.mark.long_run
@pytest.mark.timeout(LONG_SECONDS)
@for_suites
def test_every_kind_loses_nothing(suite, tmp_path):
    tries = 3 if suite is SEGFORMER else 4  # which has no MindRecord files to share
    content = torture(suite.name, tmp_path, f"--tries={tries}", "--minutes=50", seconds=LONG_SECONDS)
    assert len({tried["kind"] for tried in content["tries"]}) == tries
    assert all(tried["lost"] == [] for tried in content["tries"])


@pytest.mark.long_run
@pytest.mark.timeout(LONG_SECONDS)
@for_suites
def test_five_thousand_steps_leave_memory_files_and_threads_as_they_were(suite, tmp_path):
    content = torture(suite.name, tmp_path, "--soak", seconds=LONG_SECONDS)
    assert content["soak"][suite.name]["lost"] == []
