"""What stands about the repository in its root: the version in one place, a citation, a workflow, forms for issues."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from utils import installation
from utils.tools import bundle

ROOT = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
MOST_IGNORES = 40
CHECKED = ("utils", "nas_fpn/src", "segformer/src", "faster_rcnn/src", "package/typings")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_stands_in_one_place():
    assert installation.version() == f"{VERSION} (clone)"
    assert yaml.safe_load(text_of("CITATION.cff"))["version"] == VERSION
    headings = re.findall(r"^## \[(.+?)\](.*)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    released = [version for version, _ in headings[1:]]
    if VERSION not in released:
        assert f"To become {VERSION}" in text_of("CHANGELOG.md")
    assert all(re.fullmatch(r" - \d{4}-\d{2}-\d{2}", date) for _, date in headings[1:])


def test_a_bundle_says_that_it_does_not_know_its_version(tmp_path, monkeypatch):
    assert "pyproject.toml" not in (*bundle.SHARED_FILES, *bundle.SUITE_FILES)
    monkeypatch.setattr(installation, "ROOT", tmp_path)
    assert installation.version() == "unknown (bundle)"


def test_changes_are_of_the_kinds_of_keep_a_changelog():
    kinds = re.findall(r"^### (\w+)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_has_what_its_format_asks_for():
    """CFF 1.2.0 asks for these five; an author without a family name is an entity, which has a name."""
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors", "type"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert all(author.keys() == {"name"} for author in citation["authors"])
    assert "doi" not in citation
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= reference.keys()


@pytest.mark.parametrize("name", ["SECURITY.md", "CHANGELOG.md"])
def test_files_that_are_named_are_there(name):
    named = re.findall(r"`((?:utils|tests|docs|package)/[\w./-]+)`", text_of(name))
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [link for link in re.findall(r"\]\((?!http)([^)#]+)", text_of(name)) if not (ROOT / link).exists()] == []


def test_the_workflow_runs_what_stands_for_continuous_integration():
    workflow = yaml.safe_load(text_of(".github/workflows/tests.yml"))
    job = workflow["jobs"]["tests"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["taskset --cpu-list 0,1 .ci/run"]
    assert text_of(".ci/run").rstrip().endswith("exec bash run_tests.sh")


def test_forms_for_issues_have_what_github_asks_for():
    forms = [path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 3
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert form["name"] and form["description"]
        names = [each["id"] for each in form["body"]]
        assert len(set(names)) == len(names)
        assert all(each["attributes"]["label"] for each in form["body"])


def test_what_the_type_checker_passes_over_is_little_and_says_why():
    files = [path for place in CHECKED for path in (ROOT / place).rglob("*.py*") if path.suffix in (".py", ".pyi")]
    lines = [line for path in files if "tests" not in path.parts for line in path.read_text("utf-8").splitlines()]
    ignores = [line for line in lines if "type: ignore" in line]
    assert 0 < len(ignores) <= MOST_IGNORES
    assert [line for line in ignores if not re.search(r"# type: ignore\[[\w-]+\]  # \w+", line)] == []


@pytest.mark.parametrize(
    ("mistake", "rule"),
    [
        ("size_of('picture.jpg')", "arg-type"),
        ("tensor: Tensor = np.zeros(3)", "assignment"),
        ("Detections(1, 2)", "call-arg"),
        ("Convolution(3, 4, 3).kernel_sise", "attr-defined"),
    ],
)
def test_the_type_checker_sees_a_mistake(mistake, rule, tmp_path):
    pytest.importorskip("mypy")
    seeded = tmp_path / "seeded.py"
    seeded.write_text(
        "import numpy as np\nfrom mindspore import Tensor\n"
        "from utils.cpu_kernels.convolution import Convolution\nfrom utils.detection.detections import Detections\n"
        f"from utils.pixels import size_of\n\n{mistake}\n"
    )
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--no-pretty", str(seeded)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert found.returncode == 1, found.stdout + found.stderr
    assert re.findall(r"error: .*\[([\w-]+)\]$", found.stdout, re.MULTILINE)[0] == rule


def test_the_type_checker_is_run_and_strict():
    settings = tomllib.loads(text_of("pyproject.toml"))["tool"]["mypy"]
    assert settings["strict"] and settings["warn_unreachable"]
    off = {name for name, value in settings.items() if value is False}
    assert off == {"disallow_any_generics", "warn_return_any"}
    assert '"$bin/mypy"' in text_of("run_tests.sh")
