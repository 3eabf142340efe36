"""What the machine has: system, processor, threads, memory, disks, the variables that count. No MindSpore."""

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from utils.doctor.findings import Finding
from utils.model_utils.cpu_environment import ISA_VALUE, ISA_VARIABLE
from utils.model_utils.device_adapter import available_cores, card_numbers
from utils.model_utils.errors import UserError
from utils.model_utils.guards.cache import cache_folder, make_cache_folder
from utils.model_utils.guards.numbers import is_whole_number

INSTRUCTION_SETS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve", "bf16")
THREADS = ("CPU_KERNEL_THREADS", "OMP_NUM_THREADS")  # of the kernels; the second where the first is not set
VARIABLES = (
    *THREADS,
    "CPU_KERNELS",
    "DEVICE_ID",
    "RANK_TABLE_FILE",
    "ASCEND_HOME_PATH",
    "LITE_HOME",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "CUDA_VISIBLE_DEVICES",
    "ASCEND_RT_VISIBLE_DEVICES",
)
TOOLS = ("cc", "gcc", "clang", "cmake", "c++", "git", "msrun")
CARDS = {"Ascend": "Ascend", "GPU": "NVIDIA"}  # by device_target
LOW_MEMORY, LOW_DISK = 2e9, 1e9  # bytes: trainings of the quickstart take 1.4 GB; an environment and a run more than 1


def look_at_machine() -> Iterator[Finding]:
    """Yields what the machine has."""
    yield Finding("system", f"{_system()}, {platform.machine()}, {' '.join(platform.libc_ver())}".rstrip(" ,"))
    sets = instruction_sets(_text("/proc/cpuinfo"))
    yield Finding("processor", f"{processor_name(_text('/proc/cpuinfo'))}; {', '.join(sets) or 'sets unknown'}")
    yield threads(os.environ, available_cores(), _text("/sys/fs/cgroup/cpu.max"))
    yield memory(_text("/proc/meminfo"))
    yield Finding("cards", ", ".join(f"{len(card_numbers(target))} {maker}" for target, maker in CARDS.items()))
    yield from disks()
    yield onednn(os.environ, sets)
    said = " ".join(f"{name}={os.environ[name]}" for name in VARIABLES if os.environ.get(name))
    yield Finding("variables", said or "none of those that count is set")
    yield Finding("tools", tools())


def tools() -> str:
    """Returns which programs are here: compilers, and what starts several processes."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    here, missing = (
        [name for name in TOOLS if bool(shutil.which(name, path=path)) is wanted] for wanted in (True, False)
    )
    without = f"; without {', '.join(missing)}" if missing else ""
    return f"{', '.join(here) or 'none'}{without}"


def processor_name(cpuinfo: str) -> str:
    """Returns the name of the processor out of the text of /proc/cpuinfo."""
    named = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    part = re.search(r"^CPU part\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return named[1].strip() if named else f"part {part[1].strip()}" if part else platform.processor() or "unknown"


def instruction_sets(cpuinfo: str) -> list[str]:
    """Returns those of `INSTRUCTION_SETS` that the processor has, out of the same text."""
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    present = set(line[1].split()) if line else set()
    return [name for name in INSTRUCTION_SETS if name in present]


def threads(environment: Mapping[str, str], cores: int, cpu_max: str) -> Finding:
    """Says how many threads the kernels take.

    Args:
        environment: the variables.
        cores: that the process may use.
        cpu_max: text of the control group's file: microseconds of processor time in each period, and the period.
    """
    asked, name = next(((environment[name], name) for name in THREADS if environment.get(name)), ("", ""))
    quota = cpu_max.split()
    share = int(quota[0]) / int(quota[1]) if len(quota) == 2 and all(map(is_whole_number, quota)) else float(cores)
    value = f"{cores} cores of {os.cpu_count()}{f', limited to the time of {share:g}' if share < cores else ''}"
    value += f"; {name}={asked}" if asked else "; one thread for each core"
    advice = ""
    if asked and not (is_whole_number(asked) and int(asked) > 0):
        advice = f"{name} is '{asked}', wanted a number from 1 on: correct or unset it"
    elif asked and int(asked) > cores:
        advice = f"{name} is {asked} and there are {cores} cores, so threads wait for each other: set it to {cores}"
    elif not asked and share <= cores - 1:
        fair = max(1, round(share))
        advice = f"{cores} threads share the time of {share:g} cores and wait for each other: set {THREADS[0]}={fair}"
    return Finding("threads", value, advice)


def memory(meminfo: str) -> Finding:
    """Says how much memory there is and how much of it is free, from the text of /proc/meminfo."""
    found = {name: int(number) * 1024 for name, number in re.findall(r"^(\w+):\s+(\d+) kB$", meminfo, re.MULTILINE)}
    if "MemTotal" not in found:
        return Finding("memory", "unknown")
    free = found.get("MemAvailable", found.get("MemFree", 0))
    advice = ""
    if free < LOW_MEMORY:
        advice = (
            f"{free / 1e9:.1f} GB are free, a small training takes 1.4 and a published network more: end what else "
            "needs memory, or train with smaller batches"
        )
    return Finding("memory", f"{found['MemTotal'] / 1e9:.1f} GB, {free / 1e9:.1f} GB free", advice)


def disks() -> Iterator[Finding]:
    """Yields how much is free where commands write, and whether they may."""
    cache = cache_folder("cpu_kernels")
    yield _disk("here", Path.cwd(), "results are written where a command is called: go to a folder of yours")
    try:
        make_cache_folder(cache)
    except UserError as error:
        yield Finding("cache", str(cache), f"{error}; until then there are no fast CPU kernels")
    else:
        yield _disk("cache", cache, "set XDG_CACHE_HOME to a folder that you may write to")
    yield _disk("temporary", Path(tempfile.gettempdir()), "set TMPDIR to a folder that you may write to")


def _disk(name: str, folder: Path, advice: str) -> Finding:
    free = shutil.disk_usage(folder).free
    may_write = os.access(folder, os.W_OK)
    value = f"{folder}: {free / 1e9:.1f} GB free{'' if may_write else ', not writable'}"
    if not may_write:
        return Finding(name, value, advice)
    return Finding(name, value, f"{free / 1e9:.1f} GB are free in '{folder}': make room" if free < LOW_DISK else "")


def onednn(environment: Mapping[str, str], sets: list[str]) -> Finding:
    """Says what limits oneDNN's instruction set, which `import utils` sets where the user has not."""
    value = environment.get(ISA_VARIABLE, "")
    advice = ""
    if "avx512f" in sets and value.upper() != ISA_VALUE:
        advice = (
            f"{ISA_VARIABLE} is '{value}', with which MindSpore's own convolutions are 50 to 100 times slower than "
            f"with {ISA_VALUE} on a processor with AVX-512: unset it, or set it to {ISA_VALUE}"
        )
    return Finding("oneDNN", f"{ISA_VARIABLE}={value}" if value else f"{ISA_VARIABLE} is not needed here", advice)


def _system() -> str:
    try:
        return f"{platform.freedesktop_os_release().get('PRETTY_NAME', platform.system())}, Linux {platform.release()}"
    except OSError:
        return f"{platform.system()} {platform.release()}"


def _text(path: str) -> str:
    """Returns the text of a file of the system; empty where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
