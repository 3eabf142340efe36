"""Each operator, by kernel and by MindSpore's operators, against PyTorch in float64: values and every gradient."""

import contextlib

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.attention import TokenAttention
from utils.cpu_kernels.choice import stock_operators
from utils.cpu_kernels.cross_entropy import SoftmaxCrossEntropy
from utils.cpu_kernels.depthwise_gelu import DepthwiseGelu
from utils.cpu_kernels.gelu import Gelu
from utils.cpu_kernels.layer_norm import LayerNorm
from utils.cpu_kernels.linear import Linear
from utils.cpu_kernels.resize import ResizeBilinear

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
functional = torch.nn.functional

VALUES, GRADIENTS = 2e-6, 1e-5  # largest difference over largest value


class Weighted(nn.Cell):
    """The sum of a cell's result times a constant: its gradient is the constant pulled back through the cell."""

    def __init__(self, cell, options):
        super().__init__()
        self.cell, self.options = cell, options

    def construct(self, factor, *inputs):
        return (self.cell(*inputs, *self.options) * factor).sum()


@pytest.fixture(params=["kernel", "stock"])
def choice(request):
    """Cells made in this context run the kernels, or MindSpore's operators."""
    if request.param == "stock":
        return stock_operators()
    request.getfixturevalue("kernels")
    return contextlib.nullcontext()


def random(*shape, scale=1.0, seed=0):
    return (scale * np.random.default_rng(seed + sum(shape)).standard_normal(shape)).astype(np.float32)


def difference(own, reference):
    own, reference = own.asnumpy().astype(np.float64), reference.detach().numpy().reshape(own.shape)
    return np.abs(own - reference).max() / max(np.abs(reference).max(), 1e-30)


def compare(cell, reference, inputs, options=(), parameters=()):
    """Asserts that values and gradients agree; `reference` takes float64 inputs, then the parameters."""
    tensors = [torch.tensor(x) if x.dtype == np.int32 else torch.tensor(x).double().requires_grad_() for x in inputs]
    weights = [torch.tensor(p.asnumpy()).double().requires_grad_() for p in parameters]
    expected = reference(*tensors, *weights)
    own_inputs = [ms.Tensor(x) for x in inputs]
    assert difference(cell(*own_inputs, *options), expected) < VALUES
    factor = random(*expected.shape, seed=1)
    (expected * torch.tensor(factor)).sum().backward()
    positions = tuple(1 + i for i, x in enumerate(inputs) if x.dtype != np.int32)
    gradients = ms.grad(Weighted(cell, options), positions, list(parameters) or None)(ms.Tensor(factor), *own_inputs)
    own, of_weights = gradients if parameters else (gradients, ())
    own = own if isinstance(own, tuple) else (own,)
    for gradient, tensor in zip((*own, *of_weights), [*(t for t in tensors if t.requires_grad), *weights], strict=True):
        assert difference(gradient, tensor.grad) < GRADIENTS


@pytest.mark.parametrize("shape", [(1,), (3, 7, 11), (2, 16384 + 5)])
def test_gelu(choice, shape):
    with choice:
        compare(Gelu(), functional.gelu, [random(*shape, scale=3.0)])


@pytest.mark.parametrize("shape", [(1, 1, 5), (2, 3, 7, 35), (70, 160)])
def test_layer_norm(choice, shape):
    with choice:
        cell = LayerNorm(shape[-1], 1e-5)
    cell.gamma.set_data(ms.Tensor(random(shape[-1])))
    cell.beta.set_data(ms.Tensor(random(shape[-1], seed=2)))
    compare(
        cell,
        lambda x, gamma, beta: functional.layer_norm(x, x.shape[-1:], gamma, beta, 1e-5),
        [random(*shape)],
        parameters=(cell.gamma, cell.beta),
    )


@pytest.mark.parametrize(
    ("shape", "outputs"),
    [
        ((1, 1), 1),
        ((2, 3, 7), 11),
        ((2, 70, 40), 33),
        ((64, 32), 64),
        ((5, 2, 97, 3), 130),
        ((301, 270), 140),
        ((2, 5, 33), 300),
        ((5000, 20), 17),
    ],
)
def test_linear(choice, shape, outputs):
    with choice:
        cell = Linear(shape[-1], outputs, "normal")
    cell.weight.set_data(ms.Tensor(random(outputs, shape[-1])))
    cell.bias.set_data(ms.Tensor(random(outputs)))
    compare(cell, functional.linear, [random(*shape)], parameters=(cell.weight, cell.bias))


@pytest.mark.parametrize(
    ("batch", "queries", "keys", "heads", "width"),
    [(1, 1, 1, 1, 1), (2, 37, 13, 3, 5), (1, 200, 70, 2, 32), (2, 100, 100, 1, 64)],
)
def test_attention(choice, batch, queries, keys, heads, width):
    def reference(*tokens):
        q, k, v = (item.reshape(batch, -1, heads, width).transpose(1, 2) for item in tokens)
        probabilities = torch.softmax(q @ k.transpose(2, 3) * width**-0.5, -1)
        return (probabilities @ v).transpose(1, 2).reshape(batch, queries, heads * width)

    shapes = ((batch, queries, heads * width), (batch, keys, heads * width), (batch, keys, heads * width))
    with choice:
        compare(TokenAttention(heads, width**-0.5), reference, [random(*s, seed=i) for i, s in enumerate(shapes)])


@pytest.mark.parametrize(("batch", "height", "width", "channels"), [(1, 1, 1, 20), (2, 5, 7, 3), (1, 70, 3, 37)])
def test_depthwise_gelu(choice, batch, height, width, channels):
    def reference(tokens, weight, bias):
        feature = tokens.transpose(1, 2).reshape(batch, channels, height, width)
        feature = functional.gelu(functional.conv2d(feature, weight, bias, padding=1, groups=channels))
        return feature.reshape(batch, channels, -1).transpose(1, 2)

    with choice:
        cell = DepthwiseGelu(channels, "normal")
    cell.weight.set_data(ms.Tensor(random(channels, 1, 3, 3)))
    cell.bias.set_data(ms.Tensor(random(channels)))
    compare(
        cell,
        reference,
        [random(batch, height * width, channels)],
        options=((height, width),),
        parameters=(cell.weight, cell.bias),
    )


SIZES = [
    ((2, 3, 5, 7), (20, 28)),
    ((1, 2, 5, 7), (13, 9)),
    ((1, 4, 9, 8), (4, 3)),
    ((1, 2, 1, 1), (3, 5)),
    ((1, 2, 6, 6), (6, 6)),
]


@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_resize(choice, shape, size):
    with choice:
        compare(
            ResizeBilinear(),
            lambda x: functional.interpolate(x, size=size, mode="bilinear"),
            [random(*shape)],
            options=(size,),
        )


@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_cross_entropy_of_enlarged_logits_is_0_where_the_label_is_no_class(choice, shape, size):
    def reference(logits, labels):
        enlarged = functional.interpolate(logits, size=size, mode="bilinear")
        return functional.cross_entropy(enlarged, labels.long(), ignore_index=255, reduction="none")

    labels = np.random.default_rng(3).integers(0, shape[1] + 1, (shape[0], *size))
    labels = np.where(labels == shape[1], 255, labels).astype(np.int32)
    with choice:
        compare(SoftmaxCrossEntropy(), reference, [random(*shape, scale=5.0), labels])


def test_cross_entropy_takes_negative_labels_for_no_class(choice):
    with choice:
        loss = SoftmaxCrossEntropy()(ms.Tensor(random(1, 3, 1, 2)), ms.Tensor(np.full((1, 1, 2), -1, np.int32)))
    assert (loss.asnumpy() == 0).all()


def test_not_a_number_is_not_hidden(kernels):
    bad = np.full((1, 1, 4), np.nan, np.float32)
    assert np.isnan(Gelu()(ms.Tensor(bad)).asnumpy()).all()
    assert np.isnan(LayerNorm(4, 1e-5)(ms.Tensor(bad)).asnumpy()).all()
    assert np.isnan(Linear(4, 3, "zeros")(ms.Tensor(bad)).asnumpy()).all()
    assert np.isnan(TokenAttention(1, 1.0)(*[ms.Tensor(bad)] * 3).asnumpy()).all()


def test_scores_of_hundreds_do_not_overflow(kernels):
    query, key = np.full((1, 1, 1), 300.0, np.float32), np.array([[[1.0], [-1.0]]], np.float32)
    value = np.array([[[2.0], [5.0]]], np.float32)
    assert TokenAttention(1, 1.0)(*map(ms.Tensor, (query, key, value))).asnumpy().item() == 2.0


def test_a_batch_of_two_is_two_batches_of_one_to_the_last_bit(kernels):
    tokens, labels = random(2, 70, 24), np.zeros((2, 40, 28), np.int32)
    cells = (
        LayerNorm(24, 1e-5),
        Gelu(),
        Linear(24, 11, "normal"),
        lambda x: TokenAttention(3, 0.3)(x, x, x),
        lambda x: DepthwiseGelu(24, "ones")(x, (10, 7)),
        lambda x: ResizeBilinear()(x.reshape(-1, 24, 10, 7), (40, 28)),
        lambda x: SoftmaxCrossEntropy()(x.reshape(-1, 24, 10, 7), ms.Tensor(labels[: x.shape[0]])),
    )
    for cell in cells:
        whole = cell(ms.Tensor(tokens)).asnumpy()
        for item in range(2):
            assert np.array_equal(cell(ms.Tensor(tokens[item : item + 1])).asnumpy()[0], whole[item])


def test_kernels_and_stock_operators_have_the_same_parameters(kernels):
    def names():
        cells = (LayerNorm(8, 1e-5), Linear(8, 4, "ones"), DepthwiseGelu(8, "ones"), TokenAttention(2, 1.0))
        return [(p.name, p.shape) for cell in cells for p in cell.get_parameters()]

    own = names()
    with stock_operators():
        assert names() == own


def test_float16_goes_through_the_stock_operators(kernels):
    x = ms.Tensor(np.array([0.0, 1.0, -1.0], np.float16))
    result = Gelu()(x)
    assert result.dtype == ms.float16
    assert np.allclose(result.asnumpy(), [0.0, 0.8413, -0.1587], atol=1e-3)


def test_a_batch_size_unknown_at_compilation_goes_through_the_stock_operators(kernels):
    cell = LayerNorm(24, 1e-5)
    x = random(3, 5, 24)
    expected = cell(ms.Tensor(x)).asnumpy()
    cell.set_inputs(ms.Tensor(shape=(None, 5, 24), dtype=ms.float32))
    for count in (1, 3):
        assert np.allclose(cell(ms.Tensor(x[:count])).asnumpy(), expected[:count], atol=1e-6)


def test_an_empty_batch_stays_empty(kernels):
    assert Gelu()(ms.Tensor(np.zeros((0, 4), np.float32))).shape == (0, 4)
