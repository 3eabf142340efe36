"""The suites' C++ programs for tests: built, or the test is skipped with the reason."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from utils.launch.cpp_build import build, cached_program

ROOT = Path(__file__).resolve().parents[3]
BUILD_SECONDS = 540
ABSENT = ("OpenCV is missing", "Could NOT find", "Could not find", "pybind11: install")  # what CMake says of packages


def require_program(suite: str) -> Path:
    """Returns the program of a suite as the launcher would build it; skips where something for it is not installed."""
    missing = [tool for tool in ("cmake", os.environ.get("CXX") or "c++") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no C++ program: {missing[0]} is not installed")
    output = []

    def run(command):
        finished = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_SECONDS, check=False
        )
        output.append(finished.stdout)
        return finished.returncode

    program = cached_program(ROOT, suite)
    if not program.is_file() and build(ROOT, suite, program, run):
        reason = next((line for line in output[-1].splitlines() if any(word in line for word in ABSENT)), None)
        if reason is not None:
            pytest.skip(f"no C++ program: {reason.strip()}")
        raise AssertionError(output[-1])
    return program


def run_infer_310(suite: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Calls a suite's launcher in a folder, with variables beside those of this process."""
    return subprocess.run(
        ["bash", str(ROOT / suite / "scripts" / "run_infer_310.sh"), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
        env={**os.environ, "PYTHON": sys.executable, **environment},
    )


def run_postprocess(suite: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    """Calls a suite's postprocess.py in a folder where MindSpore cannot be imported."""
    blocked = cwd / "no mindspore"
    blocked.mkdir(exist_ok=True)
    (blocked / "mindspore.py").write_text("raise ImportError('there is MindSpore Lite only')\n")
    return subprocess.run(
        [sys.executable, str(ROOT / suite / "postprocess.py"), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(blocked)},
    )
