"""Whole training steps in bfloat16: their graphs, as far as a CPU makes them, and what is said where one is started."""

import mindspore as ms
import numpy as np
import pytest

from tests.suites import FASTER_RCNN, NAS_FPN, SEGFORMER, Suite, for_suites
from utils.cpu_kernels.choice import stock_operators
from utils.training.tests.mindir_types import operators_of

LOW = ("Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput", "MatMul", "BatchMatMul")
# Norms and what their statistics are, what the optimizers do, and the norm of the gradients.
HIGH = ("BatchNorm", "BatchNormGrad", "LayerNorm", "LayerNormGrad", "Adam", "ApplyMomentum", "Assign", "L2Loss")
ORDER = ("UpdateState", "MakeTuple", "Depend", "Return")  # what only says what comes first, or puts things side by side


def inputs_of(suite: Suite, config) -> list[np.ndarray]:
    """Returns a batch of one image without a content, in the order of the arguments of the network with its loss."""
    if suite is SEGFORMER:
        blocks = sum(config.backbone_depths)
        scales = [np.ones((1, 2 * blocks), np.float32), np.ones((1, config.decoder_channels), np.float32)]
        return [np.zeros((1, 3, 64, 64), np.float32), np.zeros((1, 64, 64), np.int32), *scales]
    anchors = len(suite.part("build").build_anchors(config))
    if suite is NAS_FPN:
        images = np.zeros((1, 3, *config.img_shape), np.float32)
        return [images, np.zeros((1, anchors), np.int32), np.zeros((1, anchors, 4), np.float32)]
    boxes, drawn = config.num_gts, config.num_expected_neg
    return [
        np.zeros((1, 3, config.img_height, config.img_width), np.float32),
        np.float32([[config.img_height, config.img_width]]),
        np.zeros((1, boxes, 4), np.float32),
        np.zeros((1, boxes), np.int32),
        np.zeros((1, boxes), bool),
        np.zeros((1, drawn), np.int32),
        np.zeros((1, drawn), np.int32),
        np.zeros((1, drawn, 4), np.float32),
        np.zeros((1, config.rpn_proposal_max_num + boxes), np.float32),
    ]


@pytest.mark.long_run
@for_suites
def test_only_the_networks_products_are_computed_in_bfloat16(suite, tmp_path):
    config, build = suite.load(*getattr(suite.tiny, "TINY_TRAINING", ())), suite.part("build")
    classes = () if suite is SEGFORMER else (3,)
    with stock_operators():
        network = build.build_network(config, *classes)
        step = build.build_train_step(config, network, *classes, "bf16")
    assert not step.loss_scaler.dynamic
    batch = [ms.Tensor(1.0, ms.float32), *map(ms.Tensor, inputs_of(suite, config))]
    found = operators_of(step._step.set_train(True), *batch, folder=tmp_path)
    assert {each.gives for each in found if each.name in LOW} == {frozenset({"bfloat16"})}
    assert {each.takes for each in found if each.name in HIGH} == {frozenset({"float32"})}
    assert [each for each in found if len(each.takes) > 1 and each.name not in ORDER] == []
    assert found[-1].gives == {"float32"}  # the losses, the norm of the gradients
    assert all(parameter.dtype == ms.float32 for parameter in step._step.get_parameters())


@pytest.mark.end_to_end
@pytest.mark.parametrize("suite", [FASTER_RCNN], ids=str)
def test_a_cpu_refuses_bfloat16_before_it_reads_data(suite, tmp_path):
    arguments = ("--amp_level=bf16", "--device_target=CPU", f"--{suite.data}={tmp_path}", "--run_dir=run")
    sentence = suite.refusal("train.py", *suite.tiny.TINY_NETWORK, *arguments, cwd=tmp_path)
    assert "amp_level is bf16 and the device CPU, for which MindSpore has no convolution in bfloat16" in sentence
    assert not (tmp_path / "run").exists()
