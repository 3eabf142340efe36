"""From a batch of inputs to the detections of each image, with the time that the two halves take."""

import time
from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import nn

from .postprocess import Detections, SelectionRule, select_detections


class DetectionClock:
    """Adds up where the time goes.

    Args:
        skip_first: leave the first batch out, which compiles the graph.

    Attributes:
        network: seconds in the network.
        selection: seconds in thresholds and suppression.
    """

    def __init__(self, skip_first: bool = True) -> None:
        self.network, self.selection, self._skips = 0.0, 0.0, skip_first

    def add(self, network: float, selection: float) -> None:
        """Adds the seconds of a batch."""
        if not self._skips:
            self.network += network
            self.selection += selection
        self._skips = False


def detect(
    network: nn.Cell, images: np.ndarray, rule: SelectionRule, *, scales: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[int, int]], clock: DetectionClock,
) -> list[Detections]:
    """Detects in a batch.

    Args:
        network: images to boxes and scores, a `RetinaNetInference`.
        images: float32[N, 3, H, W]; rows after the last scale are not looked at.
        rule: thresholds and limits.
        scales: input pixels for one pixel of each original, vertically and horizontally.
        sizes: (height, width) of each original in pixels.
        clock: takes the times.
    """
    start = time.perf_counter()
    boxes, scores = (output.asnumpy() for output in network(ms.Tensor(images)))
    middle = time.perf_counter()
    found = [
        select_detections(boxes[index], scores[index], rule, scales=scales_of_image, height=height, width=width)
        for index, (scales_of_image, (height, width)) in enumerate(zip(scales, sizes, strict=True))
    ]
    clock.add(middle - start, time.perf_counter() - middle)
    return found
