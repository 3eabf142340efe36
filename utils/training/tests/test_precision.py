"""Precision of a network, layer by layer; nothing is run, as a CPU has no operators of bfloat16."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.choice import stock_operators
from utils.cpu_kernels.layer_norm import LayerNorm
from utils.training.step.precision import apply_amp
from utils.training.tests.mindir_types import operators_of


class Layers(nn.Cell):
    """A convolution and both norms."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), LayerNorm(8, 1e-5)

    def construct(self, images):
        return self.last(self.norm(self.conv(images)))


@pytest.mark.parametrize(("level", "low"), [("O2", "float16"), ("bf16", "bfloat16")])
def test_convolutions_are_computed_in_16_bits_and_norms_in_32(level, low, tmp_path):
    with stock_operators():
        network = apply_amp(Layers(), level).set_train(True)
    found = operators_of(network, ms.Tensor(np.zeros((1, 3, 8, 8), np.float32)), folder=tmp_path)
    assert {each.takes for each in found if each.name == "Conv2D"} == {frozenset({low})}
    assert {each.name: each.takes for each in found if each.name.endswith("Norm")} == {
        "BatchNorm": frozenset({"float32"}),
        "LayerNorm": frozenset({"float32"}),
    }
    assert all(parameter.dtype == ms.float32 for parameter in network.get_parameters())
    assert found[-1].gives == {"float32"}
