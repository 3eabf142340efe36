"""The size of a network, counted by hand; the published ones stand in the tests of each suite."""

import pytest
from mindspore import nn
from tiny_training import TinyNetwork

from utils.training.summary.model_summary import Applied, Part, area, count_parts, format_parts


def test_the_tiny_network_by_hand():
    """Kernels 1x4x3x3 on 8x8 pixels: 36 * 64; 12 weights of the head, once; norms and biases multiply nothing."""
    parts = count_parts(TinyNetwork(), [Applied("conv", 64), Applied("head", 1)], {"head": 5})
    assert parts == (Part("conv", 36, 2304), Part("norm", 8, 0), Part("head", 15, 17))


def test_the_first_row_that_fits_counts_and_a_weight_without_one_is_our_fault():
    network = nn.SequentialCell(nn.Dense(2, 3, has_bias=False), nn.Dense(3, 5, has_bias=False))
    assert [part.multiply_adds for part in count_parts(network, [Applied("0", 2), Applied("", 1)])] == [12, 15]
    with pytest.raises(ValueError, match="parameter '1.weight' is applied nowhere"):
        count_parts(network, [Applied("0", 2)])


def test_the_table():
    parts = (Part("backbone", 3_319_392, 1_500_000_000), Part("head", 399_635, 5_000_000))
    assert format_parts(parts, "a 64x128 picture") == [
        "network     weights  multiply-adds of a 64x128 picture",
        "backbone  3,319,392  1.50 G",
        "head        399,635  0.01 G",
        "in all    3,719,027  1.50 G",
    ]  # 1.505, which binary fractions put below
    assert format_parts(parts[1:], "a crop") == [
        "network  weights  multiply-adds of a crop",
        "head     399,635  5.00 M",
        "in all   399,635  5.00 M",
    ]


def test_sides_are_rounded_up():
    assert (area((64, 128), 4), area((25, 40), 2), area((1, 1), 32)) == (512, 13 * 20, 1)
