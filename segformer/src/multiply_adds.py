"""Where the weights of the network are applied, by which its multiply-adds are counted."""

from utils.canvas import Size
from utils.training.summary.model_summary import Applied, Part, area, count_parts

from .segformer import Segformer
from .variants import NUM_STAGES, REDUCTIONS

STAGE_STRIDES = (4, 8, 16, 32)


def count(network: Segformer, size: Size, widths: tuple[int, ...], depths: tuple[int, ...]) -> tuple[Part, ...]:
    """Counts encoder and head, as published.

    The paper's head fuses its levels at a quarter of the picture's size. Here each is fused at its own size, to the
    same result in fewer multiply-adds, see `FusingHead`; the count stays comparable with that of others.

    Args:
        network: the network.
        size: (height, width) of a picture.
        widths: channels of the encoder's stages.
        depths: their blocks.
    """
    tokens = [area(size, stride) for stride in STAGE_STRIDES]
    keys = [area(size, stride * by) for stride, by in zip(STAGE_STRIDES, REDUCTIONS, strict=True)]
    stages = []
    for stage in range(NUM_STAGES):
        attention = rf"backbone\.stages\.{stage}\.blocks\.\d+\.attention\."
        stages.append(Applied(rf"{attention}(key|value|reduction)\.", keys[stage]))
        stages.append(Applied(rf"backbone\.stages\.{stage}\.", tokens[stage]))
    levels = [Applied(rf"head\.projections\.{level}\.", tokens[level]) for level in range(NUM_STAGES)]
    # queries with keys, and their weights with values
    products = sum(
        2 * depth * width * own * other for depth, width, own, other in zip(depths, widths, tokens, keys, strict=True)
    )
    return count_parts(network, (*stages, *levels, Applied(r"head\.", tokens[0])), {"backbone": products})
