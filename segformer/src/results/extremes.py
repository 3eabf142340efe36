"""The pictures of an evaluation that went worst and best, kept while it runs, small, so that memory is bounded."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

PANEL_WIDTH = 560  # pixels: two panels beside each other fill a page, and a picture has some 200 kB


@dataclass(frozen=True, eq=False)
class Extreme:
    """A picture that is kept.

    Attributes:
        path: of the image.
        mean_iou: mean IoU of the picture, over the classes that its label has.
        pixel_accuracy: share of the labelled pixels that were predicted right.
        worst_class: index of the class with the lowest IoU of those in its label.
        worst_iou: IoU of that class in this picture.
        image: uint8[h, w, 3], RGB, at most `PANEL_WIDTH` wide.
        label: uint8[h, w].
        prediction: uint8[h, w].
    """

    path: Path
    mean_iou: float
    pixel_accuracy: float
    worst_class: int
    worst_iou: float
    image: np.ndarray
    label: np.ndarray
    prediction: np.ndarray


class Extremes:
    """Keeps the worst and the best pictures of those that it is shown.

    Args:
        num_worst: pictures with the lowest mean IoU that are kept.
        num_best: pictures with the highest that are kept.

    """

    def __init__(self, num_worst: int, num_best: int) -> None:
        self._num_worst, self._num_best = num_worst, num_best
        self._lowest: list[Extreme] = []
        self._highest: list[Extreme] = []

    @property
    def worst(self) -> list[Extreme]:
        """The pictures with the lowest mean IoU, lowest first."""
        return self._lowest

    @property
    def best(self) -> list[Extreme]:
        """Those with the highest, highest first; none that is among the worst."""
        taken = {each.path for each in self._lowest}
        return [each for each in self._highest if each.path not in taken]

    def add(self, path: Path, image: np.ndarray, label: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> None:
        """Looks at a picture; one without a labelled pixel has no IoU and is passed over.

        Args:
            path: of the image.
            image: uint8[H, W, 3], RGB.
            label: uint8[H', W'].
            prediction: uint8[H', W'].
            counts: int64[C, C], its pixels by true class (row) and predicted class.
        """
        labelled = np.flatnonzero(counts.sum(axis=1))
        if not len(labelled):
            return
        right = np.diag(counts)
        iou = (right / np.maximum(counts.sum(axis=0) + counts.sum(axis=1) - right, 1))[labelled]
        mean = float(iou.mean())
        if not (self._is_low(mean) or self._is_high(mean)):
            return
        worst = int(iou.argmin())
        kept = Extreme(
            path,
            mean,
            float(right.sum() / counts.sum()),
            int(labelled[worst]),
            float(iou[worst]),
            *_made_small(image, label, prediction),
        )
        if self._is_low(mean):
            self._lowest = sorted([*self._lowest, kept], key=lambda each: each.mean_iou)[: self._num_worst]
        if self._is_high(mean):
            self._highest = sorted([*self._highest, kept], key=lambda each: -each.mean_iou)[: self._num_best]

    def _is_low(self, mean: float) -> bool:
        return len(self._lowest) < self._num_worst or mean < self._lowest[-1].mean_iou

    def _is_high(self, mean: float) -> bool:
        return len(self._highest) < self._num_best or mean > self._highest[-1].mean_iou


def error_map(image: np.ndarray, label: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns uint8[H, W, 3]: the picture in grey, wrong pixels red, those that do not count nearly black.

    Args:
        image: uint8[H, W, 3], RGB.
        label: uint8[H, W]; what is no class does not count.
        prediction: uint8[H, W].
        num_classes: classes that count, from 0.
    """
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    dimmed = (60 + grey * 0.55).astype(np.uint8)
    is_counted = label < num_classes
    dimmed[~is_counted] = (24, 24, 32)
    red = cv2.addWeighted(np.full_like(grey, (235, 45, 55)), 0.8, grey, 0.2, 0)
    return np.where((is_counted & (prediction != label))[..., None], red, dimmed)


def _made_small(
    image: np.ndarray, label: np.ndarray, prediction: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns all three at one size; classes are picked, never mixed."""
    width = min(PANEL_WIDTH, max(image.shape[1], PANEL_WIDTH // 2))
    size = (width, max(1, round(image.shape[0] * width / image.shape[1])))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR)
    maps = [cv2.resize(each, size, interpolation=cv2.INTER_NEAREST) for each in (label, prediction)]
    return small, maps[0], maps[1]
