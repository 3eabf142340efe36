"""The network: published sizes, initial weights, stochastic depth and dropout by hand, shapes and batches."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from segformer.src.layers import NORM_EPS
from segformer.src.mix_transformer import Block, EfficientAttention, MixTransformer
from segformer.src.segformer import Segformer, SegformerInference, SegformerTraining, count_network
from segformer.src.segformer_head import SegformerHead
from segformer.src.variants import MIT_VARIANTS, drop_path_rates

COUNTS = {
    "mit_b0": (3_319_392, 3_719_027),
    "mit_b1": (13_151_424, 13_682_131),
    "mit_b2": (24_196_288, 27_361_235),
    "mit_b3": (44_072_128, 47_237_075),
    "mit_b4": (60_842_688, 64_007_635),
    "mit_b5": (81_443_008, 84_607_955),
}
PICTURES = ((1024, 1024), (1024, 2048))
MULTIPLY_ADDS = {  # in units of 10^9, for pictures of these sizes
    "mit_b0": [43.84, 120.96],
    "mit_b1": [86.28, 239.13],
    "mit_b2": [289.47, 703.49],
    "mit_b3": [380.13, 949.23],
    "mit_b4": [477.55, 1226.75],
    "mit_b5": [561.05, 1446.37],
}
WIDTHS, DEPTHS, CHANNELS, CLASSES = (4, 6, 10, 16), (1, 2, 1, 1), 12, 5


@pytest.fixture(autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)


def _random(network, seed=0):
    """Makes every weight and statistic random, so that no branch is multiplied away."""
    generator = np.random.default_rng(seed)
    for parameter in network.get_parameters():
        if parameter.ndim > 1:
            value = generator.standard_normal(parameter.shape) / np.sqrt(np.prod(parameter.shape[1:]))
        elif parameter.name.endswith(("gamma", "moving_variance")):
            value = generator.uniform(0.7, 1.4, parameter.shape)
        else:
            value = generator.standard_normal(parameter.shape) * 0.1
        parameter.set_data(ms.Tensor(value.astype(np.float32)))
    return network


def _tiny():
    network = Segformer(MixTransformer(WIDTHS, DEPTHS), SegformerHead(WIDTHS, CHANNELS, CLASSES))
    return _random(network).set_train(False)


def _images(batch, height, width):
    return ms.Tensor(np.random.default_rng(1).standard_normal((batch, 3, height, width)).astype(np.float32))


def parameter_count(cell):
    """Number of weights that training changes; moving statistics of batch norm are not counted."""
    return sum(parameter.size for parameter in cell.trainable_params())


def giga(parts):
    return round(sum(part.multiply_adds for part in parts) / 1e9, 2)


@pytest.mark.parametrize("backbone", COUNTS)
def test_published_parameter_counts(backbone):
    """Of the encoder, and of the whole network for 19 classes; and multiply-adds, as PyTorch's layers were counted."""
    size = MIT_VARIANTS[backbone]
    with nn.utils.no_init_parameters():
        network = Segformer(
            MixTransformer(size.widths, size.depths), SegformerHead(size.widths, size.decoder_channels, 19)
        )
    assert (parameter_count(network.backbone), parameter_count(network)) == COUNTS[backbone]
    found = [count_network(network, size_of_picture, size.widths, size.depths) for size_of_picture in PICTURES]
    assert [[part.name for part in parts] for parts in found] == [["backbone", "head"]] * 2
    assert [sum(part.weights for part in parts) for parts in found] == [COUNTS[backbone][1]] * 2
    assert [giga(parts) for parts in found] == MULTIPLY_ADDS[backbone]


def test_a_head_of_512_channels_on_mit_b1_has_the_count_of_the_page():
    """14,737,107 weights, times weights and two moments of 4 bytes, is its checkpoint of 176,884,411 bytes."""
    widths = MIT_VARIANTS["mit_b1"].widths
    head = SegformerHead(widths, 512, 19)
    assert COUNTS["mit_b1"][0] + parameter_count(head) == 14_737_107


def test_initial_weights_are_those_of_the_paper():
    size = MIT_VARIANTS["mit_b0"]
    cells = (MixTransformer(size.widths, size.depths), SegformerHead(size.widths, size.decoder_channels, 19))
    weights = {parameter.name: parameter.asnumpy() for cell in cells for parameter in cell.get_parameters()}
    for name, value in weights.items():
        if name.endswith(("bias", "beta", "moving_mean")):
            assert not value.any(), name
        elif name.endswith(("gamma", "moving_variance")):
            assert (value == 1).all(), name
    for name in (
        "stages.3.blocks.0.attention.query.weight",
        "stages.3.blocks.1.mlp.expand.weight",
        "projections.3.weight",
        "classifier.weight",
    ):
        assert weights[name].std() == pytest.approx(0.02, rel=0.05), name
    # sqrt(2 / fan-out): 3 * 3 * 256 outputs; 3 * 3 for each channel of a depthwise convolution; 256
    assert weights["stages.3.patch_embed.conv.weight"].std() == pytest.approx(np.sqrt(2 / (9 * 256)), rel=0.02)
    assert weights["stages.3.blocks.0.mlp.position.weight"].std() == pytest.approx(np.sqrt(2 / 9), rel=0.05)
    assert weights["fuse.weight"].std() == pytest.approx(np.sqrt(2 / 256), rel=0.02)


def test_drop_path_rates_rise_evenly_over_all_blocks():
    np.testing.assert_allclose(drop_path_rates(0.1, 5), [0, 0.025, 0.05, 0.075, 0.1], atol=1e-7)
    assert drop_path_rates(0.1, 1).tolist() == [0]


@pytest.mark.parametrize(("height", "width"), [(64, 96), (75, 101), (29, 33)])
def test_any_size_gives_logits_at_a_quarter_rounded_up(height, width):
    network = _tiny()
    images = _images(1, height, width)
    logits = network(images)
    assert logits.shape == (1, CLASSES, -(-height // 4), -(-width // 4))
    enlarged = SegformerInference(network)(images)
    assert enlarged.shape == (1, CLASSES, height, width)
    assert np.isfinite(enlarged.asnumpy()).all()


def test_features_have_strides_4_8_16_and_32():
    features = _random(MixTransformer(WIDTHS, DEPTHS))(_images(1, 75, 101))
    assert [feature.shape for feature in features] == [(1, 4, 19, 26), (1, 6, 10, 13), (1, 10, 5, 7), (1, 16, 3, 4)]


def test_batch_of_two_equals_two_batches_of_one():
    network, images = _tiny(), _images(2, 64, 64)
    both = network(images).asnumpy()
    single = [network(images[index : index + 1]).asnumpy() for index in range(2)]
    np.testing.assert_allclose(both, np.concatenate(single), rtol=1e-4, atol=1e-5)


def test_path_scale_multiplies_each_branch_of_each_item():
    """y = x + a * attention(norm(x)); y + b * mlp(norm(y)), with a and b of columns 2 and 3 for block 1."""
    block = _random(Block(8, 1, 2, index=1))
    generator = np.random.default_rng(2)
    tokens = ms.Tensor(generator.standard_normal((2, 16, 8)).astype(np.float32))
    scale = np.array([[9, 9, 0, 1.25, 9], [9, 9, 2, 0, 9]], np.float32)
    result = block(tokens, (4, 4), ms.Tensor(scale)).asnumpy()
    for item in range(2):
        x = tokens[item : item + 1]
        y = x + float(scale[item, 2]) * block.attention(block.attention_norm(x), (4, 4))
        expected = y + float(scale[item, 3]) * block.mlp(block.mlp_norm(y), (4, 4))
        np.testing.assert_allclose(result[item : item + 1], expected.asnumpy(), rtol=1e-4, atol=1e-5)


def test_path_scale_of_one_and_channel_scale_of_one_are_inference():
    network, images = _tiny(), _images(2, 64, 64)
    ones = ms.Tensor(np.ones((2, 2 * sum(DEPTHS)), np.float32)), ms.Tensor(np.ones((2, CHANNELS), np.float32))
    np.testing.assert_allclose(network(images, *ones).asnumpy(), network(images).asnumpy(), rtol=1e-4, atol=1e-5)


def test_with_all_paths_dropped_only_patch_embeddings_and_norms_are_left():
    backbone, images = _random(MixTransformer(WIDTHS, DEPTHS)), _images(1, 64, 64)
    features = backbone(images, ms.Tensor(np.zeros((1, 2 * sum(DEPTHS)), np.float32)))
    feature = images
    for stage, result in zip(backbone.stages, features, strict=True):
        tokens, (height, width) = stage.patch_embed(feature)
        feature = stage.norm(tokens).transpose(0, 2, 1).reshape(1, -1, height, width)
        np.testing.assert_allclose(result.asnumpy(), feature.asnumpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("has_frozen_statistics", [False, True])
def test_head_equals_the_figure_and_channel_scale_acts_before_the_classifier(has_frozen_statistics):
    """Project, enlarge, concatenate from the smallest, fuse, norm, ReLU, scale, classify: in NumPy.

    Frozen statistics are the moving ones, in training too, and stay as they are.
    """
    head = _random(SegformerHead(WIDTHS, CHANNELS, CLASSES, has_frozen_statistics)).set_train(has_frozen_statistics)
    weights = {parameter.name: parameter.asnumpy().copy() for parameter in head.get_parameters()}
    generator = np.random.default_rng(4)
    sizes = ((8, 12), (4, 6), (2, 3), (1, 2))
    features = [
        generator.standard_normal((2, width, *size)).astype(np.float32)
        for width, size in zip(WIDTHS, sizes, strict=True)
    ]
    scale = generator.choice([0, 1 / 0.9], (2, CHANNELS)).astype(np.float32)
    levels = []
    for level, feature in enumerate(features):
        projected = np.einsum("oc,nchw->nohw", weights[f"projections.{level}.weight"], feature)
        projected += weights[f"projections.{level}.bias"][:, None, None]
        levels.append(_enlarged(projected, sizes[0]))
    fused = np.einsum("oc,nchw->nohw", weights["fuse.weight"][:, :, 0, 0], np.concatenate(levels[::-1], axis=1))
    mean, variance, gamma, beta = (
        weights[f"norm.{name}"][:, None, None] for name in ("moving_mean", "moving_variance", "gamma", "beta")
    )
    fused = np.maximum((fused - mean) / np.sqrt(variance + NORM_EPS) * gamma + beta, 0) * scale[:, :, None, None]
    expected = np.einsum("oc,nchw->nohw", weights["classifier.weight"][:, :, 0, 0], fused)
    expected += weights["classifier.bias"][:, None, None]
    result = head(tuple(map(ms.Tensor, features)), ms.Tensor(scale)).asnumpy()
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4)
    for parameter in head.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), weights[parameter.name])


def _enlarged(feature, size):
    """Bilinear interpolation with half-pixel centres, one axis after the other."""
    for axis, length in zip((2, 3), size, strict=True):
        here = feature.shape[axis]
        place = np.clip((np.arange(length) + 0.5) * here / length - 0.5, 0, here - 1)
        low = np.floor(place).astype(int)
        share = (place - low).reshape([-1 if index == axis else 1 for index in range(4)])
        high = np.minimum(low + 1, here - 1)
        feature = feature.take(low, axis) * (1 - share) + feature.take(high, axis) * share
    return feature


def test_heads_must_divide_channels():
    with pytest.raises(ValueError, match="10.*multiple.*4"):
        EfficientAttention(10, 4, 1)


class _MeanLoss(nn.Cell):
    loss_names = ("loss",)

    def construct(self, logits, labels):
        return ((logits * ops.expand_dims(labels[:, ::4, ::4].astype(ms.float32), 1)).mean(),)


def test_training_cell_gives_the_loss_and_keeps_parameter_names():
    network = _tiny()
    training = SegformerTraining(network, _MeanLoss())
    images, labels = _images(1, 32, 32), ms.Tensor(np.full((1, 32, 32), 2, np.int32))
    scales = ms.Tensor(np.ones((1, 2 * sum(DEPTHS)), np.float32)), ms.Tensor(np.ones((1, CHANNELS), np.float32))
    loss = training(images, labels, *scales)[0]
    assert float(loss) == pytest.approx(2 * float(network(images).mean()), rel=1e-4)
    undropped = SegformerTraining(network, _MeanLoss(), drops_paths=False, drops_channels=False)
    assert float(undropped(images, labels, *(0 * scale for scale in scales))[0]) == pytest.approx(float(loss), rel=1e-5)
    assert training.loss_names == ("loss",)
    names = [parameter.name for parameter in training.trainable_params()]
    assert names == [parameter.name for parameter in network.trainable_params()]
    assert "backbone.stages.0.blocks.0.attention.reduction_norm.gamma" in names
    assert "head.projections.0.weight" in names
