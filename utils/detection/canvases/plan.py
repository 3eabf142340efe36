"""Which pictures go through the network together: those of one canvas, the canvas with most pictures first."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.canvas import Size
from utils.words import counted, first_of

MAX_SHOWN = 8  # canvases in a line of the log

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CanvasBatch:
    """Pictures that go through the network together.

    Attributes:
        canvas: (height, width) of the network's input in pixels.
        members: positions of the pictures, at least one.
        size: images in the batch, fillers included.
    """

    canvas: Size
    members: tuple[int, ...]
    size: int

    def fill(self, planes: Sequence[np.ndarray]) -> np.ndarray:
        """Puts inputs float32[3, H, W] together, float32[size, 3, H, W]; the last one fills what is left."""
        return np.stack([*planes, *[planes[-1]] * (self.size - len(planes))])


def plan_batches(canvases: Sequence[Size], batch_size: int) -> tuple[CanvasBatch, ...]:
    """Groups pictures by canvas, the largest group first, within a group in their order.

    All batches of a canvas have one size, so that it is compiled once: `batch_size`, or the number of its pictures
    where that is smaller.

    Args:
        canvases: (height, width) of the canvas of each picture.
        batch_size: most images of a batch.
    """
    groups: dict[Size, list[int]] = defaultdict(list)
    for position, canvas in enumerate(canvases):
        groups[canvas].append(position)
    batches: list[CanvasBatch] = []
    for canvas, members in sorted(groups.items(), key=lambda group: -len(group[1])):  # stable: ties as they come
        size = min(batch_size, len(members))
        batches += [
            CanvasBatch(canvas, tuple(members[start : start + size]), size) for start in range(0, len(members), size)
        ]
    return tuple(batches)


def log_canvases(batches: Sequence[CanvasBatch], limit: int) -> None:
    """Says how many canvases there are and what is on them.

    Args:
        batches: from `plan_batches`.
        limit: canvases that are held at once; with 1 each goes when the next comes, and that is not said.
    """
    counts: dict[Size, int] = defaultdict(int)
    for batch in batches:
        counts[batch.canvas] += len(batch.members)
    shown = [f"{height}x{width} ({count})" for (height, width), count in counts.items()]
    freed = f", at most {limit} of them held at once (max_canvases)" if len(counts) > limit > 1 else ""
    logger.info(
        "%s on %s, height x width (pictures): %s; the network is compiled for each%s",
        counted(sum(counts.values()), "picture"),
        counted(len(counts), "canvas"),
        first_of(shown, MAX_SHOWN),
        freed,
    )
