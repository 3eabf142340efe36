"""Which parameters decay and at which rate they learn, and one step worked by hand."""

import mindspore as ms
import numpy as np
import pytest

from segformer.src import build
from segformer.src.config import load

KEYS = ("--backbone_widths=[4,8,10,16]", "--backbone_depths=[1,1,1,1]", "--decoder_channels=8", "--class_num=3")


def optimizer_of(*keys):
    config = load([*KEYS, *keys])
    return build.build_train_step(config, build.build_network(config), "O0").optimizer


@pytest.fixture(scope="module")
def papers():
    return optimizer_of("--no_decay_norm_bias=True", "--head_lr_factor=10", "--weight_decay=0.5")


def test_norms_biases_and_position_convolutions_do_not_decay(papers):
    undecayed = {item.name for item, decay in zip(papers.parameters, papers.decays, strict=True) if decay == 0}
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
    decayed = {parameter.name for parameter in papers.parameters} - undecayed
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
    assert {parameter.ndim for parameter in papers.parameters if parameter.name in decayed} <= {2, 4}


def test_without_the_papers_rules_everything_decays_and_learns_alike():
    optimizer = optimizer_of()
    assert set(optimizer.decays) == {0.01}
    assert set(optimizer.scales) == {1.0}


def test_the_head_learns_ten_times_as_fast(papers):
    for parameter, scale in zip(papers.parameters, papers.scales, strict=True):
        assert scale == (10.0 if parameter.name.startswith("head.") else 1.0), parameter.name


def test_moving_statistics_are_not_optimized(papers):
    assert not [parameter.name for parameter in papers.parameters if "moving" in parameter.name]


def test_the_first_step_of_adamw_moves_every_weight_by_the_rate(papers):
    # Bias-corrected moments of the first step are g and g^2: the step is rate * g / |g|, decay rate * decay * weight.
    before = {parameter.name: parameter.asnumpy().copy() for parameter in papers.parameters}
    papers.learning_rate.set_data(ms.Tensor(0.01, ms.float32))
    gradients = tuple(ms.Tensor(np.full(parameter.shape, 3.0), ms.float32) for parameter in papers.parameters)
    papers(gradients, ms.Tensor(1.0, ms.float32), ms.Tensor(True))
    after = {parameter.name: parameter.asnumpy() for parameter in papers.parameters}
    for name, factor, step in (
        ("backbone.stages.0.blocks.0.mlp.expand.weight", 1 - 0.01 * 0.5, 0.01),
        ("backbone.stages.0.blocks.0.mlp.position.weight", 1.0, 0.01),
        ("head.classifier.weight", 1 - 0.1 * 0.5, 0.1),
    ):
        np.testing.assert_allclose(after[name], before[name] * factor - step, atol=1e-6, err_msg=name)
