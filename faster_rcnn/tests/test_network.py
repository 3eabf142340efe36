"""The dense network: published sizes, anchors by hand, outputs and gradients equal to a PyTorch formulation."""

import re

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from faster_rcnn.src.FasterRcnn.fpn_neck import FpnNeck
from faster_rcnn.src.FasterRcnn.rcnn import Rcnn
from faster_rcnn.src.FasterRcnn.res2net import Res2Net
from faster_rcnn.src.FasterRcnn.rpn import Rpn
from faster_rcnn.src.multiply_adds import count as count_parts
from faster_rcnn.src.variants import RES2NET_LAYERS
from utils.cpu_kernels.choice import stock_operators
from utils.detection.layers import FROZEN, NormSettings

STRIDES = (4, 8, 16, 32, 64)
TINY = {"layers": (1, 2, 1, 1), "width": 8, "base_width": 6}
CHANNELS, FC_CHANNELS, ROI_SIZE, CLASSES = 16, 24, 3, 5


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


class Dense(nn.Cell):
    """Backbone, neck, RPN, and the RoI head over pooled features of the caller's."""

    def __init__(self, backbone, channels, fc_channels, roi_size, num_classes):
        super().__init__()
        self.backbone = backbone
        self.neck = FpnNeck(backbone.out_channels, channels)
        self.rpn = Rpn(channels, channels, 3)
        self.rcnn = Rcnn(channels, roi_size, fc_channels, num_classes=num_classes)

    def construct(self, images, pooled):
        features = self.backbone(images)
        pyramid = self.neck(features)
        return (*features, *pyramid, *self.rpn(pyramid), *self.rcnn(pooled))


class WithGradients(nn.Cell):
    """Outputs, and gradients of sum(outputs * weights) over images and trainable parameters."""

    def __init__(self, network, weights):
        super().__init__(auto_prefix=False)
        self.network, self.weights = network, weights
        self.gradient = ms.value_and_grad(self.weighted, 0, network.trainable_params(), has_aux=True)

    def weighted(self, images, pooled):
        outputs = self.network(images, pooled)
        total = ops.zeros((), ms.float32)
        for index in range(len(self.weights)):
            total = total + (outputs[index] * self.weights[index]).sum()
        return total, outputs

    def construct(self, images, pooled):
        (_, outputs), (image_gradient, gradients) = self.gradient(images, pooled)
        return outputs, image_gradient, gradients


def _full(name, frozen_stages=1):
    return Dense(
        Res2Net(RES2NET_LAYERS[name], norm=NormSettings(FROZEN), frozen_stages=frozen_stages), 256, 1024, 7, 80
    )


def _tiny(statistics="frozen", **options):
    backbone = Res2Net(**TINY, norm=NormSettings(statistics), **options)
    return Dense(backbone, CHANNELS, FC_CHANNELS, ROI_SIZE, CLASSES)


def _reference(stage1_pool=False):
    """PyTorch's network in float64: in float32 a value beside 0 may pass a ReLU here and not there."""
    from faster_rcnn.tests.torch_reference import ReferenceNetwork, randomise

    return randomise(
        ReferenceNetwork(
            **TINY,
            channels=CHANNELS,
            roi_size=ROI_SIZE,
            fc_channels=FC_CHANNELS,
            num_classes=CLASSES,
            stage1_pool=stage1_pool,
        )
    ).double()


def mmdetection_name(name):
    """MMDetection's name of a parameter of ours."""
    for pattern, replacement in (
        (r"backbone\.stem\.(\d)\.conv", lambda m: f"backbone.stem.{3 * int(m[1])}"),
        (r"backbone\.stem\.(\d)\.norm", lambda m: f"backbone.stem.{3 * int(m[1]) + 1}"),
        (r"backbone\.stages\.(\d)", lambda m: f"backbone.layer{int(m[1]) + 1}"),
        (r"reduce\.conv", "conv1"),
        (r"reduce\.norm", "bn1"),
        (r"splits\.(\d)\.conv", r"convs.\1"),
        (r"splits\.(\d)\.norm", r"bns.\1"),
        (r"expand\.conv", "conv3"),
        (r"expand\.norm", "bn3"),
        (r"shortcut\.conv", "downsample.1"),
        (r"shortcut\.norm", "downsample.2"),
        (r"neck\.laterals\.(\d)", r"neck.lateral_convs.\1.conv"),
        (r"neck\.outputs\.(\d)", r"neck.fpn_convs.\1.conv"),
        (r"rpn\.conv", "rpn_head.rpn_conv"),
        (r"rpn\.classify", "rpn_head.rpn_cls"),
        (r"rpn\.regress", "rpn_head.rpn_reg"),
        (r"rcnn\.shared", "roi_head.bbox_head.shared_fcs"),
        (r"rcnn\.classify", "roi_head.bbox_head.fc_cls"),
        (r"rcnn\.regress", "roi_head.bbox_head.fc_reg"),
        (r"gamma$", "weight"),
        (r"beta$", "bias"),
        (r"moving_mean", "running_mean"),
        (r"moving_variance", "running_var"),
    ):
        name = re.sub(pattern, replacement, name)
    return name


def _copy(reference, network):
    values = reference.state_dict()
    for parameter in network.get_parameters():
        parameter.set_data(ms.Tensor(values[mmdetection_name(parameter.name)].float().numpy()))


def _inputs(height=96, width=160):
    generator = np.random.default_rng(5)
    return (
        generator.standard_normal((2, 3, height, width)).astype(np.float32),
        generator.standard_normal((7, CHANNELS, ROI_SIZE, ROI_SIZE)).astype(np.float32),
    )


def _relative(value, expected):
    return np.abs(value - expected).max() / max(np.abs(expected).max(), 1e-30)


def _count(cell):
    return sum(parameter.size for parameter in cell.get_parameters() if "moving" not in parameter.name)


def test_published_parameter_counts():
    """MMDetection's 61.18 M for faster_rcnn_r2_101_fpn leaves out the frozen stem and stage."""
    with nn.utils.no_init_parameters():
        network, deeper = _full("res2net_50"), Res2Net(RES2NET_LAYERS["res2net_101"], norm=NormSettings(FROZEN))
    parts = [_count(part) for part in (network.backbone, network.neck, network.rpn, network.rcnn)]
    assert parts == [23_669_352, 3_344_384, 593_935, 14_306_705]
    assert _count(network) == 41_914_376
    assert sum(parameter.size for parameter in network.trainable_params()) == 41_671_552
    for size, giga in (((800, 1280), 200.30), ((768, 1280), 192.29)):  # of PyTorch's layers
        found = count_parts(network, size, STRIDES, 1000)
        assert [part.name for part in found] == ["backbone", "neck", "rpn", "rcnn"]
        assert [part.weights for part in found] == parts
        assert round(sum(part.multiply_adds for part in found[:3]) / 1e9, 2) == giga
        assert round(found[3].multiply_adds / 1e9, 2) == 14.30
    network.backbone = deeper
    deeper.update_parameters_name("backbone.", recurse=True)
    found = count_parts(network, (800, 1280), STRIDES, 1000)
    assert round(sum(part.multiply_adds for part in found[:3]) / 1e9, 2) == 278.10


@pytest.mark.parametrize(
    ("name", "weights", "trainable"), [("res2net_101", 43_176_920, 42_934_096), ("res2net_152", 59_245_480, 59_002_656)]
)
def test_parameter_counts_of_the_deeper_backbones(name, weights, trainable):
    """With the 18,245,024 of neck, RPN and head, 101 has 61,421,944, of which 61,179,120 train.

    152's figure is PyTorch's formulation counted, and 77,490,504 with neck, RPN and head.
    """
    backbone = Res2Net(RES2NET_LAYERS[name], norm=NormSettings(FROZEN))
    assert _count(backbone) == weights
    assert sum(parameter.size for parameter in backbone.trainable_params()) == trainable


def test_pytorch_formulation_has_the_counts_of_152():
    torch = pytest.importorskip("torch")
    from faster_rcnn.tests.torch_reference import ReferenceNetwork

    with torch.device("meta"):
        reference = ReferenceNetwork(RES2NET_LAYERS["res2net_152"])
    assert sum(value.numel() for value in reference.parameters()) == 77_490_504


@pytest.mark.parametrize("stage1_pool", [False, True])
@pytest.mark.parametrize("statistics", ["frozen", "trained"])
def test_outputs_gradients_and_statistics_equal_pytorch(statistics, stage1_pool):
    torch = pytest.importorskip("torch")
    reference = _reference(stage1_pool).train(statistics == "trained")
    network = _tiny(statistics, frozen_stages=0, stage1_pool=stage1_pool).set_train()
    _copy(reference, network)
    images, pooled = _inputs()
    torch_images = torch.tensor(images).double().requires_grad_()
    features = reference.backbone(torch_images)
    pyramid = reference.neck(features)
    expected = [
        *features,
        *pyramid,
        *reference.rpn_head(pyramid),
        *reference.roi_head.bbox_head(torch.tensor(pooled).double()),
    ]
    generator = np.random.default_rng(6)
    weights = [generator.standard_normal(tuple(part.shape)).astype(np.float32) for part in expected]
    sum((part * torch.tensor(weight)).sum() for part, weight in zip(expected, weights, strict=True)).backward()

    run = WithGradients(network, [ms.Tensor(weight) for weight in weights])
    outputs, image_gradient, gradients = run(ms.Tensor(images), ms.Tensor(pooled))
    for value, part in zip(outputs, expected, strict=True):
        assert _relative(value.asnumpy(), part.detach().numpy()) < 1e-4
    assert _relative(image_gradient.asnumpy(), torch_images.grad.numpy()) < 1e-3
    wanted = dict(reference.named_parameters())
    assert len(gradients) == len(wanted)
    for parameter, gradient in zip(network.trainable_params(), gradients, strict=True):
        name = mmdetection_name(parameter.name)
        assert _relative(gradient.asnumpy(), wanted[name].grad.numpy()) < 1e-3, parameter.name
    moved = reference.state_dict()
    for parameter in network.get_parameters():
        if "moving" in parameter.name:  # not at all where they are frozen
            statistic = moved[mmdetection_name(parameter.name)].numpy()
            assert _relative(parameter.asnumpy(), statistic) < 1e-4, parameter.name


def test_standard_operators_image_by_image_give_the_same_as_a_batch():
    """In evaluation, where a norm that was trained takes the moving statistics."""
    with stock_operators():
        stock = _tiny().set_train(False)
    network = _tiny("trained").set_train(False)
    generator = np.random.default_rng(7)
    for parameter, other in zip(network.get_parameters(), stock.get_parameters(), strict=True):
        assert parameter.name == other.name
        if "norm" in parameter.name:
            other.set_data(ms.Tensor(generator.uniform(0.5, 1.5, other.shape).astype(np.float32)))
        parameter.set_data(other)
    images, pooled = _inputs(64, 32)
    both = network(ms.Tensor(images), ms.Tensor(pooled))
    single = [stock(ms.Tensor(images[index : index + 1]), ms.Tensor(pooled)) for index in range(2)]
    for part, value in enumerate(both):
        of_pooled = part >= len(both) - 2
        expected = single[0][part].asnumpy() if of_pooled else np.concatenate([o[part].asnumpy() for o in single])
        assert _relative(value.asnumpy(), expected) < 1e-5


FROZEN_PREFIXES = (
    "backbone.stem.",
    "backbone.stages.0.",
    "backbone.stages.1.",
    "backbone.stages.2.",
    "backbone.stages.3.",
)


@pytest.mark.parametrize("frozen_stages", range(5))
def test_weights_of_frozen_stages_are_not_trained(frozen_stages):
    frozen = FROZEN_PREFIXES[: frozen_stages + 1] if frozen_stages else ()
    network = _tiny(frozen_stages=frozen_stages)
    trained = {parameter.name for parameter in network.trainable_params()}
    for parameter in network.get_parameters():
        if "moving" not in parameter.name:
            assert (parameter.name in trained) == (not parameter.name.startswith(frozen)), parameter.name


def test_nothing_flows_back_into_frozen_stages_and_their_statistics_stay():
    network = _tiny("trained", frozen_stages=2).set_train()
    before = {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}
    images, pooled = map(ms.Tensor, _inputs(64, 64))
    run = WithGradients(network, [1.0] * 13)
    _, image_gradient, gradients = run(images, pooled)
    assert not image_gradient.asnumpy().any()
    assert len(gradients) == len(network.trainable_params())
    for parameter in network.get_parameters():
        moves = "moving" in parameter.name and not parameter.name.startswith(FROZEN_PREFIXES[:3])
        assert np.array_equal(before[parameter.name], parameter.asnumpy()) != moves, parameter.name


def test_first_weights():
    """He: deviation sqrt(2 / (outputs * 9)); Xavier: at most sqrt(6 / (inputs + outputs)), of places each."""
    ms.set_seed(1)
    network = Dense(Res2Net((1, 1, 1, 1), norm=NormSettings(FROZEN), frozen_stages=0), 256, 64, 7, 80)
    values = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    for name, deviation in (
        ("backbone.stages.3.0.splits.1.conv.weight", (2 / (208 * 9)) ** 0.5),
        ("backbone.stages.2.0.reduce.conv.weight", (2 / 416) ** 0.5),
        ("rpn.conv.weight", 0.01),
        ("rpn.regress.weight", 0.01),
        ("rcnn.classify.weight", 0.01),
        ("rcnn.regress.weight", 0.001),
    ):
        assert values[name].std() == pytest.approx(deviation, rel=0.05), name
    for name, bound in (
        ("neck.laterals.3.weight", (6 / (2048 + 256)) ** 0.5),
        ("neck.outputs.0.weight", (6 / (512 * 9)) ** 0.5),
        ("rcnn.shared.0.weight", (6 / (256 * 49 + 64)) ** 0.5),
    ):
        assert 0.99 * bound < np.abs(values[name]).max() <= bound * (1 + 1e-6), name
    for name, value in values.items():
        if name.endswith(("bias", "beta", "moving_mean")):
            assert not value.any(), name
        if name.endswith("gamma"):
            assert (value == (0 if "expand" in name else 1)).all(), name
