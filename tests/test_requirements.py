"""requirements*.txt and requirements*.lock are made of the lists in pyproject.toml, and none names an index."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from package.requirements import LOCKS, read_project, text_files

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "utils/tools/environment.sh"
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", re.MULTILINE)


def pins(text):
    return {name.lower(): version for name, version in PIN.findall(text)}


def test_the_text_files_are_as_pyproject_says():
    for name, content in text_files(read_project()).items():
        assert (ROOT / name).read_text() == content, f"{name}: run python package/requirements.py"


def test_groups_that_name_groups_are_unfolded():
    project = {
        "name": "p",
        "dependencies": ["a==1"],
        "optional-dependencies": {"dev": ["p[other]", "b==2"], "other": ["c[x]==3"], "weights": ["torch==4"]},
    }
    files = {name: content.splitlines()[1:] for name, content in text_files(project).items()}
    assert files["requirements.txt"] == ["a==1"]
    assert files["requirements-dev.txt"] == ["-r requirements.txt", "c[x]==3", "b==2", "torch==4"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_has_what_is_listed_with_hashes_and_no_address(lock):
    text = (ROOT / lock).read_text()
    listed = pins((ROOT / lock.replace(".lock", ".txt")).read_text()) | pins((ROOT / "requirements.txt").read_text())
    locked = pins(text)
    assert {name: version for name, version in listed.items() if name != "torch"}.items() <= locked.items()
    assert "torch" not in locked
    assert not any(name.startswith("nvidia") for name in locked)
    assert not re.search(r"https?:|file:|index-url|find-links", text)
    packages = re.split(r"^(?=[\w.-]+(?:\[[\w,]+\])?==)", text, flags=re.MULTILINE)[1:]
    assert len(packages) > 50
    assert all("--hash=sha256:" in package for package in packages)


@pytest.mark.parametrize(
    ("serves_locked", "calls", "said"),
    [
        (True, ["--require-hashes -r FOLDER/requirements-dev.lock", "-r FOLDER/requirements-dev.txt"], ""),
        (
            False,
            ["--require-hashes -r FOLDER/requirements-dev.lock", "-r FOLDER/requirements-dev.txt"],
            "the index does not serve the files of requirements-dev.lock (pip's message: FOLDER/locked.log): "
            "installing requirements-dev.txt without hashes\n",
        ),
    ],
)
def test_set_up_installs_the_lock_file_first_and_falls_back(serves_locked, calls, said, tmp_path):
    python = tmp_path / "python"
    code = 0 if serves_locked else 1
    python.write_text(
        f'#!/bin/bash\necho "${{@:6}}" >> "{tmp_path}/calls"\n[[ "$*" != *--require-hashes* ]] || exit {code}\n'
    )
    python.chmod(0o755)
    finished = subprocess.run(
        ["bash", "-euc", 'source "$0"; install_requirements "$1" "$2" "$3"', ENVIRONMENT, python]
        + [tmp_path / "requirements-dev.txt", tmp_path / "locked.log"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found = (tmp_path / "calls").read_text().replace(str(tmp_path), "FOLDER").splitlines()
    assert found == calls
    assert finished.stdout.replace(str(tmp_path), "FOLDER") == said
    assert (tmp_path / "locked.log").exists() is not serves_locked


def test_set_up_fails_where_both_fail(tmp_path):
    finished = subprocess.run(
        ["bash", "-euc", 'source "$0"; install_requirements false "$1/r.txt" "$1/log" || echo failed', ENVIRONMENT]
        + [tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stdout.splitlines()[-1] == "failed"


# Tags of wheels that Debian 12, openEuler 22.03 and Ubuntu 20.04 run, with glibc 2.31 and newer.
LIBRARIES = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_24", "manylinux_2_17", "manylinux2014")
DRY_RUN_SECONDS = 900  # pip takes whole files to check their hashes: mindspore's has 804 MB
NO_INDEX = re.compile(r"from versions: none|NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError")
SOURCES_ONLY = {"typing"}  # of what is locked; pure Python


def dry_run(version, machine, folder, *options):
    """Returns the files that pip would install for a version of Python on a machine, by package."""
    report = folder / "report.json"
    tags = [f"--abi={abi}" for abi in (f"cp{version.replace('.', '')}", "abi3", "none")]
    tags += [f"--platform={library}_{machine}" for library in LIBRARIES]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--retries=1"]
    command += ["--implementation=cp", f"--python-version={version}", *tags, f"--target={folder}", f"--report={report}"]
    finished = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=DRY_RUN_SECONDS, check=False
    )
    if finished.returncode and NO_INDEX.search(finished.stderr):
        pytest.skip("no package index can be reached")
    if finished.returncode and "DO NOT MATCH THE HASHES" in finished.stderr:
        pytest.skip("the index serves other files than the lock file names")
    assert finished.returncode == 0, finished.stderr
    chosen = json.loads(report.read_text())["install"]
    return {item["metadata"]["name"].lower(): item["download_info"]["url"].rpartition("/")[2] for item in chosen}


@pytest.mark.long_run
@pytest.mark.timeout(2 * DRY_RUN_SECONDS)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_pip_finds_files_for_each_python_and_machine(version, machine, tmp_path):
    locked = dry_run(version, machine, tmp_path, "--require-hashes", "--no-deps", "--requirement=requirements.lock")
    assert {name for name, file in locked.items() if not file.endswith(".whl")} <= SOURCES_ONLY
    compiled = [file for file in locked.values() if re.search(r"_(x86_64|aarch64)\.whl$", file)]
    assert len(compiled) > 10
    assert all(file.endswith(f"_{machine}.whl") for file in compiled)
    listed = pins((ROOT / "requirements.txt").read_text())
    resolved = dry_run(version, machine, tmp_path, "--only-binary=:all:", "--requirement=requirements.txt")
    assert listed.keys() <= resolved.keys() & locked.keys()
    assert {name: resolved[name] for name in listed} == {name: locked[name] for name in listed}
