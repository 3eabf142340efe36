"""Builds the suites' C++ programs into the user's cache, once, and again where what they are made of changes.

Sources, flags, compiler and Python are in the name of the folder, so that several versions lie side by side. In it the
library is compiled once; a second suite's program is a matter of a second.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from utils.engines.choice import OPENVINO, package_version
from utils.model_utils.device_adapter import available_cores
from utils.model_utils.errors import BadStateError, os_errors_as
from utils.model_utils.guards.cache import cache_folder, make_cache_folder
from utils.model_utils.host_lock import host_lock

PROGRAMS = Path("utils/cpp_infer/programs")
OBJECTS = "objects"  # folder of what is compiled, beside the programs
SOURCES = (
    "utils/cpp_infer/CMakeLists.txt",
    "utils/cpp_infer/cmake/*",
    "utils/cpp_infer/include/**/*",
    "utils/cpp_infer/src/*",
    "utils/cpp_infer/programs/*",
    "*/ascend310_infer/*",
)
# What CMake and the compiler take from the environment.
VARIABLES = (
    "CXX",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "LITE_HOME",
    "CMAKE_PREFIX_PATH",
    "CMAKE_TOOLCHAIN_FILE",
    "CMAKE_GENERATOR",
)
PACKAGES = "g++ cmake make libopencv-imgcodecs-dev libopencv-imgproc-dev libjpeg-dev nlohmann-json3-dev"
LOCK_SECONDS = 900.0  # another process builds for a minute, on one slow core for some

Run = Callable[[Sequence[str]], int]  # runs a command and returns its exit code


def cached_program(root: Path, suite: str) -> Path:
    """Returns where the program of a suite lies, or will lie, for the sources as they are.

    Raises:
        BadStateError: there is no CMake or no compiler.
    """
    compiler = os.environ.get("CXX") or "c++"
    for tool in ("cmake", compiler):
        if shutil.which(tool) is None:
            raise BadStateError(
                f"'{tool}' is not on the PATH and the C++ program has to be built: install the packages {PACKAGES} "
                "(Debian's names)"
            )
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    digest = hashlib.sha256(
        repr(
            (
                [os.environ.get(name, "") for name in VARIABLES],
                compiler,
                version,
                sys.executable,
                sys.version,
                package_version(OPENVINO),  # with it, another engine is built
                str(root),
            )
        ).encode()
    )
    for path in sorted({path for pattern in SOURCES for path in root.glob(pattern) if path.is_file()}):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return cache_folder("cpp_infer") / digest.hexdigest()[:20] / suite


def is_built(program: Path) -> bool:
    """Whether a program is there, in a cache that no one else can write.

    Raises:
        BadStateError: someone else can.
    """
    make_cache_folder(program.parent)
    return program.is_file()


def build(root: Path, suite: str, program: Path, run: Run) -> int:
    """Builds the program of a suite and puts it where `cached_program` says; waits for others who do.

    Returns:
        The exit code of the command that failed, else 0.

    Raises:
        BadStateError: the cache cannot be written, or the time for waiting is over.
    """
    folder = program.parent
    make_cache_folder(folder)
    advice = ": free some space, or set XDG_CACHE_HOME to a folder that you may write to"
    with (
        os_errors_as(BadStateError, f"'{folder}' cannot be written", advice),
        host_lock(folder / "build.lock", f"builds '{program}'", LOCK_SECONDS),
    ):
        return 0 if program.is_file() else _build(root, suite, program, run)  # another process may have been faster


def _build(root: Path, suite: str, program: Path, run: Run) -> int:
    objects, mark = program.parent / OBJECTS, program.parent / "building"
    if mark.exists():  # a build was interrupted, a file may be half written
        shutil.rmtree(objects, ignore_errors=True)
    mark.touch()
    commands = build_commands(root, suite, program)
    code = next(filter(None, map(run, commands)), 0)
    if code == 0:
        unfinished = program.with_name(f".{program.name}.{os.getpid()}")
        shutil.copy2(objects / suite / "main", unfinished)
        os.replace(unfinished, program)
        mark.unlink()
    return code


def build_commands(root: Path, suite: str, program: Path) -> tuple[list[str], list[str]]:
    """Returns the commands that compile the program of a suite beside the place where it will lie."""
    objects = program.parent / OBJECTS
    return (
        [
            "cmake",
            "-S",
            str(root / PROGRAMS),
            "-B",
            str(objects),
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DPython3_EXECUTABLE={sys.executable}",
        ],
        ["cmake", "--build", str(objects), "--target", f"{suite}_main", "--parallel", str(available_cores())],
    )
