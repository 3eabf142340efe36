"""Builds the C++ library once, with sanitizers, in a folder that later runs find again."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "utils" / "cpp_infer"
BUILD = ROOT / "runs" / "cpp_infer" / "asan"


@pytest.fixture(scope="session")
def cpp_build() -> Path:
    """Build folder of the preset `asan`; skips where this machine cannot build it."""
    tools = ROOT / "utils" / "tools" / "cpp_tools.sh"
    missing = subprocess.run(["bash", tools, sys.executable], capture_output=True, text=True, check=True).stdout.split()
    if missing:
        pytest.skip(f"the C++ checks need: apt-get install {' '.join(missing)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    with FileLock(BUILD.with_suffix(".lock")):
        _run("cmake", "--preset", "asan", "-S", SOURCES, "-G", "Ninja", f"-DPython3_EXECUTABLE={sys.executable}")
        _run("cmake", "--build", BUILD, "--parallel", "2")
    return BUILD


@pytest.fixture(scope="session")
def clang_tools() -> tuple[str, str]:
    """Paths of clang-format and clang-tidy."""
    paths = shutil.which("clang-format"), shutil.which("clang-tidy")
    if None in paths:
        pytest.skip("clang-format or clang-tidy is not installed")
    return paths


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=SOURCES, timeout=500)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
