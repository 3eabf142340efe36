"""3x3 convolutions large enough for Winograd's way: values and gradients beside PyTorch's in float64."""

import mindspore as ms
import numpy as np
import pytest

from utils.cpu_kernels.convolution import Convolution

torch = pytest.importorskip("torch")

# batch, channels, outputs, height, width
SHAPES = [
    (1, 32, 32, 16, 32),  # the smallest
    (2, 33, 41, 23, 29),  # nothing divides by 4
    (1, 300, 35, 25, 22),  # more channels than a block of depth
    (1, 40, 200, 24, 26),  # more outputs than are computed at once
    (1, 36, 34, 1, 530),
    (1, 36, 34, 530, 1),
]


def _noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _value_and_gradient(images, weight, upstream):
    """The kernel's result, and the gradient of the images for a given gradient of the result."""
    network = Convolution(weight.shape[1], weight.shape[0], 3)
    network.weight.set_data(ms.Tensor(weight))
    assert network.kernel is not None

    def total(images, upstream):
        return (network(images) * upstream).sum()

    inputs = ms.Tensor(images), ms.Tensor(upstream)
    return network(inputs[0]).asnumpy(), ms.grad(total, 0)(*inputs).asnumpy()


def _error(value, reference):
    return np.abs(value - reference.numpy()).max() / np.abs(reference.numpy()).max()


@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_equal_those_in_double_precision(shape, kernels):
    batch, channels, outputs, height, width = shape
    arrays = (
        _noise(batch, channels, height, width),
        _noise(outputs, channels, 3, 3),
        _noise(batch, outputs, height, width),
    )
    value, gradient = _value_and_gradient(*arrays)
    images, weight, upstream = (torch.tensor(array).double() for array in arrays)
    assert _error(value, torch.nn.functional.conv2d(images, weight, padding=1)) < 6e-6
    assert _error(gradient, torch.nn.functional.conv_transpose2d(upstream, weight, padding=1)) < 6e-6


def test_one_weight_alone_moves_the_image(kernels):
    """A kernel of a single 1 copies channel 3 by a pixel down and right; beyond the border are zeros."""
    images, weight = _noise(1, 32, 21, 27), np.zeros((32, 32, 3, 3), np.float32)
    weight[5, 3, 0, 0] = 1.0
    value, _ = _value_and_gradient(images, weight, images)
    expected = np.zeros_like(images)
    expected[0, 5, 1:, 1:] = images[0, 3, :-1, :-1]
    np.testing.assert_allclose(value, expected, atol=3e-6)


def test_a_batch_gives_the_bits_of_its_images(kernels):
    images, weight, upstream = _noise(3, 33, 23, 29), _noise(40, 33, 3, 3), _noise(3, 40, 23, 29, seed=1)
    together = _value_and_gradient(images, weight, upstream)
    for i in range(3):
        alone = _value_and_gradient(images[i : i + 1], weight, upstream[i : i + 1])
        assert all(np.array_equal(part[i : i + 1], own) for part, own in zip(together, alone, strict=True))
