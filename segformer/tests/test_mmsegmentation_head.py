"""MMSegmentation's head: its published counts, and output and gradients beside an independent one of PyTorch."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from segformer.src import build
from segformer.src.config import load
from segformer.src.mix_transformer import MixTransformer
from segformer.src.segformer import Segformer, count_network
from segformer.src.segformer_head import MMSegmentationHead
from segformer.src.variants import MIT_VARIANTS, MMSEGMENTATION_CHANNELS
from segformer.src.weight_names import HEAD_NAMINGS
from segformer.tests.tiny_checkpoint import TINY_NETWORK
from utils.exporting.export import export_network
from utils.training.checkpoints.weight_conversion import convert_weights

COUNTS = {"mit_b0": 3_720_051, "mit_b1": 13_683_155, "mit_b2": 24_728_019}
MULTIPLY_ADDS = {"mit_b0": [43.84, 120.96], "mit_b1": [86.28, 239.13], "mit_b2": [147.23, 419.01]}
WIDTHS, CHANNELS, CLASSES = (4, 6, 10, 16), 12, 5
SIZES = ((9, 14), (5, 7), (3, 4), (2, 2))


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize("backbone", COUNTS)
def test_published_parameter_counts(backbone):
    """Of the whole network for 19 classes; and multiply-adds in 10^9, as PyTorch's layers were counted."""
    size = MIT_VARIANTS[backbone]
    with nn.utils.no_init_parameters():
        head = MMSegmentationHead(size.widths, MMSEGMENTATION_CHANNELS, 19)
        network = Segformer(MixTransformer(size.widths, size.depths), head)
    assert sum(parameter.size for parameter in network.trainable_params()) == COUNTS[backbone]
    found = [count_network(network, picture, size.widths, size.depths) for picture in ((1024, 1024), (1024, 2048))]
    giga = [round(sum(part.multiply_adds for part in parts) / 1e9, 2) for parts in found]
    assert giga == MULTIPLY_ADDS[backbone]


def _pair(has_frozen_statistics=False):
    """Returns the head and PyTorch's, with the same random weights; PyTorch's counts as evaluated where frozen."""
    pytest.importorskip("torch")
    from segformer.tests.mmsegmentation_reference import random_head

    expected = random_head(WIDTHS, CHANNELS, CLASSES)
    head = MMSegmentationHead(WIDTHS, CHANNELS, CLASSES, has_frozen_statistics)
    for own, value in _by_own_name(expected.state_dict(), head).items():
        head.parameters_dict()[own].set_data(ms.Tensor(value))
    return head, expected


def _by_own_name(values, head):
    arrays = {f"decode_head.{name}": value.numpy() for name, value in values.items() if value.ndim}
    sources = {own.removeprefix("head."): source for own, source in HEAD_NAMINGS[-1].sources().items()}
    shapes = {parameter.name: parameter.shape for parameter in head.get_parameters()}
    assert set(sources) == set(shapes)
    return convert_weights(arrays, sources, shapes, {}, file="reference", advice="").arrays


def _features(batch=2):
    generator = np.random.default_rng(4)
    return [
        generator.standard_normal((batch, width, *size)).astype(np.float32)
        for width, size in zip(WIDTHS, SIZES, strict=True)
    ]


@pytest.mark.parametrize("manner", ["evaluation", "training", "frozen"])
def test_logits_and_gradients_are_those_of_pytorch(manner):
    """Gradients of the logits' sum with random factors, to every weight and to the four features.

    In training the norms have the statistics of the batch, frozen or in evaluation the moving ones.
    """
    import torch

    head, expected = _pair(manner == "frozen")
    head.set_train(manner != "evaluation")
    expected.train(manner == "training")
    features = _features()
    generator = np.random.default_rng(5)
    scale = generator.choice([0, 1 / 0.9], (2, CHANNELS)).astype(np.float32)
    tensors = [torch.tensor(feature, requires_grad=True) for feature in features]
    wanted = expected(tensors, torch.tensor(scale)[:, :, None, None])
    factors = generator.standard_normal(tuple(wanted.shape)).astype(np.float32)
    (wanted * torch.tensor(factors)).sum().backward()
    parameters = head.trainable_params()
    own_factors, own_scale = ms.Tensor(factors), ms.Tensor(scale)

    def value(*inputs):
        logits = head(inputs, own_scale)
        return (logits * own_factors).sum(), logits

    run = ms.value_and_grad(value, (0, 1, 2, 3), parameters, has_aux=True)
    (_, logits), (to_features, to_weights) = run(*map(ms.Tensor, features))
    np.testing.assert_allclose(logits.asnumpy(), wanted.detach().numpy(), rtol=1e-4, atol=1e-5)
    gradients = {name: weight.grad for name, weight in expected.named_parameters()}
    statistics = {name: value for name, value in expected.state_dict().items() if name not in gradients}
    gradients_by_own_name = _by_own_name(gradients | statistics, head)
    pairs = [(array, tensor.grad.numpy()) for array, tensor in zip(to_features, tensors, strict=True)]
    pairs += [
        (array, gradients_by_own_name[parameter.name]) for array, parameter in zip(to_weights, parameters, strict=True)
    ]
    for array, wanted_gradient in pairs:
        largest = np.abs(wanted_gradient).max()
        np.testing.assert_allclose(array.asnumpy(), wanted_gradient, atol=1e-4 * largest)


def test_batch_of_two_equals_two_batches_of_one():
    head, _ = _pair()
    head.set_train(False)
    features = _features()
    both = head(tuple(map(ms.Tensor, features))).asnumpy()
    single = [head(tuple(ms.Tensor(each[item : item + 1]) for each in features)).asnumpy() for item in range(2)]
    np.testing.assert_allclose(both, np.concatenate(single), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("file_format", ["MINDIR", "ONNX"])
def test_it_is_exported(file_format, tmp_path):
    """The export is compared with the network, of its own C kernels on a CPU, and refused above 1e-4."""
    config = load([*TINY_NETWORK, "--head=mmsegmentation", "--base_size=[64,96]"])
    network = build.build_network(config).set_train(False)
    model = export_network(
        build.build_export(config, network, file_format),
        [build.input_description(config)],
        tmp_path / "net",
        file_format,
        output_names=("logits",),
        reference=build.build_inference(config, network),
    )
    assert model.file.is_file()
