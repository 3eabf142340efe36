"""The kernels on aarch64, whose processors serve Ascend devices, against the same on this machine.

They are cross-compiled and run in an emulator, both of which `bash run_tests.sh --all` installs.
"""

import collections
import platform
import shutil

import numpy as np
import pytest

from utils.cpu_kernels import library as library_module
from utils.cpu_kernels.tests.kernel_calls import ALL_SIZES, all_calls, answers, build
from utils.cpu_kernels.tests.signatures import KERNELS

CROSS, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
EMULATED = (EMULATOR, "-cpu", "max", "-L", "/usr/aarch64-linux-gnu")
WRONG_ARGUMENTS = 2
# Of an array's largest magnitude. Vectors of 4 instead of up to 16 lanes add in another order, and a product and a sum
# may be rounded once or twice: 2.8e-7 was seen.
TOLERANCE = 1e-6

pytestmark = [
    pytest.mark.long_run,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="compares with an x86-64 machine, which this is not"),
    *(
        pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed: it needs {package}")
        for tool, package in ((CROSS, "gcc-aarch64-linux-gnu and libc6-dev-arm64-cross"), (EMULATOR, "qemu-user"))
    ),
]


def flags(*own):
    """The flags of the product, but for the processor, which a cross compiler cannot ask."""
    return [flag for flag in library_module._flags() if "native" not in flag] + list(own)


@pytest.fixture(scope="module")
def calls():
    return all_calls()


@pytest.fixture(scope="module")
def results(calls, tmp_path_factory):
    """A function that builds the kernels for a processor and returns their answers."""

    def of(compiler, starter, *own):
        folder = tmp_path_factory.mktemp("built")
        return answers(starter, *build(compiler, flags(*own), folder), calls, folder)

    return of


def test_without_fused_sums_every_bit_is_the_same(results, calls):
    """Both have 4 lanes and round every product and every sum: nothing is left that could differ."""
    here = results("gcc", (), "-march=x86-64", "-ffp-contract=off")
    there = results(CROSS, EMULATED, "-march=armv8-a", "-ffp-contract=off")
    codes = collections.Counter()
    for call, wanted, found in zip(calls, here, there, strict=True):
        assert found.code == wanted.code, call.kernel
        codes[call.kernel, found.code] += 1
        assert found.code or any((one != given).any() for one, given in zip(found.values, call.values, strict=True))
        for number, (one, other) in enumerate(zip(wanted.values, found.values, strict=True)):
            assert one.tobytes() == other.tobytes(), f"argument {number} of {call.kernel}"
    # One of the sizes is none of a convolution.
    for kernel in KERNELS:
        refused = "convolution" in kernel and "shift" not in kernel
        assert codes[kernel, 0] == len(ALL_SIZES) - refused
        assert codes[kernel, WRONG_ARGUMENTS] == refused


def test_as_the_product_builds_them_they_agree_with_this_machine(results, calls):
    """tsv110: Kunpeng 920, the processor of Atlas servers."""
    here = results("gcc", (), "-march=native")
    there = results(CROSS, EMULATED, "-mcpu=tsv110")
    worst = {}
    for call, wanted, found in zip(calls, here, there, strict=True):
        assert found.code == wanted.code, call.kernel
        for one, other in zip(wanted.values, found.values, strict=True):
            if one.dtype != np.float32:
                assert (one == other).all(), call.kernel
                continue
            assert np.isfinite(one).all()
            off = np.abs(one - other).max(initial=0) / max(np.abs(one).max(initial=0), 1e-30)
            worst[call.kernel] = max(worst.get(call.kernel, 0), off)
    assert {kernel: off for kernel, off in worst.items() if off > TOLERANCE} == {}
