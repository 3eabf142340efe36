"""Rows by an index of each image."""

import mindspore as ms
import numpy as np

from faster_rcnn.src.FasterRcnn.graph_tools import rows_of


def test_every_image_has_its_own_index():
    values = np.arange(2 * 3 * 2).reshape(2, 3, 2).astype(np.float32)
    found = rows_of(ms.Tensor(values), ms.Tensor([[2, 0, 0, 1], [1, 1, 2, 0]], ms.int32)).asnumpy()
    np.testing.assert_array_equal(found[0], [[4, 5], [0, 1], [0, 1], [2, 3]])
    np.testing.assert_array_equal(found[1], [[8, 9], [8, 9], [10, 11], [6, 7]])


def test_one_number_a_row():
    labels = ms.Tensor([[5, 6], [7, 8]], ms.int32)
    assert rows_of(labels, ms.Tensor([[1], [0]], ms.int64)).asnumpy().tolist() == [[6], [7]]
