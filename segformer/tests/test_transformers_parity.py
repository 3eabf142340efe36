"""Logits and gradients of every size equal those of transformers' SegformerForSemanticSegmentation, random weights.

MiT-B0 is compiled to a graph, as every command does. The others run the same `construct` operator by operator, at full
depth: compiling the gradient of 52 blocks for one image would take longer than everything else here.
"""

import mindspore as ms
import numpy as np
import pytest

from segformer.src.variants import MIT_VARIANTS
from segformer.tests.transformers_reference import build, copy_weights, own_arrays, reference, relative

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

LOGITS, GRADIENTS, KINK = 1e-4, 1e-3, 1e-5
OPERATOR_BY_OPERATOR = ("mit_b1", "mit_b2", "mit_b3", "mit_b4", "mit_b5")


def _images(batch, height, width):
    return np.random.default_rng(2).standard_normal((batch, 3, height, width)).astype(np.float32)


def _compare(backbone, images, decoder_channels=None):
    """Compares logits and the gradients of their sum with random factors; returns both largest differences."""
    depths = MIT_VARIANTS[backbone].depths
    network, model = (
        build(backbone, decoder_channels=decoder_channels),
        reference(backbone, decoder_channels=decoder_channels),
    )
    copy_weights(model, network, depths)
    before_relu = []
    model.decode_head.batch_norm.register_forward_hook(lambda _module, _inputs, output: before_relu.append(output))
    expected = model(torch.tensor(images)).logits
    factors = np.random.default_rng(3).standard_normal(tuple(expected.shape)).astype(np.float32)
    # The ReLU has no gradient at 0: a pixel so near to it that rounding decides is left out of the sum.
    is_clear = (before_relu[0].detach().abs() > KINK).all(dim=1, keepdim=True).numpy()
    assert is_clear.mean() > 0.9
    factors *= is_clear
    (expected * torch.tensor(factors)).sum().backward()
    factors = ms.Tensor(factors)
    parameters = network.trainable_params()

    def value(batch):
        logits = network(batch)
        return (logits * factors).sum(), logits

    (_, logits), gradients = ms.value_and_grad(value, None, parameters, has_aux=True)(ms.Tensor(images))
    expected_gradients = own_arrays(model, depths, gradients=True)
    assert len(gradients) == len(expected_gradients)
    own = {parameter.name: array.asnumpy() for parameter, array in zip(parameters, gradients, strict=True)}
    differences = [_difference(name, own, expected_gradients) for name in own]
    return relative(logits.asnumpy(), expected.detach().numpy()), max(differences)


def _difference(name, own, expected):
    """A bias of all keys changes no softmax: its gradient is 0, and is measured against that of the queries."""
    scale = np.abs(expected[name.replace("key.bias", "query.bias")]).max()
    return np.abs(own[name] - expected[name]).max() / scale


def test_mit_b0_as_a_graph_with_two_images_whose_size_is_no_multiple_of_32():
    ms.set_context(mode=ms.GRAPH_MODE)
    logits, gradients = _compare("mit_b0", _images(2, 75, 101))
    assert logits < LOGITS
    assert gradients < GRADIENTS


@pytest.mark.parametrize(
    "backbone",
    [*OPERATOR_BY_OPERATOR[:3], *(pytest.param(name, marks=pytest.mark.long_run) for name in OPERATOR_BY_OPERATOR[3:])],
)
def test_every_other_size_at_full_depth(backbone):
    ms.set_context(mode=ms.PYNATIVE_MODE)
    logits, gradients = _compare(backbone, _images(1, 64, 96))
    assert logits < LOGITS
    assert gradients < GRADIENTS


def test_another_width_of_the_head():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    logits, gradients = _compare("mit_b0", _images(1, 64, 64), decoder_channels=96)
    assert logits < LOGITS
    assert gradients < GRADIENTS


@pytest.fixture(autouse=True)
def _graph_mode_afterwards():
    yield
    ms.set_context(mode=ms.GRAPH_MODE)
