import subprocess

import pytest

from .conftest import ROOT, SOURCES

pytestmark = pytest.mark.end_to_end
SUITES = ("faster_rcnn", "nas_fpn", "segformer")


def test_unit_tests_pass_under_sanitizers(cpp_build):
    done = subprocess.run(
        ["ctest", "--test-dir", cpp_build, "--output-on-failure"], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_code_is_formatted(clang_tools):
    folders = [SOURCES, *(ROOT / suite / "ascend310_infer" for suite in SUITES)]
    files = [file for folder in folders for file in folder.rglob("*") if file.suffix in (".cc", ".h")]
    done = subprocess.run([clang_tools[0], "--dry-run", "--Werror", *files], capture_output=True, text=True)
    assert files and done.returncode == 0, done.stderr[-4000:]


def test_clang_tidy_finds_nothing(cpp_build, clang_tools):
    everything = cpp_build / "CMakeFiles" / "cpp_infer.dir" / "Unity" / "unity_0_cxx.cxx"
    command = [clang_tools[1], f"--config-file={ROOT / '.clang-tidy'}", "-p", cpp_build, "--quiet", everything]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-1000:]}"
