"""A suite that is made as CONTRIBUTING.md says trains by its own train.py; fourth_suite/ is all that is its own."""

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import import_rules as rules

from utils.tests.processes import finish

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = Path(__file__).with_name("fourth_suite")
COPIED = ("train.py", "src/__init__.py")  # from nas_fpn, as the recipe says


@pytest.fixture()
def suite(tmp_path):
    shutil.copytree(TEMPLATE, tmp_path / "halves")
    for name in COPIED:
        shutil.copy(ROOT / "nas_fpn" / name, tmp_path / "halves" / name)
    (tmp_path / "utils").symlink_to(ROOT / "utils")
    return tmp_path / "halves"


def train(suite, *arguments):
    return finish(sys.executable, suite / "train.py", "--device_target=CPU", *arguments, cwd=suite.parent)


@pytest.mark.end_to_end
def test_it_trains_resumes_and_leaves_the_files_of_every_run(suite):
    finished = train(suite, "--run_dir=run")
    assert finished.returncode == 0, finished.stderr
    run = suite.parent / "run"
    assert {"config.yaml", "train.log", "metrics.jsonl", "curves.png", "ckpt"} <= {path.name for path in run.iterdir()}
    assert sorted(path.name for path in (run / "ckpt").iterdir()) == [f"halves-{epoch}_4.ckpt" for epoch in (1, 2, 3)]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [row["losses"]["loss"] for row in rows if row["kind"] == "step"]
    assert len(losses) == 12  # 3 epochs of 32 pictures, 8 in a step
    assert losses[-1] < 0.5 * losses[0]
    finished = train(suite, "--run_dir=run", "--resume=auto", "--epoch_size=4")
    assert finished.returncode == 0, finished.stderr
    assert (run / "ckpt" / "halves-4_4.ckpt").is_file()


def test_a_wrong_key_is_one_sentence_and_help_lists_its_own(suite):
    finished = train(suite, "--chanels=8")
    assert (finished.returncode, "channels" in finished.stderr) == (2, True)
    assert "--channels=4\n      channels of the convolution" in train(suite, "--help").stdout


def test_it_keeps_the_import_rules(suite, monkeypatch):
    monkeypatch.setattr(rules, "SUITES", (*rules.SUITES, "halves"))
    assert [rules.check_file(suite.parent, path) for path in suite.rglob("*.py")] == [[]] * 7
