"""At what sizes training and evaluation show the network its pictures, and what is said of it."""

import logging
from collections.abc import Sequence
from pathlib import Path

from utils.canvas import Size, follows_pictures, log_fixed_on_ascend

from ..config import SegformerConfig
from ..dataset import usual_size
from ..picture_scale import PictureScale, format_difference
from ..results.canvases import Canvas, FixedCanvas, PictureCanvas

logger = logging.getLogger(__name__)
SIZE_DIVISOR = 32  # of the sides of pictures where nothing else is said: the stride of the coarsest features


def build_canvas(config: SegformerConfig) -> Canvas:
    """Returns what evaluation and inference do to the size of pictures; windows keep it where no key says another."""
    if follows_pictures(config):
        sides = None if config.eval_mode == "slide" else (max(config.base_size), min(config.base_size))
        sides = config.canvas_sides or sides
        return PictureCanvas(sides, config.size_divisor or SIZE_DIVISOR, config.canvas_keep_ratio is not False)
    return FixedCanvas(None if config.eval_mode == "slide" else config.base_size)


def scale_in_training(config: SegformerConfig) -> PictureScale:
    """Returns at what sizes training shows the network its pictures."""
    return PictureScale(FixedCanvas(config.base_size), config.scale_range)


def scale_in_evaluation(config: SegformerConfig) -> PictureScale:
    """Returns at what sizes evaluation does."""
    return PictureScale(build_canvas(config), (min(config.eval_scales), max(config.eval_scales)))


def log_scales(
    config: SegformerConfig, images: Sequence[Path], command: str, trained: PictureScale | None = None
) -> None:
    """Says at what size the network sees most images; warns where that does not fit what it was trained with.

    Args:
        config: the configuration.
        images: that it sees.
        command: what it sees them for: "training", "evaluation" or "inference".
        trained: the scale in training, where it is known.
    """
    log_scale_of(config, *usual_size(images), command, trained)


def log_scale_of(
    config: SegformerConfig, size: Size, num_sizes: int, command: str, trained: PictureScale | None = None
) -> None:
    """Says what `log_scales` does, of pictures or frames most of which have a (height, width)."""
    scale = scale_in_training(config) if command == "training" else scale_in_evaluation(config)
    logger.info("%s: %s", command, scale.describe(size, num_sizes))
    log_fixed_on_ascend(config, config.base_size)
    idle = config.format_idle_keys()
    if idle and command != "training":
        logger.warning("%s", idle)
    difference = format_difference(size, scale, trained, command) if trained else ""
    if difference:
        logger.warning("%s", difference)
