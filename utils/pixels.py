"""What happens to the values of pixels: colours changed at random, normalisation, padding.

Images are uint8[H, W, 3] RGB. Every draw comes from the generator that is passed in.
"""

from collections.abc import Sequence

import cv2
import numpy as np

BRIGHTNESS_LEVELS = 80.0  # grey levels that a strength of 1 may add or take: SSD's 32 is a strength of 0.4


def size_of(image: np.ndarray) -> tuple[int, int]:
    """Returns the (height, width) of an image [H, W, ...]."""
    return image.shape[0], image.shape[1]


def photometric_distortion(
    image: np.ndarray,
    draws: np.random.Generator,
    *,
    brightness: float = 32.0,
    contrast: tuple[float, float] = (0.5, 1.5),
    saturation: tuple[float, float] = (0.5, 1.5),
    hue: float = 18.0,
) -> np.ndarray:
    """Changes brightness, contrast, saturation and hue, each with probability one half (SSD, section 2.2).

    Args:
        image: uint8[H, W, 3], RGB.
        draws: source of the draws (always the same number of them).
        brightness: largest offset up or down, in 0-255.
        contrast: smallest and largest factor about black.
        saturation: smallest and largest factor.
        hue: largest turn in degrees of 360.

    Returns:
        uint8[H, W, 3]. The steps go through 8-bit tables, so hue and saturation are rounded to 1/256 of their range.
    """
    is_on = draws.uniform(size=4) < 0.5
    offset = draws.uniform(-brightness, brightness) if is_on[0] else _skip(draws)
    gain = draws.uniform(*contrast) if is_on[1] else 1.0 + _skip(draws)
    factor = draws.uniform(*saturation) if is_on[2] else 1.0 + _skip(draws)
    turn = draws.uniform(-hue, hue) if is_on[3] else _skip(draws)
    levels = np.arange(256, dtype=np.float32)
    if offset != 0 or gain != 1:
        image = cv2.LUT(image, _to_levels((levels + offset) * gain))
    if factor == 1 and turn == 0:
        return image
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    turned = np.round(levels + turn * 256 / 360).astype(np.int32) & 255
    tables = np.stack([turned.astype(np.uint8), _to_levels(levels * factor), levels.astype(np.uint8)], axis=-1)
    return cv2.cvtColor(cv2.LUT(hsv, tables[:, None]), cv2.COLOR_HSV2RGB_FULL)


def jitter_colours(
    image: np.ndarray, draws: np.random.Generator, *, brightness: float, contrast: float, saturation: float, hue: float
) -> np.ndarray:
    """Changes colours as `photometric_distortion` does, by strengths of which 0 is no change.

    Args:
        image: uint8[H, W, 3], RGB.
        draws: source of the draws (always the same number of them).
        brightness: share of 80 grey levels; SSD's 32 is a strength of 0.4.
        contrast: largest change of the factor 1.
        saturation: largest change of the factor 1.
        hue: share of the colour circle.

    Returns:
        uint8[H, W, 3].
    """
    return photometric_distortion(
        image,
        draws,
        brightness=brightness * BRIGHTNESS_LEVELS,
        contrast=(1 - contrast, 1 + contrast),
        saturation=(1 - saturation, 1 + saturation),
        hue=hue * 360,
    )


def normalize(
    image: np.ndarray, mean: Sequence[float], std: Sequence[float], out: np.ndarray | None = None
) -> np.ndarray:
    """Returns (image - mean) / std as float32[3, H, W].

    Args:
        image: uint8[H, W, 3], RGB.
        mean: of each channel, RGB, 0-255.
        std: of each channel, RGB, 0-255.
        out: float32[3, H, W] to write to instead of a new array, e.g. a part of a larger one; its rows are contiguous.
    """
    planes = np.empty((3, *image.shape[:2]), np.float32) if out is None else out
    levels = np.arange(256, dtype=np.float64)
    for channel, plane in enumerate(cv2.split(image)):
        # A table of 256 results per channel: exact, and one pass over the pixels.
        table = ((levels - mean[channel]) / std[channel]).astype(np.float32)
        cv2.LUT(plane, table, dst=planes[channel])
    return planes


def to_input(image: np.ndarray, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """Normalises uint8[h, w, 3] RGB to float32[3, *size]; zeros, the mean colour, below and on the right."""
    height, width = image.shape[:2]
    planes = np.empty((3, *size), np.float32)
    planes[:, height:] = 0
    planes[:, :height, width:] = 0
    normalize(image, mean, std, out=planes[:, :height, :width])
    return planes


def _to_levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _skip(draws: np.random.Generator) -> float:
    """Uses up one draw, so that the number of draws does not depend on what was drawn; returns 0."""
    draws.uniform()
    return 0.0
