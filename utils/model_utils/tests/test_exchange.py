"""What workers tell each other comes back the same, and what could hold code is refused."""

import io
import json
import pickle

import numpy as np
import pytest

from utils.model_utils.guards.exchange import decode, encode


def test_values_come_back_bit_for_bit():
    value = {"loss": 0.1, "best": None, "names": ["ä", "\udcff"], "is": True, "large": 2**62, "none": float("nan")}
    again = decode(encode(value))
    assert json.dumps(again) == json.dumps(value)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool"])
def test_arrays_come_back_bit_for_bit(dtype):
    array = np.random.default_rng(0).integers(0, 2, (3, 0, 2) if dtype == "bool" else (3, 4)).astype(dtype)
    again = decode(encode([array, {"deeper": array[:1]}]))
    assert again[0].dtype == array.dtype and again[0].shape == array.shape
    assert again[0].tobytes() == array.tobytes()
    assert again[1]["deeper"].tobytes() == array[:1].tobytes()


def test_a_number_that_is_none_keeps_its_bits():
    array = np.float32([np.nan, np.inf, -0.0, 1e-45])
    assert decode(encode(array)).tobytes() == array.tobytes()


def test_numbers_of_numpy_become_plain_and_tuples_lists():
    assert decode(encode((np.int64(3), np.float32(0.5)))) == [3, 0.5]


@pytest.mark.parametrize("value", [b"b", {1, 2}, np.array(["text"]), np.array([None], object), object(), [{1: "a"}]])
def test_what_is_no_value_of_json_is_refused_where_it_is_sent(value):
    with pytest.raises(TypeError, match="exchange values of JSON"):
        encode(value)


def test_an_object_in_the_place_of_an_array_is_not_opened():
    """As a stranger on the port might send it; this one holds nothing but a list."""
    buffer = io.BytesIO()
    np.savez(buffer, text=np.array([[1, 2]], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        decode(buffer.getvalue())
    with pytest.raises(ValueError, match="pickled"):
        decode(pickle.dumps([1, 2]))
