"""Kernels without a graph: MindSpore tells primitives of one C function apart by their attributes alone there."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import ops

from utils.cpu_kernels.convolution import Convolution
from utils.cpu_kernels.convolution_norm import ConvolutionNorm
from utils.cpu_kernels.resize import ResizeBilinear
from utils.cpu_kernels.roi_align import RoiAlign


@pytest.fixture(autouse=True)
def _without_graph(kernels):
    ms.set_context(mode=ms.PYNATIVE_MODE)


def _ones(*shape):
    return ms.Tensor(np.ones(shape, np.float32))


def _shapes(function, *inputs):
    """The shapes of the value and of the first input's gradient."""
    value, gradient = ms.value_and_grad(lambda *values: function(*values).sum())(*inputs)
    assert np.isfinite(value.asnumpy())
    return function(*inputs).shape, gradient.shape


def _with_norm(*sizes):
    return ConvolutionNorm(*sizes, has_relu=True, has_fixed_statistics=True, weight_init="normal")


@pytest.mark.parametrize("make", [Convolution, _with_norm])
def test_convolutions_keep_their_strides(make):
    networks = [make(4, 4, 3, stride) for stride in (1, 2)]
    shapes = [_shapes(network, _ones(1, 4, 8, 8)) for network in (*networks, *networks)]
    assert shapes == [((1, 4, 8, 8), (1, 4, 8, 8)), ((1, 4, 4, 4), (1, 4, 8, 8))] * 2


def test_resizings_keep_their_sizes():
    sizes = ((4, 6), (8, 8), (4, 6))
    shapes = [_shapes(lambda x, size=size: ResizeBilinear()(x, size), _ones(1, 2, 3, 3)) for size in sizes]
    assert shapes == [((1, 2, *size), (1, 2, 3, 3)) for size in sizes]


def test_roi_aligns_keep_their_sizes_and_levels():
    rois, level = ms.Tensor([[[0, 0, 16, 16]]], ms.float32), ops.zeros((1, 1), ms.int32)
    features = _ones(1, 2, 8, 8), _ones(1, 2, 4, 4)
    for size, strides in ((7, (4,)), (3, (4, 8)), (7, (4, 8)), (3, (4,))):
        pooled = RoiAlign(strides, size, 2)(features[: len(strides)], rois, level)
        assert pooled.shape == (1, 2, size, size)
