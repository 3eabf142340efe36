"""Operators that MindSpore cannot write as ONNX, put together from ones that it can."""

import math

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from utils.cpu_kernels.gelu import Gelu
from utils.cpu_kernels.resize import ResizeBilinear

# Abramowitz and Stegun, 7.1.26, for x >= 0 and to 1.5e-7:
# 1 - erf(x) = (a1 t + ... + a5 t^5) exp(-x^2) with t = 1 / (1 + p x).
TAIL_SCALE = 0.3275911 / math.sqrt(2)  # p, for x / sqrt(2)
TAIL_COEFFICIENTS = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


class GeluWithoutErf(nn.Cell):
    """Exact GELU, x * Phi(x), to 1e-7 of |x|; ONNX's own Erf is out of MindSpore's reach."""

    def __init__(self) -> None:
        super().__init__()
        self.one = Tensor([1.0], ms.float32)  # 1.0 / x would become an operator that ONNX export lacks, too

    def construct(self, x: Tensor) -> Tensor:
        """float32[...] -> float32[...]: relu(x) less |x| times the normal distribution's tail beyond |x|."""
        size = ops.abs(x)
        t = self.one / (1.0 + TAIL_SCALE * size)
        series = t * 0.0
        for coefficient in TAIL_COEFFICIENTS:
            series = (series + coefficient) * t
        return ops.relu(x) - size * (0.5 * series * ops.exp(-0.5 * x * x))


class ResizeByMatrices(nn.Cell):
    """Bilinear interpolation with half-pixel centres as two matrix products, one for rows and one for columns."""

    def construct(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """float32[N, C, h, w] -> float32[N, C, height, width] for size (height, width)."""
        rows, columns = _interpolation(x.shape[2], size[0], False), _interpolation(x.shape[3], size[1], True)
        return ops.matmul(rows, ops.matmul(x, columns))


@constexpr
def _interpolation(length: int, new_length: int, is_transposed: bool) -> Tensor:
    matrix = interpolation_matrix(length, new_length)
    return Tensor(np.ascontiguousarray(matrix.T if is_transposed else matrix), ms.float32)


def interpolation_matrix(length: int, new_length: int) -> np.ndarray:
    """Returns float32[new_length, length]: the weights of the old values in each new one; rows add up to 1."""
    centres = np.clip((np.arange(new_length) + 0.5) * length / new_length - 0.5, 0, length - 1)
    lower = np.minimum(np.floor(centres).astype(np.int64), max(length - 2, 0))
    share = (centres - lower).astype(np.float32)
    matrix = np.zeros((new_length, length), np.float32)
    places = np.arange(new_length)
    matrix[places, lower] = 1 - share
    matrix[places, np.minimum(lower + 1, length - 1)] += share
    return matrix


def replace_for_onnx(network: nn.Cell) -> None:
    """Replaces, in a network that is to be exported, the Cells whose operators ONNX export lacks."""
    substitutes = {Gelu: GeluWithoutErf, ResizeBilinear: ResizeByMatrices}
    for _, parent in list(network.cells_and_names()):
        for name, child in list(parent.name_cells().items()):
            if type(child) in substitutes:
                setattr(parent, name, substitutes[type(child)]())
