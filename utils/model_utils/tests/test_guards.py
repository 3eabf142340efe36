"""Values in sentences are cut, JSON of others is a value or one kind of error, names and numbers are looked at."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from utils.model_utils.errors import short
from utils.model_utils.guards.json_text import STRICTLY, JsonTextError, as_kind, parse_json
from utils.model_utils.guards.numbers import is_whole_number, number_of
from utils.model_utils.guards.path_names import path_fault


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "'x'"),
        ("x" * 58, "'" + "x" * 58 + "'"),
        ("x" * 59, "'" + "x" * 56 + "..."),
        (10**59 - 1, "9" * 59),
        (10**60, "1" + "0" * 56 + "..."),
        pytest.param(10**5000, "a whole number of about 5001 digits", id="long"),
        ([0] * 1000, "[" + "0, " * 18 + "0,..."),
        (["\ud800\n"], "['\\ud800\\n']"),
        (None, "None"),
    ],
)
def test_a_value_is_shown_in_at_most_60_letters(value, text):
    assert short(value) == text
    assert len(text) <= 60


def test_a_value_that_repeats_itself_is_shown_at_once():
    """Nine lists of nine of the one before: 9^9 values that take ten lists in memory."""
    value = [0] * 9
    for _ in range(8):
        value = [value] * 9
    assert short(value).startswith("[[[[")
    assert len(short(value)) == 60


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "Expecting property name"),
        (b"\xff\xff", "is not UTF-8 text"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 4301, "a number of thousands of digits"),
        ("", "Expecting value"),
    ],
)
def test_what_is_no_json_is_one_kind_of_error(text, sentence):
    with pytest.raises(JsonTextError, match=sentence):
        parse_json(text)


def test_json_at_the_limit_is_read():
    assert parse_json("9" * 4300) == 10**4300 - 1


def test_a_wrong_field_is_named_and_shown_cut():
    with pytest.raises(JsonTextError, match=r"^sizes.1 is 'x{56}\.\.\.: input should be a valid integer"):
        as_kind([1, "x" * 70], tuple[int, ...], "sizes")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a/b.jpg", ""),
        ("n" * 255 + "/b", ""),
        ("n" * 256 + "/b", "has a name of 256 bytes, at most 255 are possible"),
        ("ü" * 128, "has a name of 256 bytes, at most 255 are possible"),
        ("a/" * 2047 + "b", ""),
        ("a/" * 2048, "has 4096 bytes, at most 4095 are possible"),
        ("a\0b", "has a NUL character"),
        ("a\ud800", "has half of a surrogate pair, which no name can hold"),
        ("a\udcff", ""),  # a byte of a name that is no UTF-8
    ],
)
def test_what_can_be_no_path_is_said(text, fault):
    assert path_fault(text) == fault


@pytest.mark.parametrize("text", ["1_0", "１０", "٣", "", "x", "0x1"])
def test_digits_that_only_python_takes_are_no_number(text):
    with pytest.raises(ValueError):
        number_of(text)


@pytest.mark.parametrize(("text", "expected"), [("0", True), ("9" * 18, True), ("9" * 19, False), ("9" * 5000, False)])
def test_whole_numbers_have_as_many_digits_as_64_bits_hold(text, expected):
    assert is_whole_number(text) is expected


@pytest.mark.parametrize("text", ["1_0", "１０", "٣", "", "-1", "1.0"])
def test_what_is_not_written_in_digits_is_no_whole_number(text):
    assert not is_whole_number(text)


@dataclass
class Named:
    __pydantic_config__: ClassVar = STRICTLY
    name: str


def test_a_long_name_of_a_field_is_cut():
    with pytest.raises(JsonTextError, match=r"^'k{56}\.\.\. is 1: unexpected keyword argument$"):
        as_kind({"name": "a", "k" * 5000: 1}, Named)


def test_numbers_are_numbers():
    assert [number_of(text) for text in ("10", "-1.5", "+2e3", ".5")] == [10, -1.5, 2000, 0.5]
