"""The network: published sizes, and outputs and gradients equal to an independent PyTorch formulation."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from nas_fpn.src.multiply_adds import count as count_parts
from nas_fpn.src.nasfpn import NasFpn, output_features, unconsumed_inputs
from nas_fpn.src.resnet import ResNet
from nas_fpn.src.retinahead import RetinaHead
from nas_fpn.src.retinanet_nasfpn import RetinaNetNasFpn
from utils.detection.layers import FROZEN, TRAINED, NormSettings

LAYERS, WIDTH, CHANNELS, STACKS, CONVS, CLASSES = (1, 2, 1, 1), 8, 16, 2, 2, 3


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


def _network(layers, width, channels, stacks, convs, classes):
    norm = NormSettings(TRAINED, is_fused=False)
    neck = NasFpn((width * 8, width * 16, width * 32), channels, stacks, norm)
    return RetinaNetNasFpn(ResNet(layers, width, norm), neck, RetinaHead(channels, channels, convs, 9, classes, norm))


def _tiny():
    """A tiny network whose every weight is random, so that no branch is multiplied away."""
    network = _network(LAYERS, WIDTH, CHANNELS, STACKS, CONVS, CLASSES)
    generator = np.random.default_rng(11)
    for parameter in network.get_parameters():
        shape = parameter.shape
        if parameter.ndim > 1:
            value = generator.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        elif "moving_variance" in parameter.name or "gamma" in parameter.name:
            value = generator.uniform(0.7, 1.4, shape)
        else:
            value = generator.standard_normal(shape) * 0.1
        parameter.set_data(ms.Tensor(value.astype(np.float32)))
    return network


def test_published_parameter_counts():
    """MMDetection's retinanet_r50_nasfpn: 59,967,284 weights, of them 23,508,032, 29,977,600 and 6,481,652.

    Its multiply-adds for 640x640 are 138.35 * 10^9; the paper's, with 91 outputs, are published as 140.6 and counted,
    without what is no convolution, as 140.29.
    """
    with nn.utils.no_init_parameters():
        network = _network((3, 4, 6, 3), 64, 256, 7, 4, 80)
        larger_head = RetinaHead(256, 256, 4, 9, 91, NormSettings(TRAINED))

    def count(cell):
        return sum(parameter.size for parameter in cell.trainable_params())

    assert count(network) == 59_967_284
    assert [count(network.backbone), count(network.neck), count(network.head)] == [23_508_032, 29_977_600, 6_481_652]
    parts = count_parts(network, (640, 640))
    assert [(part.name, part.weights) for part in parts] == [
        ("backbone", 23_508_032),
        ("neck", 29_977_600),
        ("head", 6_481_652),
    ]
    assert round(sum(part.multiply_adds for part in parts) / 1e9, 2) == 138.35
    network.head = larger_head
    parts = count_parts(network, (640, 640))
    assert sum(part.weights for part in parts) == 60_195_479
    assert round(sum(part.multiply_adds for part in parts) / 1e9, 2) == 140.29


def test_the_table_adds_p5_and_p7_and_ends_in_each_level():
    assert unconsumed_inputs() == (-1, -1, -1, -1, 2, 4, -1)
    assert output_features() == (7, 8, 9, 11, 10)


def test_frozen_stages_do_not_train():
    network = ResNet((1, 1, 1, 1), 8, NormSettings(TRAINED, is_fused=False), frozen_stages=1)
    names = [parameter.name for parameter in network.trainable_params()]
    assert not any(name.startswith(("stem", "stages.0")) for name in names)
    assert any(name.startswith("stages.1") for name in names)
    network.set_train(True)
    images = ms.Tensor(np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32))
    network(images)
    assert not network.stem.norm.moving_mean.asnumpy().any()
    assert not network.stages[0][0].reduce.norm.moving_mean.asnumpy().any()
    assert network.stages[1][0].reduce.norm.moving_mean.asnumpy().any()


def test_frozen_statistics_are_used_and_kept_while_scale_and_shift_train():
    network = ResNet((1, 1, 1, 1), 8, NormSettings(FROZEN, is_fused=False))
    images = ms.Tensor(np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32))
    network.set_train(False)
    evaluated = [feature.asnumpy() for feature in network(images)]
    network.set_train(True)
    for feature, expected in zip(network(images), evaluated, strict=True):
        np.testing.assert_array_equal(feature.asnumpy(), expected)
    assert not network.stages[3][0].expand.norm.moving_mean.asnumpy().any()
    assert network.stages[3][0].expand.norm.gamma.requires_grad


class _Gradients(nn.Cell):
    """Gradients of a fixed weighted sum of the outputs."""

    def __init__(self, network, weight_logits, weight_deltas):
        super().__init__(auto_prefix=False)
        self.network, self.weight_logits, self.weight_deltas = network, weight_logits, weight_deltas
        self.gradient = ms.grad(self.value, None, network.trainable_params())

    def value(self, images):
        logits, deltas = self.network(images)
        return (logits * self.weight_logits).sum() + (deltas * self.weight_deltas).sum()

    def construct(self, images):
        return self.gradient(images)


def _relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("train", [False, True])
def test_outputs_and_gradients_equal_pytorch(train):
    torch = pytest.importorskip("torch")
    from nas_fpn.tests.torch_reference import ReferenceNetwork

    network = _tiny()
    network.set_train(train)
    weights = {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}
    reference = ReferenceNetwork(weights, LAYERS, STACKS, CONVS, CLASSES, train)
    generator = np.random.default_rng(2)
    images = generator.standard_normal((2, 3, 128, 256)).astype(np.float32)
    logits, deltas = reference(torch.tensor(images))
    sums = [generator.standard_normal(tuple(part.shape)).astype(np.float32) for part in (logits, deltas)]
    ((logits * torch.tensor(sums[0])).sum() + (deltas * torch.tensor(sums[1])).sum()).backward()

    gradients = _Gradients(network, *map(ms.Tensor, sums))(ms.Tensor(images))
    for parameter, gradient in zip(network.trainable_params(), gradients, strict=True):
        expected = reference.weights[parameter.name].grad.numpy()
        assert _relative(gradient.asnumpy(), expected) < 1e-3, parameter.name
    for parameter in network.get_parameters():  # training moved the statistics: put them back
        parameter.set_data(ms.Tensor(weights[parameter.name]))
    outputs = network(ms.Tensor(images))
    assert _relative(outputs[0].asnumpy(), logits.detach().numpy()) < 1e-4
    assert _relative(outputs[1].asnumpy(), deltas.detach().numpy()) < 1e-4
