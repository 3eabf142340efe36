"""Nms, by kernel and by MindSpore's operator, against a greedy loop in NumPy."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.choice import stock_operators
from utils.cpu_kernels.nms import Nms


def greedy(boxes, is_valid, threshold):
    """Keeps, from the first to the last, each valid box that overlaps no kept one by more than the threshold."""
    kept = np.zeros(len(boxes), bool)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    for index in np.flatnonzero(is_valid):
        sides = np.minimum(boxes[index, 2:], boxes[kept, 2:]) - np.maximum(boxes[index, :2], boxes[kept, :2])
        overlap = np.prod(np.maximum(sides, 0), axis=1)
        with np.errstate(invalid="ignore"):
            kept[index] = not (overlap / (areas[index] + areas[kept] - overlap) > threshold).any()
    return kept


def random_boxes(rows, count, extent):
    generator = np.random.default_rng(count)
    corners = generator.integers(0, extent, (rows, count, 2, 2))  # whole pixels: areas are exact in float32
    return np.concatenate([corners.min(2), corners.max(2) + 1], axis=2).astype(np.float32)


def run(choice, boxes, is_valid, threshold):
    with choice():
        cell = Nms(threshold)
    return cell(ms.Tensor(np.asarray(boxes, np.float32)), ms.Tensor(np.asarray(is_valid, bool))).asnumpy()


@pytest.mark.parametrize(
    ("rows", "count", "extent", "threshold"),
    [(1, 1, 5, 0.5), (3, 17, 6, 0.5), (2, 300, 40, 0.7), (4, 100, 10, 0.3), (1, 2000, 300, 0.7)],
)
def test_what_is_kept_is_what_a_greedy_loop_keeps(choice, rows, count, extent, threshold):
    boxes = random_boxes(rows, count, extent)
    is_valid = np.random.default_rng(1).uniform(size=(rows, count)) < 0.8
    kept = run(choice, boxes, is_valid, threshold)
    assert kept.dtype == bool
    for own, row, flags in zip(kept, boxes, is_valid, strict=True):
        assert np.array_equal(own, greedy(row, flags, threshold))


def test_an_overlap_of_just_the_threshold_is_kept(choice):
    """Half of the first box is an IoU of 0.5; 51 of 100 pixels are more."""
    boxes = [[[0, 0, 10, 10], [0, 0, 10, 5], [0, 4.9, 10, 10]]]
    assert run(choice, boxes, [[True] * 3], 0.5).tolist() == [[True, True, False]]


def test_of_equal_boxes_the_first_is_kept(choice):
    assert run(choice, [[[3, 4, 9, 8]] * 5], [[True] * 5], 0.5).tolist() == [[True, False, False, False, False]]


def test_invalid_boxes_are_not_kept_and_drop_none(choice):
    boxes = [[[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 8]]]
    assert run(choice, boxes, [[False, True, True]], 0.5).tolist() == [[False, True, False]]
    assert not run(choice, boxes, [[False] * 3], 0.5).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_whatever_stands_in_an_invalid_slot_has_no_effect(choice, value):
    boxes = [[[value] * 4, [0, 0, 10, 9], [value] * 4, [20, 0, 30, 8]]]
    assert run(choice, boxes, [[False, True, False, True]], 0.5).tolist() == [[False, True, False, True]]


def test_a_box_without_area_overlaps_nothing(choice):
    boxes = [[[0, 0, 10, 10], [5, 5, 5, 5], [5, 5, 5, 5], [5, 0, 5, 10]]]
    assert run(choice, boxes, [[True] * 4], 0.1).all()


def test_a_dropped_box_drops_no_other(choice):
    """The second overlaps the first, the third only the second."""
    boxes = [[[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]]]
    assert run(choice, boxes, [[True] * 3], 0.3).tolist() == [[True, False, True]]


def test_rows_have_nothing_to_do_with_each_other(choice):
    boxes = random_boxes(3, 50, 12)
    is_valid = np.ones((3, 50), bool)
    whole = run(choice, boxes, is_valid, 0.4)
    with choice():
        cell = Nms(0.4)
    for row in range(3):
        assert np.array_equal(cell(ms.Tensor(boxes[row : row + 1]), ms.Tensor(is_valid[:1])).asnumpy()[0], whole[row])


def test_repetition_keeps_the_same(choice):
    boxes, is_valid = ms.Tensor(random_boxes(2, 500, 60)), ms.Tensor(np.ones((2, 500), bool))
    with choice():
        cell = Nms(0.7)
    first = cell(boxes, is_valid).asnumpy()
    assert all(np.array_equal(cell(boxes, is_valid).asnumpy(), first) for _ in range(5))


def test_the_stock_version_goes_into_mindir_and_onnx(tmp_path):
    boxes, is_valid = random_boxes(2, 60, 15), np.random.default_rng(3).uniform(size=(2, 60)) < 0.9
    with stock_operators():
        cell = Nms(0.5)
    cell.set_train(False)
    tensors = ms.Tensor(boxes), ms.Tensor(is_valid)
    expected = cell(*tensors).asnumpy()
    ms.export(cell, *tensors, file_name=str(tmp_path / "nms"), file_format="MINDIR")
    assert np.array_equal(nn.GraphCell(ms.load(str(tmp_path / "nms.mindir")))(*tensors).asnumpy(), expected)
    onnxruntime = pytest.importorskip("onnxruntime")
    ms.export(cell, *tensors, file_name=str(tmp_path / "nms"), file_format="ONNX")
    session = onnxruntime.InferenceSession(str(tmp_path / "nms.onnx"))
    inputs = dict(zip([item.name for item in session.get_inputs()], (boxes, is_valid), strict=True))
    assert np.array_equal(session.run(None, inputs)[0].astype(bool), expected)
