"""Reads numbers of texts as other programs do."""

import math

MOST_DIGITS = 18  # of a whole number: 64 bits hold them all, and Python's int() refuses texts of more than 4300


def number_of(text: str) -> float:
    """Returns the number that a text is.

    Raises:
        ValueError: it is none.
    """
    if not has_plain_digits(text):
        raise ValueError(text)
    return float(text)


def number_or_nan(text: str) -> float:
    """Returns the number that a text is, NaN where it is none, which is within no bounds."""
    try:
        return number_of(text)
    except ValueError:
        return math.nan


def is_whole_number(text: str) -> bool:
    """Whether a text is a whole number from 0 on, written in digits, that 64 bits hold."""
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS


def has_plain_digits(text: str) -> bool:
    """Whether a text may be a number elsewhere too: Python takes 1_0 for 10, and the digits of other scripts."""
    return text.isascii() and "_" not in text
