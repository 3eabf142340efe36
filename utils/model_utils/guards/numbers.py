"""Reads numbers of texts as other programs do."""


def number_of(text: str) -> float:
    """Returns the number that a text is.

    Raises:
        ValueError: it is none.
    """
    if not has_plain_digits(text):
        raise ValueError(text)
    return float(text)


def has_plain_digits(text: str) -> bool:
    """Whether a text may be a number elsewhere too: Python takes 1_0 for 10, and the digits of other scripts."""
    return text.isascii() and "_" not in text
