"""The notebooks of docs run as they stand, but for a smaller training, and say the same in both languages."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.suites import ROOT
from utils.tests.processes import finish

DOCS = ROOT / "docs"
ENGLISH, CHINESE = "python_api.ipynb", "python_api_CN.ipynb"
# Runs cells in one namespace and shows the value of the last expression of each, as a notebook does.
RUNNER = """
import ast, json, sys
scope = {"__name__": "__main__"}
for source in json.load(open(sys.argv[1], encoding="utf-8")):
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), scope)
    if last:
        print(repr(eval(compile(last, "cell", "eval"), scope)), flush=True)
"""


def code_of(name):
    cells = json.loads((DOCS / name).read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_both_languages_have_the_same_code_and_no_output():
    assert code_of(ENGLISH) == code_of(CHINESE)
    for name in (ENGLISH, CHINESE):
        notebook = json.loads((DOCS / name).read_text(encoding="utf-8"))
        assert notebook["nbformat"] == 4
        assert not any(cell.get("outputs") for cell in notebook["cells"])
    kinds = [
        [cell["cell_type"] for cell in json.loads((DOCS / name).read_text())["cells"]] for name in (ENGLISH, CHINESE)
    ]
    assert kinds[0] == kinds[1]


def smaller(cells, folder):
    """Lets the cells make a smaller thing in another folder; both lines have to be there."""
    text = "\0".join(cells)
    for line, instead in (
        ('Path("../runs/notebook")', f"Path({str(folder)!r})"),
        ("PICTURES, EPOCHS = 96, 21", "PICTURES, EPOCHS = 8, 1"),
    ):
        assert text.count(line) == 1
        text = text.replace(line, instead)
    return text.split("\0")


@pytest.mark.end_to_end
def test_the_notebook_runs(tmp_path):
    cells = tmp_path / "cells.json"
    cells.write_text(json.dumps(smaller(code_of(ENGLISH), tmp_path / "work")), encoding="utf-8")
    finished = finish(sys.executable, "-c", RUNNER, cells, cwd=DOCS, seconds=500)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"run_folder=PosixPath('{tmp_path}/work/run')" in finished.stdout
    assert re.search(r"^Model\(suite='nas_fpn', path='.*_2\.ckpt', 8 classes\)$", finished.stdout, re.MULTILINE)
    assert finished.stdout.count("DetectionResult(") == 9  # one, then all eight
    assert "the array is float32[480, 640], wanted RGB as uint8[height, width, 3]" in finished.stdout
    assert Path(tmp_path, "work", "found.jpg").stat().st_size > 10_000
