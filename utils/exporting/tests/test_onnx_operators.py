"""The stand-ins for ONNX give what the operators give that they stand for."""

import math

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.gelu import Gelu
from utils.cpu_kernels.resize import ResizeBilinear
from utils.exporting.description import TensorDescription
from utils.exporting.export import export_network
from utils.exporting.onnx_operators import GeluWithoutErf, ResizeByMatrices, interpolation_matrix, replace_for_onnx


class Small(nn.Cell):
    def __init__(self):
        super().__init__()
        self.blocks = nn.CellList([Gelu(), Gelu()])
        self.resize = ResizeBilinear()

    def construct(self, images):
        for block in self.blocks:
            images = block(images)
        return self.resize(images, (9, 20))


def test_gelu_is_x_times_the_normal_distribution():
    """Against math.erf in double precision; MindSpore's own operator is off by 4e-7 at most."""
    x = np.linspace(-12, 12, 4801).astype(np.float32)
    expected = [0.5 * value * (1 + math.erf(value / math.sqrt(2))) for value in x.astype(np.float64).tolist()]
    found = GeluWithoutErf()(ms.Tensor(x)).asnumpy()
    np.testing.assert_allclose(found, expected, rtol=3e-7, atol=6e-7)
    assert GeluWithoutErf()(ms.Tensor([0.0, 1e4, -1e4], ms.float32)).asnumpy().tolist() == [0.0, 1e4, 0.0]


def test_interpolation_by_hand():
    """From 2 values to 4: centres -0.25 (clipped to 0), 0.25, 0.75, 1.25 (clipped to 1)."""
    wanted = [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]
    np.testing.assert_array_equal(interpolation_matrix(2, 4), np.asarray(wanted, np.float32))
    np.testing.assert_array_equal(interpolation_matrix(1, 3), np.ones((3, 1), np.float32))
    np.testing.assert_array_equal(interpolation_matrix(5, 5), np.eye(5, dtype=np.float32))


@pytest.mark.parametrize("size", [(20, 28), (3, 4), (13, 7), (5, 7)])
def test_resizing_is_the_operators(size):
    images = np.random.default_rng(0).normal(size=(2, 3, 5, 7)).astype(np.float32)
    expected = ms.ops.ResizeBilinearV2(align_corners=False, half_pixel_centers=True)(ms.Tensor(images), size)
    found = ResizeByMatrices()(ms.Tensor(images), size)
    np.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), atol=3e-6)


def test_a_network_is_exported_with_stand_ins_and_compared_with_the_original(tmp_path):
    pytest.importorskip("onnxruntime")
    original, portable = Small(), Small()
    replace_for_onnx(portable)
    assert [type(cell) for cell in portable.blocks] == [GeluWithoutErf, GeluWithoutErf]
    images = (TensorDescription("images", "float32", (2, 3, 5, 7)),)
    model = export_network(portable, images, tmp_path / "net", "ONNX", output_names=("images",), reference=original)
    assert 0 < model.difference < 1e-5
    assert model.outputs[0].shape == (2, 3, 9, 20)
