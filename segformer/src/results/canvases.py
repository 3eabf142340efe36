"""From the size of a picture to that of the network's input: one canvas for all, or one that follows the picture.

No MindSpore here, and none of mmcv before it is needed.
"""

from dataclasses import dataclass

import numpy as np

from utils.canvas import CanvasRule, rounded_up
from utils.pixels import size_of

from ..base_dataset import fitted_size
from .planes import Size, resize

MIN_SIDE = 32  # below that, the coarsest features of the encoder have no pixel left


@dataclass(frozen=True)
class FixedCanvas:
    """Pictures are fitted into a size, their ratio of sides kept, and padded to it.

    Attributes:
        base_size: height and width; exchanged for a picture that stands upright where these lie, or the reverse. None
            takes pictures as large as they are.
    """

    base_size: Size | None = None

    def view_size(self, size: Size, scale: float = 1.0) -> Size:
        """Returns the (height, width) at which the network sees a picture of `size`, without padding."""
        return fitted_size(size, self.base_size or size, scale)

    def input_size(self, size: Size, scale: float = 1.0) -> Size:
        """Returns the (height, width) of the network's input for a picture of `size`."""
        padded = _times(turned_like(self.base_size or size, size), scale)
        return _at_least(self.view_size(size, scale), _at_least((MIN_SIDE, MIN_SIDE), padded))

    def view(self, image: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Returns a picture uint8[H, W, 3] as the network sees it, without padding."""
        return resize(image, self.view_size(size_of(image), scale))

    def window_size(self, crop: Size, _size: Size) -> Size:
        """Returns the input's (height, width) for a window of `crop`, or for the smaller picture that it covers."""
        return crop

    def describe(self) -> str:
        """Returns e.g. " in 512x1024", behind what is shown to the network."""
        return f" in {text_of(self.base_size)}" if self.base_size else ""

    def done_to(self, scale: float) -> str:
        """Returns what is done to pictures, e.g. "fitted into 512x1024 (0.71)"."""
        return f"fitted into {text_of(self.base_size)} ({scale:.2g})" if self.base_size else "taken as they are"


@dataclass(frozen=True)
class UnturnedCanvas(FixedCanvas):
    """Pictures are fitted into a size that stays as it is for upright ones: all that an exported file takes."""

    def view_size(self, size: Size, _scale: float = 1.0) -> Size:
        """Returns the (height, width) at which the network sees a picture of `size`, without padding."""
        scale = min(side / own for side, own in zip(self.base_size or size, size, strict=True))
        return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))

    def input_size(self, size: Size, _scale: float = 1.0) -> Size:
        """Returns the (height, width) of the network's input."""
        return self.base_size or size


@dataclass(frozen=True)
class PictureCanvas:
    """Pictures are scaled within two sides, whichever way up they are, and never padded.

    Sides that are no multiples of the divisor are rounded up by resizing once more, as MMSegmentation's pipeline does
    (Resize, then ResizeToMultiple).

    Attributes:
        sides: longest long side and longest short side; None takes pictures as large as they are.
        divisor: both sides become multiples of it; 1 takes them as they are.
        keeps_ratio: False gives every picture exactly these sides, as transformers' image processor does.
    """

    sides: tuple[int, int] | None
    divisor: int = 32
    keeps_ratio: bool = True

    def view_size(self, size: Size, scale: float = 1.0) -> Size:
        """Returns the (height, width) at which the network sees a picture of `size`: its input."""
        resized = self._resized_size(size, scale)
        return _at_least((MIN_SIDE, MIN_SIDE), rounded_up(resized, self.divisor))

    def input_size(self, size: Size, scale: float = 1.0) -> Size:
        """Returns `view_size`: nothing is padded."""
        return self.view_size(size, scale)

    def view(self, image: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Returns a picture uint8[H, W, 3] as the network sees it."""
        size = size_of(image)
        return resize(resize(image, self._resized_size(size, scale)), self.view_size(size, scale))

    def window_size(self, crop: Size, size: Size) -> Size:
        """Returns the input's (height, width) for a window of `crop`, or for the smaller picture that it covers."""
        return min(crop[0], size[0]), min(crop[1], size[1])

    def describe(self) -> str:
        """Returns e.g. " within 2048x512, rounded up to multiples of 32", behind what is shown to the network."""
        if self.sides is None:
            return f" as it is{self._rounding()}"
        return f" {'within' if self.keeps_ratio else 'stretched to'} {text_of(self.sides)}{self._rounding()}"

    def done_to(self, scale: float) -> str:
        """Returns what is done to pictures, e.g. "scaled within 2048x512 (0.71), rounded up to multiples of 32"."""
        if self.sides is None:
            return f"taken as they are{self._rounding()}"
        how = "scaled within" if self.keeps_ratio else "stretched to"
        return f"{how} {text_of(self.sides)} ({scale:.2g}){self._rounding()}"

    def _rounding(self) -> str:
        return f", rounded up to multiples of {self.divisor}" if self.divisor > 1 else ""

    def _resized_size(self, size: Size, scale: float) -> Size:
        if self.sides is None:
            return fitted_size(size, size, scale)
        sides = _times(self.sides, scale)
        if self.keeps_ratio:
            return CanvasRule(sides).resized_size(size)
        return (max(sides), min(sides)) if size[0] > size[1] else (min(sides), max(sides))


Canvas = FixedCanvas | PictureCanvas


def turned_like(base_size: Size, size: Size) -> Size:
    """Returns `base_size`, its sides exchanged where it lies and an image of `size` stands upright, or the reverse."""
    lies, image_lies = base_size[1] > base_size[0], size[1] > size[0]
    stands, image_stands = base_size[1] < base_size[0], size[1] < size[0]
    return base_size[::-1] if (lies and image_stands) or (stands and image_lies) else base_size


def text_of(size: Size) -> str:
    """Returns e.g. "512x1024"."""
    return f"{size[0]}x{size[1]}"


def _times(size: Size, factor: float) -> Size:
    return int(size[0] * factor), int(size[1] * factor)


def _at_least(least: Size, size: Size) -> Size:
    return max(least[0], size[0]), max(least[1], size[1])
