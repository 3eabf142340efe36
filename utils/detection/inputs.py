"""From an image to what a detector takes."""

from dataclasses import dataclass

import cv2
import numpy as np

from utils.canvas import CanvasRule, Size
from utils.detection.augment import scaled_size
from utils.pixels import size_of, to_input


@dataclass(frozen=True)
class InputSettings:
    """What the network takes.

    Attributes:
        height: of the input in pixels.
        width: of the input in pixels.
        mean: subtracted from the channels, RGB, 0-255.
        std: divides the channels, RGB, 0-255.
        keep_ratio: scale both sides of an image alike; without it the image is stretched to the whole input.
        rule: chooses the input of each image by its size; None for one height and width.
    """

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    keep_ratio: bool = True
    rule: CanvasRule | None = None

    @property
    def size(self) -> Size:
        """Height and width of the input, where no rule chooses them."""
        return self.height, self.width

    def canvas(self, size: Size) -> Size:
        """Returns height and width of the input of an image of (height, width) `size`."""
        return self.size if self.rule is None else self.rule.canvas_size(size)

    def resized_size(self, size: Size) -> Size:
        """Returns the (height, width) that an image of `size` has within its input."""
        if self.rule is not None:
            return self.rule.resized_size(size)
        return scaled_size(size, self.size, keep_ratio=self.keep_ratio)


def resize_to_input(image: np.ndarray, inputs: InputSettings) -> tuple[np.ndarray, tuple[float, float]]:
    """Scales uint8[H, W, 3] to fit the input.

    Returns:
        uint8[h, w, 3] with h and w at most the input's, and the input pixels for one pixel of the image, vertically and
        horizontally: h / H and w / W, which with `keep_ratio` differ by the rounding of h and w (as MMDetection's
        scale_factor does). So whoever is told image size and scales knows h and w.
    """
    size = inputs.resized_size(size_of(image))
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    return resized, (size[0] / image.shape[0], size[1] / image.shape[1])


def fit_image(image: np.ndarray, inputs: InputSettings) -> tuple[np.ndarray, tuple[float, float]]:
    """Scales uint8[H, W, 3] RGB to fit the input and normalises it.

    Returns:
        float32[3, height, width] of the image's canvas, and the scales as `resize_to_input` gives them.
    """
    resized, scales = resize_to_input(image, inputs)
    return to_input(resized, inputs.canvas(size_of(image)), inputs.mean, inputs.std), scales
