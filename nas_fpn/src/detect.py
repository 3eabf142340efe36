"""From a batch of inputs to the detections of each image."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import nn

from utils.detection.detections import DetectionClock, Detections

from .postprocess import SelectionRule, select_detections


@dataclass(frozen=True, eq=False)
class NasFpnDetector:
    """The detector as evaluation and inference ask for it, a `Detector`.

    Attributes:
        network: images to boxes and scores, a `RetinaNetInference`; it may share its weights with a training network.
        rule: thresholds and limits.
    """

    network: nn.Cell
    rule: SelectionRule

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
        """Detects in a batch, as `Detector.detect` says."""
        start = time.perf_counter()
        boxes, scores = (output.asnumpy() for output in self.network(ms.Tensor(images)))
        middle = time.perf_counter()
        found = [
            select_detections(boxes[row], scores[row], self.rule, scales=scales[row], height=height, width=width)
            for row, (height, width) in enumerate(sizes)
        ]
        clock.add(middle - start, time.perf_counter() - middle)
        return found
