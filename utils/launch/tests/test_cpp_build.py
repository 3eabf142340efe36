"""The C++ programs are built once for each version of what they are made of; the compiler is a stand-in."""

import os
from pathlib import Path

import pytest

from utils.launch.cpp_build import PROGRAMS, build, cached_program
from utils.model_utils.errors import BadStateError


@pytest.fixture()
def root(tmp_path, monkeypatch):
    """A repository with a source of each kind; tools that can only be asked for their version; a cache of its own."""
    folder = tmp_path / "a repository"
    for name in (
        "utils/cpp_infer/CMakeLists.txt",
        "utils/cpp_infer/src/run.cc",
        "utils/cpp_infer/include/x/run.h",
        "utils/cpp_infer/programs/CMakeLists.txt",
        "nas_fpn/ascend310_infer/main.cc",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("cmake", "c++"):
        (tools / tool).write_text("#!/bin/sh\necho version 1\n")
        (tools / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("CXX", "CXXFLAGS", "LITE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def compiler(program: Path, codes=(0, 0)):
    """Returns a runner that makes what CMake would, and the commands that it was given."""
    commands = []

    def run(command):
        commands.append(command)
        built = program.parent / "objects" / program.name / "main"
        built.parent.mkdir(parents=True, exist_ok=True)
        built.write_text("a program")
        return codes[len(commands) - 1]

    return run, commands


def test_the_program_is_built_once_by_cmake(root):
    program = cached_program(root, "nas_fpn")
    run, commands = compiler(program)
    assert build(root, "nas_fpn", program, run) == 0
    assert program.read_text() == "a program"
    assert [command[:3] for command in commands] == [
        ["cmake", "-S", str(root / PROGRAMS)],
        ["cmake", "--build", str(program.parent / "objects")],
    ]
    assert commands[1][3:5] == ["--target", "nas_fpn_main"]
    assert build(root, "nas_fpn", program, run) == 0
    assert len(commands) == 2


def test_a_failing_command_is_the_last_and_leaves_no_program(root):
    program = cached_program(root, "nas_fpn")
    run, commands = compiler(program, (1, 0))
    assert build(root, "nas_fpn", program, run) == 1
    assert len(commands) == 1
    assert not program.exists()


def test_what_an_interrupted_build_has_left_is_not_used(root):
    program = cached_program(root, "nas_fpn")

    def interrupted(_command):
        (program.parent / "objects").mkdir()
        (program.parent / "objects" / "half.o").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(root, "nas_fpn", program, interrupted)
    assert build(root, "nas_fpn", program, compiler(program)[0]) == 0
    assert not (program.parent / "objects" / "half.o").exists()


@pytest.mark.parametrize(
    "name",
    [
        "utils/cpp_infer/src/run.cc",
        "utils/cpp_infer/include/x/run.h",
        "nas_fpn/ascend310_infer/main.cc",
        "utils/cpp_infer/src/new.cc",
    ],
)
def test_a_changed_source_makes_another_program(root, name):
    before = cached_program(root, "nas_fpn")
    assert cached_program(root, "nas_fpn") == before
    (root / name).write_text("changed")
    assert cached_program(root, "nas_fpn") != before


@pytest.mark.parametrize("variable", ["CXXFLAGS", "LITE_HOME"])
def test_another_flag_or_engine_makes_another_program(root, monkeypatch, variable):
    before = cached_program(root, "nas_fpn")
    monkeypatch.setenv(variable, "/other")
    assert cached_program(root, "nas_fpn") != before


def test_another_version_of_the_compiler_makes_another_program(root, tmp_path):
    before = cached_program(root, "nas_fpn")
    (tmp_path / "bin" / "c++").write_text("#!/bin/sh\necho version 2\n")
    assert cached_program(root, "nas_fpn") != before


def test_without_a_compiler_the_packages_are_named(root, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BadStateError, match=r"'no-such-compiler' is not on the PATH .* g\+\+ cmake make libopencv"):
        cached_program(root, "nas_fpn")


def test_a_cache_that_cannot_be_made_is_a_sentence(root, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BadStateError, match="cannot be made .*XDG_CACHE_HOME"):
        build(root, "nas_fpn", cached_program(root, "nas_fpn"), compiler(tmp_path)[0])
