"""An evaluation split as batches of what a detector takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from utils.detection.canvases.plan import CanvasBatch
from utils.detection.evaluated.images import EvaluationImages
from utils.detection.inputs import InputSettings


@dataclass(frozen=True, eq=False)
class EvaluationBatch:
    """Images of the evaluation split that lie on canvases of one size.

    Attributes:
        positions: of the real images in the annotation file, at most N.
        images: float32[N, 3, H, W]; rows after the last real image repeat it.
        image_ids: the files' own ids of the real images.
        scales: input pixels for one pixel of the original, vertically and horizontally.
        sizes: (height, width) of the originals in pixels.
        encoded: the image files.
    """

    positions: tuple[int, ...]
    images: np.ndarray
    image_ids: tuple[int, ...]
    scales: tuple[tuple[float, float], ...]
    sizes: tuple[tuple[int, int], ...]
    encoded: tuple[bytes, ...]


def evaluation_batches(
    images: EvaluationImages, inputs: InputSettings, batches: Sequence[CanvasBatch], num_loaders: int
) -> Iterator[EvaluationBatch]:
    """Yields batches of a split; one that is not full is filled up, so that its shape is that of the others.

    Args:
        images: of the split.
        inputs: what the network takes.
        batches: which images, by their positions in the annotation file, and in which order.
        num_loaders: threads that prepare images.
    """
    positions = [position for batch in batches for position in batch.members]
    if not positions:
        return
    read = images.read(positions, inputs, num_loaders)
    for batch in batches:
        members = list(islice(read, len(batch.members)))
        yield EvaluationBatch(
            positions=batch.members,
            images=batch.fill([each.planes for each in members]),
            image_ids=tuple(each.image_id for each in members),
            scales=tuple(each.scales for each in members),
            sizes=tuple(each.size for each in members),
            encoded=tuple(each.encoded for each in members),
        )
