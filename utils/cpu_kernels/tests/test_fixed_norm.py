"""FixedNorm, by kernel and by MindSpore's operators, against the formula in float64."""

import contextlib

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.fixed_norm import FixedNorm
from utils.cpu_kernels.operators import stock_operators

EPS = 1e-3


class Weighted(nn.Cell):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def construct(self, factor, x, gamma, beta, mean, variance):
        return (self.cell(x, gamma, beta, mean, variance) * factor).sum()


@pytest.fixture(params=["kernel", "stock"])
def choice(request):
    """Cells made in a context that this returns run the kernels, or MindSpore's operators."""
    if request.param == "stock":
        return stock_operators
    request.getfixturevalue("kernels")
    return contextlib.nullcontext


def arrays(shape):
    generator = np.random.default_rng(sum(shape))
    x, factor = (generator.standard_normal(shape).astype(np.float32) for _ in range(2))
    gamma, beta, mean = (generator.standard_normal(shape[1]).astype(np.float32) for _ in range(3))
    return factor, x, gamma, beta, mean, generator.uniform(0.5, 2, shape[1]).astype(np.float32)


def formula(has_relu, factor, x, gamma, beta, mean, variance):
    """Returns y, dx, dgamma and dbeta."""
    factor, x, gamma, beta, mean, variance = (
        part.astype(np.float64) if part.ndim > 1 else part.astype(np.float64).reshape(1, -1, 1, 1)
        for part in (factor, x, gamma, beta, mean, variance))
    normal = (x - mean) / np.sqrt(variance + EPS)
    y = normal * gamma + beta
    passed = factor * (y > 0) if has_relu else factor
    return (np.maximum(y, 0) if has_relu else y, passed * gamma / np.sqrt(variance + EPS),
            (passed * normal).sum((0, 2, 3)), passed.sum((0, 2, 3)))


@pytest.mark.parametrize("has_relu", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 37, 5, 7), (3, 5, 1, 16), (1, 3, 70, 130)])
def test_values_and_gradients_are_those_of_the_formula(choice, shape, has_relu):
    with choice():
        cell = FixedNorm(EPS, has_relu)
    inputs = arrays(shape)
    tensors = [ms.Tensor(part) for part in inputs]
    own = (cell(*tensors[1:]), *ms.grad(Weighted(cell), (1, 2, 3))(*tensors))
    for value, expected in zip(own, formula(has_relu, *inputs), strict=True):
        np.testing.assert_allclose(value.asnumpy(), expected, rtol=1e-4, atol=2e-5 * max(1, np.abs(expected).max()))


def test_what_is_not_a_number_is_not_hidden(kernels):
    """As MindSpore's ReLU does on a CPU."""
    cell = FixedNorm(EPS, True)
    ones = ms.Tensor(np.ones(1, np.float32))
    assert np.isnan(cell(ms.Tensor(np.full((1, 1, 1, 20), np.nan, np.float32)), ones, ones, ones, ones).asnumpy()).all()


def test_repetition_gives_the_same_bits(choice):
    with choice():
        cell = FixedNorm(EPS, True)
    tensors = [ms.Tensor(part) for part in arrays((2, 40, 30, 50))]
    gradient_of = ms.grad(Weighted(cell), (1, 2, 3))
    first = [part.asnumpy() for part in gradient_of(*tensors)]
    for _ in range(4):
        assert all(map(np.array_equal, (part.asnumpy() for part in gradient_of(*tensors)), first))
