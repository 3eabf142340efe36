"""Builds the C++ library once, with sanitizers, in a folder that later runs find again."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "utils" / "cpp_infer"
BUILDS = ROOT / "runs" / "cpp_infer"


@pytest.fixture(scope="session")
def cpp_build() -> Path:
    """Build folder of the preset `asan`; skips where this machine cannot build it."""
    return _build("asan")


@pytest.fixture(scope="session")
def openvino_program() -> Path:
    """The toy's program of the preset `ubsan`; skips likewise."""
    return _build("ubsan", "toy_infer") / "tests" / "toy_infer"


def _build(preset: str, target: str = "all") -> Path:
    tools = ROOT / "utils" / "tools" / "cpp_tools.sh"
    missing = subprocess.run(["bash", tools, sys.executable], capture_output=True, text=True, check=True).stdout.split()
    if missing:
        pytest.skip(f"the C++ checks need: apt-get install {' '.join(missing)}")
    folder = BUILDS / preset
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        _run("cmake", "--preset", preset, "-S", SOURCES, "-G", "Ninja", f"-DPython3_EXECUTABLE={sys.executable}")
        _run("cmake", "--build", folder, "--target", target, "--parallel", "2")
    return folder


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
