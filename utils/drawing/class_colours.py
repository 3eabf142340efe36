"""A colour for each class of any data set: told apart on photographs, and always the same for the same number."""

import colorsys

import numpy as np

# By hue and lightness; class k has entry k. Later classes turn the hue by the golden ratio.
PALETTE = (
    (230, 57, 70), (29, 132, 232), (255, 183, 3), (22, 160, 105), (155, 81, 224), (255, 112, 32), (0, 178, 202),
    (222, 49, 143), (120, 170, 20), (94, 96, 206), (166, 98, 55), (0, 128, 128),
)  # fmt: skip
GOLDEN_RATIO = 0.618034  # of the circle of hues: any number of steps leaves them spread
LIGHTNESS, SATURATION = (0.3, 0.72, 0.5), (0.55, 0.9, 0.75)  # of neighbours in number, which may share a hue

Color = tuple[int, int, int]


def distinct_color(number: int) -> Color:
    """Returns the colour of a class number, RGB 0-255."""
    if 0 <= number < len(PALETTE):
        return PALETTE[number]
    kind = number % len(LIGHTNESS)
    red, green, blue = colorsys.hls_to_rgb((number * GOLDEN_RATIO) % 1.0, LIGHTNESS[kind], SATURATION[kind])
    return round(red * 255), round(green * 255), round(blue * 255)


def distinct_colors(count: int) -> np.ndarray:
    """Returns uint8[count, 3], the colours of the class numbers below `count`."""
    return np.array([distinct_color(number) for number in range(count)], np.uint8).reshape(count, 3)
