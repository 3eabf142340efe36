"""From a batch of inputs to the detections of each image."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.detection.detections import DetectionClock, Detections

from .detections_of import detections_of


@dataclass(frozen=True, eq=False)
class FasterRcnnDetector:
    """The detector as evaluation and inference ask for it, a `Detector`.

    Attributes:
        network: images and their metas to detections, a `FasterRcnnInference`; it may share its weights with a training
            network.
    """

    network: nn.Cell

    def begin(self) -> None:
        """Puts the network into inference mode."""
        self.network.set_train(False)

    def detect(
        self,
        images: np.ndarray,
        *,
        scales: Sequence[tuple[float, float]],
        sizes: Sequence[tuple[int, int]],
        clock: DetectionClock,
    ) -> list[Detections]:
        """Detects in a batch, as `Detector.detect` says; thresholds and suppression are part of the network."""
        start = time.perf_counter()
        metas = image_metas(images, scales, sizes)
        boxes, scores, labels = (output.asnumpy() for output in self.network(ms.Tensor(images), ms.Tensor(metas)))
        clock.add(time.perf_counter() - start)
        return [detections_of(boxes[row], scores[row], labels[row]) for row in range(len(sizes))]


def image_metas(
    images: np.ndarray, scales: Sequence[tuple[float, float]], sizes: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Tells the network what its inputs were.

    Args:
        images: float32[N, 3, H, W].
        scales: input pixels for one pixel of each original, vertically and horizontally; at most N.
        sizes: (height, width) of each original in pixels.

    Returns:
        float32[N, 4], height and width of the original and the scales; rows that nobody asks for say that the input is
        the original.
    """
    metas = np.tile(np.float32([*images.shape[2:], 1, 1]), (len(images), 1))
    if sizes:
        metas[: len(sizes)] = np.concatenate([np.asarray(sizes), np.asarray(scales)], axis=1)
    return metas
