"""The convolution kernel: values and gradients beside PyTorch's, also of odd sizes and with stride."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.choice import stock_operators
from utils.cpu_kernels.convolution import Convolution
from utils.cpu_kernels.library import kernel_library

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(kernel_library() is None, reason="the CPU kernels cannot be built here: no C compiler")

# batch, channels, outputs, height, width, kernel, stride
SHAPES = [
    (1, 3, 5, 4, 6, 3, 1),
    (2, 7, 9, 5, 5, 3, 2),
    (2, 3, 9, 37, 41, 7, 2),  # the stem of a ResNet, odd sizes
    (1, 5, 6, 1, 1, 3, 2),  # one pixel
    (1, 5, 6, 2, 2, 3, 2),
    (2, 40, 17, 9, 13, 1, 1),
    (2, 40, 17, 9, 13, 1, 2),  # a shortcut
    (1, 300, 33, 7, 9, 3, 1),  # more depth than a block
    (2, 6, 6, 9, 8, 5, 2),
    (1, 16, 24, 40, 60, 3, 1),  # more positions than a block
]


class _WithGradients(nn.Cell):
    """Result, and gradients of image, weight and bias for a given gradient of the result."""

    def __init__(self, network):
        super().__init__(auto_prefix=False)
        self.network = network
        self.gradient = ms.grad(self.value, 0, network.trainable_params())

    def value(self, images, upstream):
        return (self.network(images) * upstream).sum()

    def construct(self, images, upstream):
        image_gradient, weight_gradients = self.gradient(images, upstream)
        return (self.network(images), image_gradient, *weight_gradients)


def _data(batch, channels, outputs, height, width, kernel, stride):
    generator = np.random.default_rng(3)
    images = generator.standard_normal((batch, channels, height, width)).astype(np.float32)
    upstream = generator.standard_normal((batch, outputs, -(-height // stride), -(-width // stride))).astype(np.float32)
    return images, upstream


def _ours(network, images, upstream):
    return [part.asnumpy() for part in _WithGradients(network)(ms.Tensor(images), ms.Tensor(upstream))]


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")


@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_equal_pytorch(shape):
    _, channels, outputs, _, _, kernel, stride = shape
    network = Convolution(channels, outputs, kernel, stride, has_bias=True)
    assert network.kernel is not None
    images, upstream = _data(*shape)
    expected_images = torch.tensor(images, requires_grad=True)
    weight = torch.tensor(network.weight.asnumpy(), requires_grad=True)
    bias = torch.tensor(network.bias.asnumpy(), requires_grad=True)
    expected = torch.nn.functional.conv2d(expected_images, weight, bias, stride, kernel // 2)
    (expected * torch.tensor(upstream)).sum().backward()
    wanted = (expected.detach(), expected_images.grad, weight.grad, bias.grad)
    for part, reference in zip(_ours(network, images, upstream), wanted, strict=True):
        assert np.abs(part - reference.numpy()).max() <= 1e-5 * np.abs(reference.numpy()).max()


def test_the_stock_operator_gives_the_same():
    shape = (2, 5, 6, 8, 10, 3, 2)
    images, upstream = _data(*shape)
    fast = Convolution(5, 6, 3, 2)
    with stock_operators():
        stock = Convolution(5, 6, 3, 2)
    assert stock.kernel is None
    stock.weight.set_data(ms.Tensor(fast.weight.asnumpy()))
    for part, reference in zip(_ours(fast, images, upstream), _ours(stock, images, upstream), strict=True):
        np.testing.assert_allclose(part, reference, rtol=1e-4, atol=1e-5)


def test_the_gradients_of_a_batch_are_those_of_its_images():
    shape = (3, 4, 5, 6, 7, 3, 1)
    images, upstream = _data(*shape)
    network = Convolution(4, 5, 3)
    _, image_gradient, weight_gradient = _ours(network, images, upstream)
    single = [_ours(network, images[i : i + 1], upstream[i : i + 1]) for i in range(3)]
    np.testing.assert_array_equal(image_gradient, np.concatenate([part[1] for part in single]))
    np.testing.assert_allclose(weight_gradient, sum(part[2] for part in single), rtol=1e-5, atol=1e-5)


def test_repetition_gives_the_same_bits():
    images, upstream = _data(2, 33, 40, 30, 31, 3, 1)
    network = _WithGradients(Convolution(33, 40, 3))
    first = [part.asnumpy() for part in network(ms.Tensor(images), ms.Tensor(upstream))]
    for _ in range(5):
        again = [part.asnumpy() for part in network(ms.Tensor(images), ms.Tensor(upstream))]
        assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))


def test_half_precision_takes_the_stock_operator():
    network = Convolution(4, 5, 3).to_float(ms.float16)
    result = network(ms.Tensor(np.ones((1, 4, 6, 6), np.float32)))
    assert result.dtype == ms.float16
