"""RGB colours as one number each, which sorts and looks up like any number."""

import numpy as np


def colour_numbers(colours: np.ndarray) -> np.ndarray:
    """Returns uint32[...], red * 65536 + green * 256 + blue, of uint8[..., 3], or of int[..., 3] from 0 to 255."""
    red, green, blue = np.moveaxis(colours.astype(np.uint32), -1, 0)
    return (red << 16) | (green << 8) | blue


def colour_of_number(number: int) -> tuple[int, int, int]:
    """Returns the RGB colour of such a number."""
    return number >> 16, number >> 8 & 255, number & 255
