"""The largest picture that this process decodes: a file of a few kilobytes can stand for gigabytes of pixels."""

import argparse
import functools
import math
from dataclasses import dataclass

from utils.model_utils.errors import BadValueError, short
from utils.model_utils.guards.numbers import number_or_nan

# A decoded picture takes up to 8 bytes for a pixel: 1 GB. Cameras of today have up to 100 million pixels and a few 200.
DEFAULT_MEGAPIXELS = 120.0


@dataclass
class _Limit:
    pixels: int


@functools.cache
def _limit() -> _Limit:
    return _Limit(int(DEFAULT_MEGAPIXELS * 10**6))


def set_most_megapixels(megapixels: float) -> None:
    """Sets the limit of this process, and of those that it forks: the key max_image_megapixels."""
    _limit().pixels = int(megapixels * 10**6)


def most_megapixels() -> float:
    """Returns the limit of this process, for one that it starts anew."""
    return _limit().pixels / 10**6


def add_limit_argument(parser: argparse.ArgumentParser) -> None:
    """Lets a command without a configuration take the key."""
    parser.add_argument(
        "--max_image_megapixels",
        type=_megapixels,
        default=DEFAULT_MEGAPIXELS,
        help="millions of pixels of the largest image or label that is read (%(default)g)",
    )


def _megapixels(text: str) -> float:
    value = number_or_nan(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{short(text)}, wanted a number above 0")
    return value


def check_pixels(height: int, width: int, name: str) -> None:
    """Refuses a picture by the size that its header says, before it is decoded.

    Args:
        height: rows.
        width: columns.
        name: what the sentence calls the picture, e.g. "image 'a.png'".

    Raises:
        BadValueError: it has more pixels than the limit.
    """
    if height * width > _limit().pixels:
        raise BadValueError(
            f"{name} has {width} x {height} pixels, at most {most_megapixels():g} million are decoded; cut it "
            "into tiles or scale it down, or raise --max_image_megapixels where there is memory for it"
        )
