"""The largest picture that this process decodes: a file of a few kilobytes can stand for gigabytes of pixels."""

import functools
from dataclasses import dataclass

from utils.model_utils.errors import BadValueError

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
            f"{name} has {width} x {height} pixels, at most {_limit().pixels / 10**6:g} million are decoded; cut it "
            "into tiles or scale it down, or raise --max_image_megapixels where there is memory for it"
        )
