"""Builds the C++ program of a suite once per machine into the user's cache, and again where what it is made of changes.

Sources, flags, compiler and Python are in the name of its folder, so that several versions lie side by side.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from utils.model_utils.device_adapter import available_cores
from utils.model_utils.errors import BadStateError
from utils.model_utils.files import cache_folder
from utils.model_utils.node_lock import node_lock

LIBRARY = Path("utils/cpp_infer")
LIBRARY_PARTS = ("CMakeLists.txt", "cmake", "include", "src")
PROGRAM = "main"
# What CMake and the compiler take from the environment.
VARIABLES = ("CXX", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "LITE_HOME", "CMAKE_PREFIX_PATH", "CMAKE_TOOLCHAIN_FILE")
PACKAGES = "g++ cmake make libopencv-imgcodecs-dev libopencv-imgproc-dev libjpeg-dev nlohmann-json3-dev"
LOCK_SECONDS = 900.0

Run = Callable[[Sequence[str]], int]  # runs a command and returns its exit code


def cached_program(root: Path, suite: str) -> Path:
    """Returns where the program of a suite lies, or will lie, for the sources as they are.

    Raises:
        BadStateError: there is no CMake or no compiler.
    """
    compiler = os.environ.get("CXX") or "c++"
    for tool in ("cmake", compiler):
        if shutil.which(tool) is None:
            raise BadStateError(f"'{tool}' is not on the PATH and the C++ program has to be built: install the "
                                f"packages {PACKAGES} (Debian's names)")
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    digest = hashlib.sha256(repr((
        [os.environ.get(name, "") for name in VARIABLES], compiler, version, sys.executable, sys.version, str(root),
    )).encode())
    for path in _sources(root, suite):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return cache_folder("cpp_infer") / f"{suite}-{digest.hexdigest()[:20]}" / PROGRAM


def build(root: Path, suite: str, program: Path, run: Run) -> int:
    """Builds the program of a suite in a temporary folder and puts it in its place; waits for others who do.

    Args:
        root: of the repository.
        suite: its name.
        program: as `cached_program` gives it.
        run: runs one command.

    Returns:
        The exit code of the command that failed, else 0.

    Raises:
        BadStateError: the cache cannot be written.
    """
    try:
        program.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadStateError(f"'{program.parent}' cannot be made ({error.strerror}): set XDG_CACHE_HOME to a folder "
                            "that you may write to") from error
    with (
        node_lock(program.with_name("build.lock"), f"builds '{program}'", LOCK_SECONDS),
        tempfile.TemporaryDirectory(dir=program.parent, prefix="build-") as folder,
    ):
        if program.is_file():  # another process was faster
            return 0
        code = next(filter(None, map(run, _commands(root, suite, Path(folder)))), 0)
        if code == 0:
            os.replace(Path(folder) / PROGRAM, program)
        return code


def _commands(root: Path, suite: str, folder: Path) -> Iterator[list[str]]:
    yield ["cmake", "-S", str(root / suite / "ascend310_infer"), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release",
           f"-DPython3_EXECUTABLE={sys.executable}"]
    yield ["cmake", "--build", str(folder), "--target", PROGRAM, "--parallel", str(available_cores())]


def _sources(root: Path, suite: str) -> list[Path]:
    places = [root / LIBRARY / part for part in LIBRARY_PARTS] + [root / suite / "ascend310_infer"]
    files = [file for place in places for file in (place.rglob("*") if place.is_dir() else [place])]
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))
