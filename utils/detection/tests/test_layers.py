"""Padded pools by hand; norms that are neither frozen nor trained."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from utils.detection.layers import NormSettings, PaddedPool
from utils.model_utils.errors import BadValueError


@pytest.mark.parametrize("stride", [1, 2])
def test_padded_average_counts_the_zeros(stride):
    """In the corner of a map of ones, four of nine values are ones."""
    result = PaddedPool(nn.AvgPool2d, stride)(ops.ones((1, 1, 4, 4), ms.float32)).asnumpy()[0, 0]
    assert result.shape == (4 // stride, 4 // stride)
    np.testing.assert_allclose(result[0, 0], 4 / 9, rtol=1e-6)
    np.testing.assert_allclose(result[-1, -1], 4 / 9 if stride == 1 else 1, rtol=1e-6)


def test_padded_maximum_by_hand():
    feature = ops.arange(16).astype(ms.float32).reshape(1, 1, 4, 4)
    assert PaddedPool(nn.MaxPool2d, 2)(feature).asnumpy()[0, 0].tolist() == [[5, 7], [13, 15]]


def test_unknown_statistics_are_refused():
    with pytest.raises(BadValueError, match="norm statistics are 'moving', wanted 'frozen' or 'trained'"):
        NormSettings("moving")
