"""The table of a converter: copies, folded biases, what is dropped, and what does not fit."""

import numpy as np
import pytest

from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.weight_conversion import (
    WeightSource,
    batch_norm_sources,
    convert_weights,
    convolution_sources,
    format_conversion,
)

SOURCES = {
    "net.conv.weight": WeightSource(("a.conv.weight", "b.conv.weight")),
    **batch_norm_sources("net.norm", "a.bn", folded_bias="a.conv.bias"),
}
SHAPES = {
    "net.conv.weight": (2, 1),
    **{f"net.norm.{part}": (2,) for part in ("gamma", "beta", "moving_mean", "moving_variance")},
}
FILE = {
    "a.conv.weight": np.float16([[1], [2]]),
    "b.conv.weight": np.float16([[1], [2]]),
    "a.conv.bias": np.float32([3, 4]),
    "a.bn.weight": np.float32([5, 6]),
    "a.bn.bias": np.float32([7, 8]),
    "a.bn.running_mean": np.float32([1, 10]),
    "a.bn.running_var": np.float32([11, 12]),
    "a.bn.num_batches_tracked": np.int64(9),
}
DROPPED = {r".*\.num_batches_tracked": "counters"}


def convert(**changes):
    arrays = {name: array for name, array in {**FILE, **changes}.items() if array is not None}
    return convert_weights(arrays, SOURCES, SHAPES, DROPPED, file="x.pth", advice="look again")


def test_every_parameter_is_filled_and_the_bias_goes_into_the_mean():
    """Means 1, 10 less biases 3, 4 are -2, 6; the norm of (x + bias) with the old mean is that of x with the new."""
    result = convert()
    expected = {
        "conv.weight": [[1], [2]],
        "norm.gamma": [5, 6],
        "norm.beta": [7, 8],
        "norm.moving_mean": [-2, 6],
        "norm.moving_variance": [11, 12],
    }
    assert {name: array.tolist() for name, array in result.arrays.items()} == {
        f"net.{name}": values for name, values in expected.items()
    }
    assert {array.dtype.name for array in result.arrays.values()} == {"float32"}
    assert (result.num_copies, result.num_folded, result.dropped) == (1, 1, {"counters": 1})


def test_bias_and_copy_may_be_absent():
    result = convert(**{"a.conv.bias": None, "a.conv.weight": None})
    assert result.arrays["net.norm.moving_mean"].tolist() == [1, 10]
    assert (result.num_copies, result.num_folded) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"a.bn.bias": None}, "1 tensor missing (a.bn.bias)"),
        ({"c": np.zeros(2)}, "1 tensor left over (c)"),
        ({"a.conv.bias": np.zeros(3)}, "1 tensor of another shape (a.conv.bias (3,) instead of (2,))"),
        (
            {"b.conv.weight": np.zeros((2, 1))},
            "1 tensor different from the copy that they share their weights with (b.conv.weight)",
        ),
        ({f"c{index}": np.zeros(2) for index in range(5)}, "5 tensors left over (c0; c1; c2; and 2 more)"),
    ],
)
def test_what_does_not_fit_is_named_and_counted(changes, phrase):
    with pytest.raises(BadValueError) as caught:
        convert(**changes)
    assert str(caught.value) == f"'x.pth' does not fit the network: {phrase}; look again"


def test_the_report_adds_up():
    lines = format_conversion(convert(), ["and so on"]).splitlines()
    assert lines[0].split() == ["group", "tensors", "values"]
    assert [line.split() for line in lines[1:4]] == [
        ["net.conv", "1", "2"],
        ["net.norm", "4", "8"],
        ["in", "all", "5", "10"],
    ]
    assert lines[4].startswith("folded: 1 convolution biases")
    assert lines[5:] == ["merged: 1 copy of shared weights, all equal", "dropped: 1 tensor: counters", "and so on"]


def test_convolution_sources_with_and_without_bias():
    assert set(convolution_sources("x", "y")) == {"x.weight"}
    assert convolution_sources("x", "y", has_bias=True)["x.bias"] == WeightSource(("y.bias",))
