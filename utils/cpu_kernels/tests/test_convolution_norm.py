"""Convolution, batch norm, residual and ReLU as one kernel: values and gradients beside PyTorch's."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.choice import stock_operators
from utils.cpu_kernels.convolution_norm import ConvolutionNorm

torch = pytest.importorskip("torch")

# batch, channels, outputs, height, width, kernel, stride, has_relu, has_residual
SHAPES = [
    (2, 7, 9, 5, 6, 3, 1, True, False),
    (2, 40, 17, 9, 13, 1, 1, True, True),
    (1, 5, 6, 6, 8, 3, 2, True, False),
    (2, 6, 33, 7, 9, 1, 1, False, False),
    (1, 300, 20, 20, 30, 3, 1, False, True),
    (2, 36, 41, 25, 22, 3, 1, True, True),  # by Winograd's way
    (1, 300, 34, 21, 25, 3, 1, True, False),
]


class _WithGradients(nn.Cell):
    def __init__(self, network, has_residual):
        super().__init__(auto_prefix=False)
        self.network, self.has_residual = network, has_residual
        inputs = (0, 1) if has_residual else 0
        self.gradient = ms.grad(self.value, inputs, network.trainable_params())

    def run(self, images, residual):
        return self.network(images, residual) if self.has_residual else self.network(images)

    def value(self, images, residual, upstream):
        return (self.run(images, residual) * upstream).sum()

    def construct(self, images, residual, upstream):
        return self.run(images, residual), self.gradient(images, residual, upstream)


def _network(shape, seed=1):
    _, channels, outputs, _, _, kernel, stride, has_relu, _ = shape
    network = ConvolutionNorm(
        channels, outputs, kernel, stride, has_relu=has_relu, has_fixed_statistics=True, weight_init="normal", eps=1e-3
    )
    generator = np.random.default_rng(seed)
    for parameter in network.get_parameters():
        value = generator.uniform(0.5, 1.5, parameter.shape)
        value = value * (1 if "variance" in parameter.name else generator.choice((-1, 1), parameter.shape))
        parameter.set_data(ms.Tensor(value.astype(np.float32)))
    network.norm.gamma[0] = 0.0  # a scale of 0 still has a gradient
    return network


def _data(shape):
    batch, channels, outputs, height, width, _, stride, _, _ = shape
    generator = np.random.default_rng(3)
    results = (batch, outputs, -(-height // stride), -(-width // stride))
    return [
        generator.standard_normal(size).astype(np.float32)
        for size in ((batch, channels, height, width), results, results)
    ]


def _flat(values):
    if isinstance(values, (tuple, list)):
        return [leaf for value in values for leaf in _flat(value)]
    return [values.asnumpy()]


@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_equal_pytorch(shape, kernels):
    *_, kernel, stride, has_relu, has_residual = shape
    network = _network(shape).set_train()
    assert network.kernel is not None
    images, residual, upstream = _data(shape)
    weights = [value.asnumpy() for value in (network.conv.weight, network.norm.gamma, network.norm.beta)]
    leaves = [torch.tensor(value).double().requires_grad_() for value in (images, residual, *weights)]
    mean, variance = (
        torch.tensor(value.asnumpy()).double() for value in (network.norm.moving_mean, network.norm.moving_variance)
    )
    expected = torch.nn.functional.conv2d(leaves[0], leaves[2], None, stride, kernel // 2)
    expected = torch.nn.functional.batch_norm(expected, mean, variance, leaves[3], leaves[4], False, eps=1e-3)
    expected = expected + leaves[1] if has_residual else expected
    expected = expected.relu() if has_relu else expected
    (expected * torch.tensor(upstream)).sum().backward()
    wanted = [expected.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]
    values = _flat(_WithGradients(network, has_residual)(*map(ms.Tensor, (images, residual, upstream))))
    for value, reference in zip(values, wanted, strict=True):
        assert np.abs(value - reference.numpy()).max() <= 2e-5 * np.abs(reference.numpy()).max()


def test_repetition_gives_the_same_bits(kernels):
    shape = (2, 33, 40, 30, 31, 3, 1, True, True)
    network = _WithGradients(_network(shape), True)
    inputs = [ms.Tensor(value) for value in _data(shape)]
    first = _flat(network(*inputs))
    for _ in range(5):
        assert all(np.array_equal(*pair) for pair in zip(first, _flat(network(*inputs)), strict=True))


def test_the_stock_operators_give_the_same():
    shape = SHAPES[1]
    fast = _network(shape)
    with stock_operators():
        stock = _network(shape)
    assert stock.kernel is None
    inputs = [ms.Tensor(value) for value in _data(shape)]
    for value, reference in zip(*(_flat(_WithGradients(n, True)(*inputs)) for n in (fast, stock)), strict=True):
        np.testing.assert_allclose(value, reference, rtol=1e-4, atol=1e-4 * np.abs(reference).max())


def test_strides_keep_apart_without_a_graph(kernels):
    """In PyNative mode MindSpore knows a kernel's shapes by its name alone."""
    ms.set_context(mode=ms.PYNATIVE_MODE)
    networks = [_network((1, 4, 4, 8, 8, 3, stride, True, False)) for stride in (1, 2)]
    shapes = [network(ms.Tensor(np.ones((1, 4, 8, 8), np.float32))).shape for network in networks]
    assert shapes == [(1, 4, 8, 8), (1, 4, 4, 4)]
