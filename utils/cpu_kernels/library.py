"""Builds the C kernels once per machine into the user's cache and says where the library is, or that there is none."""

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from utils.model_utils.guards.cache import cache_folder, make_cache_folder
from utils.model_utils.host_lock import host_lock

SWITCH_VARIABLE = "CPU_KERNELS"  # "off" in the environment: MindSpore's own operators only
THREADS_VARIABLE = "CPU_KERNEL_THREADS"  # most threads of the kernels; OMP_NUM_THREADS where only that is set
COMPILERS = ("cc", "gcc", "clang")
SOURCES = Path(__file__).parent / "kernels"
COMPILE_SECONDS = 240  # it takes 4 on an idle core, measured; 60 times as long on a crowded machine or a slow disk
LOCK_SECONDS = 300  # longer than the process that holds it may compile

logger = logging.getLogger(__name__)


class _BuildError(Exception):
    """Why there is no library, as half a sentence."""


@functools.cache
def kernel_library() -> Path | None:
    """Returns the shared library with the kernels, built now if it is not in the cache; None where it cannot be had.

    Whatever stands in the way (no compiler, a cache that cannot be written) costs speed only: one log line says so.
    The cache is `cpu_kernels` in $XDG_CACHE_HOME/mindspore-vision-model-zoo, or in ~/.cache likewise.
    """
    if os.environ.get(SWITCH_VARIABLE, "").lower() in ("off", "0"):
        logger.info("CPU kernels are switched off by %s: MindSpore's own operators are used", SWITCH_VARIABLE)
        return None
    # Read here because MindSpore changes OMP_NUM_THREADS of the C library, where the kernels would read it.
    os.environ.setdefault(THREADS_VARIABLE, os.environ.get("OMP_NUM_THREADS", ""))
    try:
        return _cached_library()
    except (_BuildError, OSError, RuntimeError) as error:
        logger.warning("no fast CPU kernels (%s): MindSpore's own operators are used, which take longer", error)
        return None


def _cached_library() -> Path:
    compiler = _find_compiler()
    folder = cache_folder("cpu_kernels")
    if ":" in str(folder):
        raise _BuildError(f"MindSpore cannot load a library from '{folder}', whose name has a colon")
    make_cache_folder(folder)
    library = folder / f"kernels-{_key(compiler)}.so"
    if _is_intact(library):
        return library
    with host_lock(folder / "build.lock", f"builds '{library}'", LOCK_SECONDS):
        if not _is_intact(library):
            _build(compiler, library)
    return library


def _find_compiler() -> str:
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found is None:
        raise _BuildError(f"no C compiler: none of {', '.join(COMPILERS)} is on the PATH; install gcc")
    return found


def _flags() -> list[str]:
    """Returns what the compiler is told.

    nodelete: MindSpore closes the library with the last graph that uses it, and its threads would lose their code.
    """
    tuning = "-march=native" if platform.machine().lower() in ("x86_64", "amd64") else "-mcpu=native"
    return [
        "-std=gnu11",
        "-O3",
        tuning,
        "-ffp-contract=fast",
        "-fno-math-errno",
        "-fPIC",
        "-shared",
        "-fvisibility=hidden",
        "-pthread",
        "-Wl,-z,nodelete",
    ]


def _sources() -> list[Path]:
    return sorted(path for path in SOURCES.iterdir() if path.suffix in (".c", ".h"))


def _key(compiler: str) -> str:
    """Returns a name for what the library is made of and made for: sources, flags, compiler and processor."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    version = subprocess.run([compiler, "--version"], capture_output=True, timeout=COMPILE_SECONDS, check=False)
    digest.update(repr((compiler, _flags(), version.stdout, _processor())).encode())
    return digest.hexdigest()[:20]


def _processor() -> str:
    """Returns what tells processors apart that "native" code may not be shared between."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    telling = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(telling)}))


def _checksum_file(library: Path) -> Path:
    return library.with_suffix(".sha256")


def _is_intact(library: Path) -> bool:
    """Returns whether the library is there, whole: a cut one would kill the process that loads it."""
    try:
        return _checksum_file(library).read_text() == hashlib.sha256(library.read_bytes()).hexdigest()
    except (OSError, UnicodeDecodeError):
        return False


def _build(compiler: str, library: Path) -> None:
    """Compiles into a temporary folder beside the library, tries the result and renames it."""
    with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as folder:
        built = Path(folder) / library.name
        logger.info("building the CPU kernels with %s, once: this takes some seconds", compiler)
        command = [
            compiler,
            *_flags(),
            *(str(path) for path in _sources() if path.suffix == ".c"),
            "-o",
            str(built),
            "-lm",
        ]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise _BuildError(f"{compiler} was not done after {COMPILE_SECONDS} s") from error
        if result.returncode != 0:
            first = next(iter(result.stderr.strip().splitlines()), "no message")
            raise _BuildError(f"{compiler} fails: {first}")
        ctypes.CDLL(str(built))
        checksum = Path(folder) / "checksum"
        checksum.write_text(hashlib.sha256(built.read_bytes()).hexdigest())
        os.replace(built, library)
        os.replace(checksum, _checksum_file(library))
    logger.info("CPU kernels built: %s", library)
