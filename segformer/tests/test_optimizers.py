"""Which parameters decay and at which rate they learn, and one step worked by hand."""

import mindspore as ms
import numpy as np
import pytest

from segformer.src.mix_transformer import MixTransformer
from segformer.src.optimizers import build_optimizer, is_undecayed
from segformer.src.segformer import Segformer
from segformer.src.segformer_head import SegformerHead
from utils.model_utils.errors import BadValueError

WIDTHS = (4, 8, 10, 16)


@pytest.fixture(scope="module")
def network():
    return Segformer(MixTransformer(WIDTHS, (1, 1, 1, 1)), SegformerHead(WIDTHS, 8, 3))


def values_of(optimizer, values):
    return {parameter.name: value for parameter, value in zip(optimizer.parameters, values, strict=True)}


def test_norms_biases_and_position_convolutions_do_not_decay(network):
    optimizer = build_optimizer("adamw", network, weight_decay=0.01, no_decay_norm_bias=True)
    undecayed = {name for name, decay in values_of(optimizer, optimizer.decays).items() if decay == 0}
    block = "backbone.stages.1.blocks.0"
    assert {
        f"{block}.mlp.position.weight",
        f"{block}.mlp.position.bias",
        f"{block}.attention_norm.gamma",
        f"{block}.attention.query.bias",
        "backbone.stages.2.patch_embed.norm.beta",
        "head.norm.gamma",
        "head.classifier.bias",
    } <= undecayed
    decayed = {parameter.name for parameter in optimizer.parameters} - undecayed
    assert {
        f"{block}.mlp.expand.weight",
        f"{block}.attention.query.weight",
        f"{block}.attention.reduction.weight",
        "backbone.stages.0.patch_embed.conv.weight",
        "head.projections.0.weight",
        "head.classifier.weight",
    } <= decayed
    # four position convolutions, one in each block, have more than one dimension and do not decay
    assert sum(name.endswith(".mlp.position.weight") for name in undecayed) == 4
    assert {parameter.ndim for parameter in optimizer.parameters if parameter.name in decayed} <= {2, 4}


def test_without_the_papers_rule_everything_decays(network):
    optimizer = build_optimizer("adamw", network, weight_decay=0.01)
    assert set(optimizer.decays) == {0.01}
    assert set(optimizer.scales) == {1.0}


def test_the_head_learns_ten_times_as_fast(network):
    optimizer = build_optimizer("adamw", network, weight_decay=0.01, head_lr_factor=10)
    for name, scale in values_of(optimizer, optimizer.scales).items():
        assert scale == (10.0 if name.startswith("head.") else 1.0), name


def test_moving_statistics_are_not_optimized(network):
    names = values_of(build_optimizer("sgd", network, weight_decay=0.0), network.trainable_params())
    assert not [name for name in names if "moving" in name]
    assert is_undecayed("x.mlp.position.weight", 4)
    assert not is_undecayed("x.mlp.expand.weight", 2)


def test_the_first_step_of_adamw_moves_every_weight_by_the_rate():
    # Bias-corrected moments of the first step are g and g^2: the step is rate * g / |g|, the decay
    # rate * decay * weight.
    network = Segformer(MixTransformer(WIDTHS, (1, 1, 1, 1)), SegformerHead(WIDTHS, 8, 3))
    optimizer = build_optimizer("adamw", network, weight_decay=0.5, head_lr_factor=10, no_decay_norm_bias=True)
    before = {parameter.name: parameter.asnumpy().copy() for parameter in optimizer.parameters}
    optimizer.learning_rate.set_data(ms.Tensor(0.01, ms.float32))
    gradients = tuple(ms.Tensor(np.full(parameter.shape, 3.0), ms.float32) for parameter in optimizer.parameters)
    optimizer(gradients, ms.Tensor(1.0, ms.float32), ms.Tensor(True))
    after = {parameter.name: parameter.asnumpy() for parameter in optimizer.parameters}
    for name, factor, step in (
        ("backbone.stages.0.blocks.0.mlp.expand.weight", 1 - 0.01 * 0.5, 0.01),
        ("backbone.stages.0.blocks.0.mlp.position.weight", 1.0, 0.01),
        ("head.classifier.weight", 1 - 0.1 * 0.5, 0.1),
    ):
        np.testing.assert_allclose(after[name], before[name] * factor - step, atol=1e-6, err_msg=name)


def test_an_unknown_name_is_refused(network):
    with pytest.raises(BadValueError, match="optimizer 'lamb' is unknown; use sgd or adamw"):
        build_optimizer("lamb", network, weight_decay=0.0)
