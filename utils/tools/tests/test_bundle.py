"""The folder that is uploaded. That a job runs from it alone is tested with the jobs of the suites."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from utils.model_utils.config.loading import dump_config
from utils.model_utils.tests.toy_schema import ToyConfig
from utils.tests.processes import finish
from utils.tools.bundle import ROOT, SUITES, bundle


def _run(*arguments, cwd):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return finish(sys.executable, *arguments, cwd=cwd, env=environment)


@pytest.mark.parametrize("suite", SUITES)
def test_a_bundle_answers_alone_and_holds_no_tests(suite, tmp_path):
    folder = tmp_path / "a job" / suite
    finished = _run(ROOT / "utils/tools/bundle.py", suite, "-o", folder, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    paths = [path.relative_to(folder) for path in folder.rglob("*")]
    assert {"train.py", "eval.py", "export.py", "src", "utils", "requirements.txt", "LICENSE", "NOTICE"} <= set(
        map(str, paths)
    )
    assert len(paths) < 1000  # ModelArts takes no more
    assert not {"tests", "__pycache__", "scripts"} & {part for path in paths for part in path.parts}
    answer = _run(folder / "train.py", "--help", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    words = " ".join(answer.stdout.split())
    assert f"{folder}/" in words  # its own default configuration
    assert f"{ROOT}/" not in words


def test_the_requirements_are_those_of_the_repository_without_mindspore(tmp_path):
    bundle("segformer", tmp_path / "b")
    lines = (tmp_path / "b/requirements.txt").read_text().splitlines()
    own = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in own if line not in lines] == [line for line in own if line.startswith("mindspore==")]


def test_a_folder_with_content_and_an_unknown_suite_are_sentences(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/own").write_text("kept")
    for arguments, words in [
        (("segformer", "-o", "b"), "is there already"),
        (("yolo",), "no suite 'yolo' here"),
        (("segformer", "-o", "b/own/c"), "cannot be written"),
    ]:
        finished = _run(ROOT / "utils/tools/bundle.py", *arguments, cwd=tmp_path)
        assert finished.returncode == 2
        assert words in finished.stderr
        assert len(finished.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["b", "own"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "b").mkdir()
    files, size = bundle("nas_fpn", Path(tmp_path / "b"))
    assert files == sum(path.is_file() for path in (tmp_path / "b").rglob("*"))
    assert size == sum(path.stat().st_size for path in (tmp_path / "b").rglob("*") if path.is_file())


def test_what_runs_have_left_in_a_suite_is_not_bundled(tmp_path, monkeypatch):
    """A training in the folder itself, which is the default, and the configuration of one under another name."""
    copy = tmp_path / "copy"
    for name in ("nas_fpn", "utils"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "tests", "*.ckpt"))
    for name in ("LICENSE", "NOTICE", "requirements.txt"):
        shutil.copy(ROOT / name, copy)
    monkeypatch.setattr("utils.tools.bundle.ROOT", copy)
    clean = bundle("nas_fpn", tmp_path / "before")
    stored = dump_config(ToyConfig(data_url="/home/me/photographs"))
    for folder in ("", "config", "src"):
        for name in ("config.yaml", "best.yaml", "train.log", "metrics.jsonl", "net.ckpt", "curves.png", ".run.lock"):
            (copy / "nas_fpn" / folder / name).write_text(stored)
    (copy / "nas_fpn" / "mine.yaml").write_text("lr: 1.0\n")
    assert bundle("nas_fpn", tmp_path / "after")[0] == clean[0] + 1
    assert (tmp_path / "after" / "mine.yaml").is_file()
    assert "/home/me" not in "".join(path.read_text() for path in (tmp_path / "after").rglob("*.yaml"))
