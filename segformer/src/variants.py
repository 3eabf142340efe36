"""The numbers of the Mix Transformers (Xie et al. 2021, table 6), a value for each of the four stages; no MindSpore."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NUM_STAGES = 4
ATTENTION_HEADS = (1, 2, 5, 8)
REDUCTIONS = (8, 4, 2, 1)  # of the sides of keys and values
MLP_RATIO = 4  # hidden channels of a block for one of its own, in every stage
PATCH_KERNELS = (7, 3, 3, 3)
PATCH_STRIDES = (4, 2, 2, 2)
MMSEGMENTATION_CHANNELS = 256  # of its head, with every encoder


@dataclass(frozen=True)
class MitVariant:
    """One published size.

    Attributes:
        widths: channels of the four stages.
        depths: blocks of the four stages.
        decoder_channels: width of the head that the paper gives to it.
    """

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    decoder_channels: int


_WIDE = (64, 128, 320, 512)

MIT_VARIANTS = {
    "mit_b0": MitVariant((32, 64, 160, 256), (2, 2, 2, 2), 256),
    "mit_b1": MitVariant(_WIDE, (2, 2, 2, 2), 256),
    "mit_b2": MitVariant(_WIDE, (3, 4, 6, 3), 768),
    "mit_b3": MitVariant(_WIDE, (3, 4, 18, 3), 768),
    "mit_b4": MitVariant(_WIDE, (3, 8, 27, 3), 768),
    "mit_b5": MitVariant(_WIDE, (3, 6, 40, 3), 768),
}


def drop_path_rates(last_rate: float, num_blocks: int) -> "np.ndarray":
    """Returns float32[num_blocks]: the probability that a block's branch is dropped, from 0 to `last_rate`."""
    import numpy as np  # --help does without it

    return np.linspace(0.0, last_rate, num_blocks, dtype=np.float32)
