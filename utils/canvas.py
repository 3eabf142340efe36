"""How large a network sees a picture where its canvas follows the picture: MMDetection's and MMSegmentation's rules."""

from dataclasses import dataclass

Size = tuple[int, int]  # (height, width) in pixels


@dataclass(frozen=True)
class CanvasRule:
    """Scales a picture within two sides, whichever way up it is, and rounds up to multiples of a divisor.

    Attributes:
        sides: longest long side and longest short side in pixels, as MMDetection's `scale` names them.
        divisor: both sides of a canvas are multiples of it.
    """

    sides: tuple[int, int]
    divisor: int = 1

    def resized_size(self, size: Size) -> Size:
        """Returns the (height, width) to which a picture of `size` is scaled, its ratio of sides kept."""
        # Inside the function: the import costs seconds where torch is installed, and --help has to answer at once.
        from mmcv.image import rescale_size

        height, width = size
        width, height = rescale_size((width, height), self.sides)
        return max(1, height), max(1, width)

    def canvas_size(self, size: Size) -> Size:
        """Returns the (height, width) of the canvas that a picture of `size` comes to lie on."""
        height, width = (-(-side // self.divisor) * self.divisor for side in self.resized_size(size))
        return height, width
