"""Every C entry point refuses arguments that are not those of its signature, and touches nothing."""

import ctypes
import re
from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest

from utils.cpu_kernels.choice import make_kernel
from utils.cpu_kernels.tests.signatures import KERNELS, LEVELS, SIZES, SOURCE, open_sizes, right_arguments

OPEN_SIZES = open_sizes(SIZES, LEVELS)
WRONG_ARGUMENTS = 2


def call(library, kernel, arguments):
    """Returns what the kernel returns and the arrays that it was given; fails if it refuses and has touched any."""
    arrays = [np.full(item.shape, 1, item.type) for item in arguments]
    shapes = [(ctypes.c_int64 * len(item.shape))(*item.shape) for item in arguments]
    count = len(arguments)
    code = getattr(ctypes.CDLL(str(library)), kernel)(
        count,
        (ctypes.c_void_p * count)(*(array.ctypes.data for array in arrays)),
        (ctypes.c_int * count)(*(len(item.shape) for item in arguments)),
        (ctypes.c_void_p * count)(*(ctypes.addressof(shape) for shape in shapes)),
        (ctypes.c_char_p * count)(*(item.type.encode() for item in arguments)),
        None,
        None,
    )
    assert code == 0 or all((array == 1).all() for array in arrays)
    return code


def resized(item, axis):
    shape = tuple(size + (place == axis) for place, size in enumerate(item.shape))
    return replace(item, shape=shape)


def wrong_arguments(arguments):
    """Yields the index of an argument and what may not stand there."""
    letters = [axis for item in arguments for axis in item.axes]
    for index, item in enumerate(arguments):
        yield index, replace(item, type="float16")
        yield index, replace(item, shape=(*item.shape, 1))
        if item.shape:
            yield index, replace(item, shape=item.shape[1:])
        for axis, letter in enumerate(item.axes):
            is_bound = letter in ".123456789" or letters.count(letter) > 1
            if is_bound if letter != "?" else item.name in (*OPEN_SIZES, "gradients"):
                yield index, resized(item, axis)


def test_every_entry_point_has_a_signature(kernels):
    assert sorted(KERNELS) == sorted(re.findall(r"^KERNEL\((\w+)\)", SOURCE, re.MULTILINE))
    assert len(KERNELS) > 20


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_entry_point_takes_what_its_signature_says_and_nothing_else(kernel, kernels, capfd):
    arguments = right_arguments(KERNELS[kernel])
    assert call(kernels, kernel, arguments) == 0
    assert call(kernels, kernel, arguments[:-1]) == WRONG_ARGUMENTS
    assert call(kernels, kernel, [*arguments, arguments[-1]]) == WRONG_ARGUMENTS
    assert call(kernels, kernel, []) == WRONG_ARGUMENTS
    for index, wrong in wrong_arguments(arguments):
        assert call(kernels, kernel, [*arguments[:index], wrong, *arguments[index + 1 :]]) == WRONG_ARGUMENTS, wrong
    assert f"CPU kernel {kernel} refuses argument 1, it takes {KERNELS[kernel]}\n" in capfd.readouterr().err


@pytest.mark.parametrize("kernel", [name for name, signature in KERNELS.items() if "[N" in signature])
def test_a_batch_may_be_empty(kernel, kernels):
    assert call(kernels, kernel, right_arguments(KERNELS[kernel], SIZES | {"N": 0})) == 0


@pytest.mark.parametrize("kernel", [name for name in KERNELS if "convolution" in name and "shift" not in name])
@pytest.mark.parametrize("sizes", [{"h": 3}, {"w": 6}, {"h": 8, "w": 5}, {"k": 2}, {"C": 0}])
def test_a_convolution_refuses_other_strides_even_kernels_and_no_channels(kernel, sizes, kernels):
    assert call(kernels, kernel, right_arguments(KERNELS[kernel], SIZES | sizes)) == WRONG_ARGUMENTS


@pytest.mark.parametrize(("levels", "code"), [(1, 0), (16, 0), (17, WRONG_ARGUMENTS)])
@pytest.mark.parametrize("kernel", ["roi_align_forward", "roi_align_backward"])
def test_roi_align_takes_up_to_16_levels(kernel, levels, code, kernels):
    assert call(kernels, kernel, right_arguments(KERNELS[kernel], levels=levels)) == code


def test_mindspore_raises_an_error_with_the_number_that_a_kernel_returns(kernels):
    linear = make_kernel(kernels, "linear_forward", lambda x, weight, bias: [*x[:-1], weight[0]])
    x, weight, bias = (ms.Tensor(np.ones(shape, np.float32)) for shape in ((2, 3), (4, 5), (4,)))
    with pytest.raises(RuntimeError, match=rf"\(linear_forward\) is {WRONG_ARGUMENTS}\."):
        linear(x, weight, bias).asnumpy()
