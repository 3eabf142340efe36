"""What a detector finds, and what the commands ask of one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from utils.canvas import Size


@dataclass(frozen=True)
class Detections:
    """What was found in one image, best first.

    Attributes:
        boxes: float32[D, 4], xyxy pixels of the original image.
        scores: float32[D], 0 to 1.
        labels: int32[D], class index from 0.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Detections":
        """Returns some of them: int64[K] which, in the order wanted, or bool[D]."""
        return Detections(self.boxes[chosen], self.scores[chosen], self.labels[chosen])


class Select(Protocol):
    """Makes the detections of one image of what a model puts out for it."""

    def __call__(self, *outputs: np.ndarray, scales: tuple[float, float], height: int, width: int) -> Detections:
        """Selects.

        Args:
            outputs: of the model, in its order, for the image alone; those for its mirror image follow, where the
                model was shown that too.
            scales: input pixels for one pixel of the original, vertically and horizontally.
            height: of the original in pixels.
            width: of the original in pixels.
        """


class DetectionClock:
    """Adds up where the time goes.

    Attributes:
        network: seconds in the network.
        selection: seconds in thresholds and suppression on the host.
        compilation: seconds of compiling.
        num_compiled: how often the network was compiled.
    """

    def __init__(self) -> None:
        self.network, self.selection, self.compilation, self.num_compiled = 0.0, 0.0, 0.0, 0

    def add(self, network: float, selection: float = 0.0) -> None:
        """Adds the seconds of a batch."""
        self.network += network
        self.selection += selection

    def add_compilation(self, seconds: float) -> None:
        """Adds the seconds in which the network was compiled once."""
        self.compilation += seconds
        self.num_compiled += 1


class Detector(Protocol):
    """Finds objects in batches of inputs; all batches of one height and width have the same shape."""

    @property
    def limit(self) -> int:
        """How many canvases, heights and widths of inputs, are held at once."""

    @property
    def canvases(self) -> Collection[Size]:
        """The (height, width) of inputs that need no compiling."""

    def begin(self) -> None:
        """Puts the network into inference mode; asked for before the first batch, as training may have gone between."""

    def detect(
        self,
        images: np.ndarray,
        *,
        scales: Sequence[tuple[float, float]],
        sizes: Sequence[tuple[int, int]],
        clock: DetectionClock,
    ) -> list[Detections]:
        """Detects in a batch.

        Args:
            images: float32[N, 3, H, W]; rows after the last scale are not looked at.
            scales: input pixels for one pixel of each original, vertically and horizontally.
            sizes: (height, width) of each original in pixels.
            clock: takes the times.

        Returns:
            What was found in each original, as many as there are scales.
        """
