"""The folder that is uploaded. That a job runs from it alone is tested with the jobs of the suites."""

import os
import sys
from pathlib import Path

import pytest

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
