"""How large a network sees a picture where its canvas follows the picture: MMDetection's and MMSegmentation's rules."""

import logging
from dataclasses import dataclass

from utils.model_utils.config.base import COMMAND_LINE
from utils.model_utils.config.schema import CanvasKeys

logger = logging.getLogger(__name__)

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
        return rounded_up(self.resized_size(size), self.divisor)


def rounded_up(size: Size, divisor: int) -> Size:
    """Returns the smallest (height, width) from `size` on whose sides are multiples of a divisor."""
    return -(-size[0] // divisor) * divisor, -(-size[1] // divisor) * divisor


def follows_pictures(config: CanvasKeys) -> bool:
    """Whether the canvas follows the picture: as configured, on Ascend only where the command line asks for it."""
    return config.canvas == "picture" and not _is_too_dear(config)


def log_fixed_on_ascend(config: CanvasKeys, size: Size) -> None:
    """Says that one (height, width) has the place of canvases that would follow the pictures, where it has."""
    if config.canvas == "picture" and _is_too_dear(config):
        logger.info(
            "canvas is fixed here, %d x %d pixels (height x width), since Ascend compiles each size for minutes; "
            "--canvas=picture asks for it nevertheless",
            *size,
        )


def _is_too_dear(config: CanvasKeys) -> bool:
    """Whether the device takes minutes to compile a graph, and the command line does not ask for many nevertheless."""
    # Inside the function: a configuration is built, and --help answers, without MindSpore.
    import mindspore as ms

    return ms.get_context("device_target") == "Ascend" and config.origin("canvas").where != COMMAND_LINE
