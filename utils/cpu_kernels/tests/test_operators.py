"""Each operator, by kernel and by MindSpore's operators, against PyTorch in float64: values and every gradient."""

from collections.abc import Callable
from dataclasses import dataclass

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.attention import TokenAttention
from utils.cpu_kernels.choice import stock_operators
from utils.cpu_kernels.convolution import Convolution
from utils.cpu_kernels.convolution_norm import ConvolutionNorm
from utils.cpu_kernels.cross_entropy import SoftmaxCrossEntropy
from utils.cpu_kernels.depthwise_gelu import DepthwiseGelu
from utils.cpu_kernels.gelu import Gelu
from utils.cpu_kernels.layer_norm import LayerNorm
from utils.cpu_kernels.linear import Linear
from utils.cpu_kernels.resize import ResizeBilinear
from utils.cpu_kernels.tests.gradients import WithGradients, random

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
functional = torch.nn.functional


@dataclass(frozen=True)
class Case:
    """An operator at one size.

    Attributes:
        make: returns the Cell.
        reference: of float64 inputs and then the Cell's trained parameters.
        inputs: float32, or int32 without a gradient.
        options: what the Cell takes after the inputs.
        errors: largest difference over largest value, of the result and of any gradient.
    """

    make: Callable[[], nn.Cell]
    reference: Callable
    inputs: list[np.ndarray]
    options: tuple = ()
    errors: tuple[float, float] = (2e-6, 1e-5)


def filled(cell):
    for index, parameter in enumerate(cell.trainable_params()):
        parameter.set_data(ms.Tensor(random(*parameter.shape, seed=index)))
    return cell


def gelu(*shape):
    return Case(Gelu, functional.gelu, [random(*shape, scale=3.0)])


def layer_norm(*shape):
    def reference(x, gamma, beta):
        return functional.layer_norm(x, shape[-1:], gamma, beta, 1e-5)

    return Case(lambda: filled(LayerNorm(shape[-1], 1e-5)), reference, [random(*shape)])


def linear(shape, outputs):
    return Case(lambda: filled(Linear(shape[-1], outputs, "normal")), functional.linear, [random(*shape)])


def attention(batch, queries, keys, heads, width):
    def reference(*tokens):
        q, k, v = (item.reshape(len(item), -1, heads, width).transpose(1, 2) for item in tokens)
        probabilities = torch.softmax(q @ k.transpose(2, 3) * width**-0.5, -1)
        return (probabilities @ v).transpose(1, 2).reshape(tokens[0].shape)

    inputs = [random(batch, length, heads * width, seed=i) for i, length in enumerate((queries, keys, keys))]
    return Case(lambda: TokenAttention(heads, width**-0.5), reference, inputs)


def depthwise_gelu(batch, height, width, channels):
    def reference(tokens, weight, bias):
        feature = tokens.transpose(1, 2).reshape(-1, channels, height, width)
        feature = functional.gelu(functional.conv2d(feature, weight, bias, padding=1, groups=channels))
        return feature.flatten(2).transpose(1, 2)

    inputs, options = [random(batch, height * width, channels)], ((height, width),)
    return Case(lambda: filled(DepthwiseGelu(channels, "normal")), reference, inputs, options)


def resize(shape, size):
    def reference(x):
        return functional.interpolate(x, size=size, mode="bilinear")

    return Case(ResizeBilinear, reference, [random(*shape)], (size,))


def cross_entropy(shape, size):
    """Of enlarged logits; 0 where the label, 255, is no class."""

    def reference(logits, labels):
        enlarged = functional.interpolate(logits, size=size, mode="bilinear")
        return functional.cross_entropy(enlarged, labels.long(), ignore_index=255, reduction="none")

    labels = np.random.default_rng(3).integers(0, shape[1] + 1, (shape[0], *size))
    labels = np.where(labels == shape[1], 255, labels).astype(np.int32)
    return Case(SoftmaxCrossEntropy, reference, [random(*shape, scale=5.0), labels])


def convolution(batch, channels, outputs, height, width, kernel, stride, errors=(1e-5, 1e-5)):
    def reference(images, weight, bias):
        return functional.conv2d(images, weight, bias, stride, kernel // 2)

    def make():
        return filled(Convolution(channels, outputs, kernel, stride, has_bias=True))

    return Case(make, reference, [random(batch, channels, height, width)], errors=errors)


def winograd(batch, channels, outputs, height, width):
    return convolution(batch, channels, outputs, height, width, 3, 1, errors=(6e-6, 6e-6))


def convolution_norm(batch, channels, outputs, height, width, kernel, stride, has_relu, has_residual):
    mean, variance = random(outputs), np.random.default_rng(1).uniform(0.5, 1.5, outputs).astype(np.float32)

    def make():
        options = {"has_relu": has_relu, "has_fixed_statistics": True, "weight_init": "normal", "eps": 1e-3}
        cell = filled(ConvolutionNorm(channels, outputs, kernel, stride, **options))
        cell.norm.moving_mean.set_data(ms.Tensor(mean))
        cell.norm.moving_variance.set_data(ms.Tensor(variance))
        cell.norm.gamma[0] = 0.0  # a scale of 0 still has a gradient
        return cell

    def reference(images, *others):
        *residual, weight, gamma, beta = others
        result = functional.conv2d(images, weight, None, stride, kernel // 2)
        statistics = (torch.tensor(mean).double(), torch.tensor(variance).double())
        result = functional.batch_norm(result, *statistics, gamma, beta, False, eps=1e-3)
        result = result + residual[0] if has_residual else result
        return result.relu() if has_relu else result

    inputs = [random(batch, channels, height, width)]
    if has_residual:
        inputs.append(random(batch, outputs, -(-height // stride), -(-width // stride)))
    return Case(make, reference, inputs, errors=(2e-5, 2e-5))


SIZES = [
    ((2, 3, 5, 7), (20, 28)),
    ((1, 2, 5, 7), (13, 9)),
    ((1, 4, 9, 8), (4, 3)),
    ((1, 2, 1, 1), (3, 5)),
    ((1, 2, 6, 6), (6, 6)),
]
WITH_STOCK = {  # by kernel and by MindSpore's operators
    gelu: [(1,), (3, 7, 11), (2, 16384 + 5)],
    layer_norm: [(1, 1, 5), (2, 3, 7, 35), (70, 160)],
    linear: [
        ((1, 1), 1),
        ((2, 3, 7), 11),
        ((2, 70, 40), 33),
        ((64, 32), 64),
        ((5, 2, 97, 3), 130),
        ((301, 270), 140),
        ((2, 5, 33), 300),
        ((5000, 20), 17),
    ],
    attention: [(1, 1, 1, 1, 1), (2, 37, 13, 3, 5), (1, 200, 70, 2, 32), (2, 100, 100, 1, 64)],
    depthwise_gelu: [(1, 1, 1, 20), (2, 5, 7, 3), (1, 70, 3, 37)],
    resize: SIZES,
    cross_entropy: SIZES,
    convolution: [(2, 5, 6, 8, 10, 3, 2)],
    convolution_norm: [(2, 40, 17, 9, 13, 1, 1, True, True)],
}
BY_KERNEL = {
    convolution: [
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
    ],
    winograd: [
        (1, 32, 32, 16, 32),  # the smallest
        (2, 33, 41, 23, 29),  # nothing divides by 4
        (1, 300, 35, 25, 22),  # more channels than a block of depth
        (1, 40, 200, 24, 26),  # more outputs than are computed at once
        (1, 36, 34, 1, 530),
        (1, 36, 34, 530, 1),
    ],
    convolution_norm: [
        (2, 7, 9, 5, 6, 3, 1, True, False),
        (1, 5, 6, 6, 8, 3, 2, True, False),
        (2, 6, 33, 7, 9, 1, 1, False, False),
        (1, 300, 20, 20, 30, 3, 1, False, True),
        (2, 36, 41, 25, 22, 3, 1, True, True),  # by Winograd's way
        (1, 300, 34, 21, 25, 3, 1, True, False),
    ],
}
OF_A_BATCH = {
    gelu: [(2, 70, 24)],
    layer_norm: [(2, 70, 24)],
    linear: [((2, 70, 24), 11)],
    attention: [(2, 70, 70, 3, 8)],
    depthwise_gelu: [(2, 10, 7, 24)],
    resize: [((2, 24, 10, 7), (40, 28))],
    cross_entropy: [((2, 24, 10, 7), (40, 28))],
    convolution: [(3, 4, 5, 6, 7, 3, 1)],
    winograd: [(3, 33, 40, 30, 31)],
    convolution_norm: [(2, 33, 40, 30, 31, 3, 1, True, True)],
}


def runs(cases, choices):
    return [
        pytest.param(make, size, choice, id=f"{make.__name__}-{size}-{choice}")
        for choice in choices
        for make, sizes in cases.items()
        for size in sizes
    ]


def in_double_precision(case, cell):
    """Returns the inputs and the parameters as PyTorch's, and what the reference makes of them."""
    arrays = [*case.inputs, *(parameter.asnumpy() for parameter in cell.trainable_params())]
    tensors = [torch.tensor(x) if x.dtype == np.int32 else torch.tensor(x).double().requires_grad_() for x in arrays]
    return tensors, case.reference(*tensors)


def is_by_kernel(cell):
    return getattr(cell, "kernel", None) is not None or getattr(cell, "library", None) is not None


@pytest.mark.parametrize(
    ("make_case", "size", "choice"),
    runs(WITH_STOCK, ("kernel", "stock")) + runs(BY_KERNEL, ("kernel",)),
    indirect=["choice"],
)
def test_values_and_gradients_equal_pytorch(make_case, size, choice):
    case = make_case(*size)
    with choice():
        cell = case.make().set_train()
    assert is_by_kernel(cell) == (choice is not stock_operators)
    tensors, expected = in_double_precision(case, cell)
    upstream = random(*expected.shape, seed=1)
    (expected * torch.tensor(upstream)).sum().backward()
    wanted = [expected.detach(), *(tensor.grad for tensor in tensors if tensor.requires_grad)]
    own = WithGradients(cell, case.options)(upstream, *case.inputs)
    for index, (part, reference) in enumerate(zip(own, wanted, strict=True)):
        reference = reference.numpy().reshape(part.shape)
        assert np.abs(part - reference).max() <= case.errors[index > 0] * max(np.abs(reference).max(), 1e-30)


@pytest.mark.parametrize(("make_case", "size", "choice"), runs(OF_A_BATCH, ("kernel",)), indirect=["choice"])
def test_an_item_of_a_batch_gives_the_same_bits_alone_and_again(make_case, size, choice):
    """Values and gradients of inputs; the gradient of a parameter is the sum of the items'."""
    case = make_case(*size)
    cell = case.make().set_train()
    function = WithGradients(cell, case.options)
    arrays = [random(*in_double_precision(case, cell)[1].shape, seed=1), *case.inputs]
    together = function(*arrays)
    for _ in range(5):
        assert all(np.array_equal(*pair) for pair in zip(function(*arrays), together, strict=True))
    alone = [function(*(array[i : i + 1] for array in arrays)) for i in range(len(arrays[0]))]
    num_items = 1 + sum(array.dtype == np.float32 for array in case.inputs)
    for index, (whole, parts) in enumerate(zip(together, zip(*alone, strict=True), strict=True)):
        if index < num_items:
            assert np.array_equal(whole, np.concatenate(parts))
        else:
            np.testing.assert_allclose(whole, sum(parts), rtol=1e-5, atol=1e-5 * np.abs(whole).max())


def test_one_weight_alone_moves_the_image(kernels):
    """A kernel of a single 1 copies channel 3 by a pixel down and right; beyond the border are zeros."""
    images, weight = random(1, 32, 21, 27), np.zeros((32, 32, 3, 3), np.float32)
    weight[5, 3, 0, 0] = 1.0
    expected = np.zeros_like(images)
    expected[0, 5, 1:, 1:] = images[0, 3, :-1, :-1]
    cell = Convolution(32, 32, 3, weight_init=ms.Tensor(weight))
    np.testing.assert_allclose(cell(ms.Tensor(images)).asnumpy(), expected, atol=3e-6)


def test_cross_entropy_takes_negative_labels_for_no_class(choice):
    with choice():
        cell = SoftmaxCrossEntropy()
    loss = cell(ms.Tensor(random(1, 3, 1, 2)), ms.Tensor(np.full((1, 1, 2), -1, np.int32)))
    assert (loss.asnumpy() == 0).all()


def test_not_a_number_is_not_hidden(kernels):
    bad = ms.Tensor(np.full((1, 1, 4), np.nan, np.float32))
    for cell, count in ((Gelu(), 1), (LayerNorm(4, 1e-5), 1), (Linear(4, 3, "zeros"), 1), (TokenAttention(1, 1.0), 3)):
        assert np.isnan(cell(*[bad] * count).asnumpy()).all()


@pytest.mark.parametrize("size", [(2, 3), (5, 40)])
def test_a_logit_of_another_class_that_is_no_number_is_not_hidden(choice, size):
    """The loss of its pixel is no number, whatever its label, so that the step is known for a bad one; others stay."""
    logits, labels = random(1, 4, *size), np.zeros((1, *size), np.int32)
    logits[0, 2, 1, 1] = np.nan
    with choice():
        cell = SoftmaxCrossEntropy()
    loss = cell(ms.Tensor(logits), ms.Tensor(labels)).asnumpy()[0]
    assert np.isnan(loss[1, 1])
    assert np.isfinite(loss[size[0] - 1, size[1] - 1])


def test_scores_of_hundreds_do_not_overflow(kernels):
    query, key = np.full((1, 1, 1), 300.0, np.float32), np.array([[[1.0], [-1.0]]], np.float32)
    value = np.array([[[2.0], [5.0]]], np.float32)
    assert TokenAttention(1, 1.0)(*map(ms.Tensor, (query, key, value))).asnumpy().item() == 2.0


def test_kernels_and_stock_operators_have_the_same_parameters(kernels):
    def names():
        cells = (LayerNorm(8, 1e-5), Linear(8, 4, "ones"), DepthwiseGelu(8, "ones"), TokenAttention(2, 1.0))
        return [(p.name, p.shape) for cell in (*cells, Convolution(3, 4, 3)) for p in cell.get_parameters()]

    own = names()
    with stock_operators():
        assert names() == own


def test_float16_goes_through_the_stock_operators(kernels):
    result = Gelu()(ms.Tensor(np.array([0.0, 1.0, -1.0], np.float16)))
    assert result.dtype == ms.float16
    assert np.allclose(result.asnumpy(), [0.0, 0.8413, -0.1587], atol=1e-3)
    images = ms.Tensor(np.ones((1, 4, 6, 6), np.float32))
    assert Convolution(4, 5, 3).to_float(ms.float16)(images).dtype == ms.float16


def test_a_batch_size_unknown_at_compilation_goes_through_the_stock_operators(kernels):
    cell = LayerNorm(24, 1e-5)
    x = random(3, 5, 24)
    expected = cell(ms.Tensor(x)).asnumpy()
    cell.set_inputs(ms.Tensor(shape=(None, 5, 24), dtype=ms.float32))
    for count in (1, 3):
        assert np.allclose(cell(ms.Tensor(x[:count])).asnumpy(), expected[:count], atol=1e-6)


def test_an_empty_batch_stays_empty(kernels):
    assert Gelu()(ms.Tensor(np.zeros((0, 4), np.float32))).shape == (0, 4)
