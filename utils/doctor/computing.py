"""Whether MindSpore computes here: a step in a process of its own, its device, kernels, numbers and time."""

import json
import math
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from utils.doctor.findings import Finding
from utils.installation import module_command
from utils.model_utils.device_adapter import of_no_use

LIMIT_SECONDS = 600  # the import and the first build of the kernels take 15 s of an idle machine
SLOW_CONVOLUTION = 0.05  # seconds of the processor: 0.003 is usual, 0.2 is what oneDNN's reference loop takes
TOLERANCE = {"CPU": 1e-4}  # relative: float32 sums of 72 products
LOW_TOLERANCE = 1e-2  # accelerators multiply in fewer bits
LAST_LETTERS = 400  # of what a process that died has said


@dataclass(frozen=True)
class Tried:
    """How the process ended.

    Attributes:
        code: its exit code; below 0 where a signal has ended it.
        output: what it has printed.
        message: the end of what it has said on standard error.
        seconds: how long it took.
    """

    code: int
    output: str
    message: str
    seconds: float


def look_at_computing() -> Iterator[Finding]:
    """Yields device, kernels and the result of a step."""
    yield from judge(try_step())


def try_step() -> Tried:
    """Runs smoke_step.py."""
    start = time.perf_counter()
    command = module_command("utils.doctor.smoke_step")
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Tried(1, "", f"it was not done after {LIMIT_SECONDS} s", time.perf_counter() - start)
    return Tried(ended.returncode, ended.stdout, ended.stderr.strip(), time.perf_counter() - start)


def judge(tried: Tried) -> Iterator[Finding]:
    """Yields what a step says of the machine."""
    if tried.code:
        how = f"signal {-tried.code}" if tried.code < 0 else f"exit code {tried.code}"
        last = " ".join(tried.message.split())[-LAST_LETTERS:]
        yield Finding(
            "step",
            f"ended with {how} after {tried.seconds:.0f} s",
            f"MindSpore cannot compute ({last or 'it said nothing'}): install the versions that are wanted "
            "above; where they are installed, put this text into an issue",
            is_fault=True,
        )
        return
    found = json.loads(tried.output.splitlines()[-1])
    yield _device(found)
    yield _kernels(found)
    yield _step(found, tried.seconds)
    yield _convolution(found)


def _device(found: dict) -> Finding:
    counts = ", ".join(f"{count} {name}" for name, count in found["counts"].items())
    unused = [of_no_use(name, count) for name, count in found["cards"].items() if count and not found["counts"][name]]
    return Finding("device", f"{found['device']} ({counts} that MindSpore can use)", "; ".join(unused))


def _kernels(found: dict) -> Finding:
    if found["kernels"]:
        return Finding("kernels", f"built for this processor: {found['kernels']}")
    if found["device"] != "CPU":
        return Finding("kernels", "not used on this device")
    why = found["why_no_kernels"] or "CPU_KERNELS switches them off: unset it, MindSpore's own operators take longer"
    return Finding("kernels", "none", why)


def _step(found: dict, seconds: float) -> Finding:
    tolerance = TOLERANCE.get(found["device"], LOW_TOLERANCE)
    wrong = [
        f"{name} {found[name]:.6g} where numpy has {found[f'expected_{name}']:.6g}"
        for name in ("loss", "gradient")
        if not math.isclose(found[name], found[f"expected_{name}"], rel_tol=tolerance)
    ]
    value = f"{found['step_seconds']:.1f} s, {seconds:.1f} s with the import; {'wrong' if wrong else 'equal to numpy'}"
    advice = f"{' and '.join(wrong)}: put this text into an issue; CPU_KERNELS=off leaves the kernels out"
    return Finding("step", value, advice if wrong else "", is_fault=bool(wrong))


def _convolution(found: dict) -> Finding:
    seconds = found["convolution_seconds"]
    advice = ""
    if found["device"] == "CPU" and seconds > SLOW_CONVOLUTION:
        advice = (
            f"MindSpore's own convolution takes {seconds:.2f} s of the processor, 0.003 is usual: see oneDNN above, "
            "and whether this runs in an emulator"
        )
    return Finding("convolution", f"{seconds * 1000:.1f} ms of the processor, MindSpore's own", advice)
