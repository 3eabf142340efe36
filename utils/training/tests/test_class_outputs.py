"""Outputs of classes are taken over by name; the arrays are small enough to be read."""

import logging

import numpy as np
import pytest

from utils.training.checkpoints.class_outputs import ClassOutputs, take_classes

NEW = -1.0  # what the network begins with


def take(stored, shape, outputs, stored_names, names):
    initial = {"layer.bias": np.full(shape, NEW, np.float32)}
    return take_classes({"layer.bias": np.float32(stored)}, initial, [outputs], stored_names, names)["layer.bias"]


def test_anchors_times_classes_with_unused_outputs():
    """Two anchors with the classes a, b, c and one unused output each; the network has c, new, a and two unused."""
    stored = [1, 2, 3, 9, 11, 12, 13, 19]
    found = take(stored, 10, ClassOutputs("layer.", groups=2, extra=2), "abc", ["c", "new", "a"])
    np.testing.assert_array_equal(found, [3, NEW, 1, 9, NEW, 13, NEW, 11, 19, NEW])


def test_classes_and_background():
    """Background, the last output, stays the last one."""
    found = take([1, 2, 9], 4, ClassOutputs("layer.", extra=1), "ab", "bca")
    np.testing.assert_array_equal(found, [2, NEW, 1, 9])


def test_four_deltas_for_each_class():
    stored = np.arange(8)
    found = take(stored, 12, ClassOutputs("layer.", values=4), "ab", "cba")
    np.testing.assert_array_equal(found, [NEW] * 4 + [4, 5, 6, 7] + [0, 1, 2, 3])


def test_weights_of_a_layer_go_with_its_biases():
    """float32[classes, channels, 1, 1]: whole rows move."""
    stored = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1)
    initial = np.full((3, 3, 1, 1), NEW, np.float32)
    found = take_classes({"layer.weight": stored}, {"layer.weight": initial}, [ClassOutputs("layer.")], "ab", "bxa")
    assert found["layer.weight"].reshape(3, 3).tolist() == [[3, 4, 5], [NEW] * 3, [0, 1, 2]]
    assert initial.max() == NEW


@pytest.mark.parametrize(("stored_names", "names"), [("", "ab"), ("ab", "ab")])
def test_without_other_names_nothing_is_touched(stored_names, names):
    stored = {"layer.bias": np.float32([1, 2]), "other": np.float32([3])}
    initial = {"layer.bias": np.float32([0, 0])}
    found = take_classes(stored, initial, [ClassOutputs("layer.")], stored_names, names)
    assert all(found[name] is values for name, values in stored.items())


def test_weights_that_are_not_of_the_named_classes_are_left_to_be_refused():
    for stored, outputs in (([1, 2, 3], ClassOutputs("layer.", groups=2)), ([1], ClassOutputs("layer."))):
        np.testing.assert_array_equal(take(stored, 4, outputs, "ab", "ba"), stored)


def test_one_line_says_what_is_taken_over(caplog):
    caplog.set_level(logging.INFO)
    take([1, 2], 3, ClassOutputs("layer."), ["cat", "dog"], ["dog", "cow", "hen"])
    assert caplog.messages == ["the outputs of 1 of 3 classes are taken over by name: dog; these begin anew: cow, hen"]
