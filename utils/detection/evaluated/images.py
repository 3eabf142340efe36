"""The images of an evaluation split, wherever they are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from utils.canvas import Size
from utils.detection.data.class_names import ClassTable
from utils.detection.inputs import InputSettings


@dataclass(frozen=True, eq=False)
class EvaluationImage:
    """An image as the network takes it.

    Attributes:
        planes: float32[3, height, width].
        scales: input pixels for one pixel of the original, vertically and horizontally.
        image_id: the annotation file's own id.
        size: (height, width) of the original in pixels.
        encoded: the image file, one that `decode_ordinary` reads.
    """

    planes: np.ndarray
    scales: tuple[float, float]
    image_id: int
    size: Size
    encoded: bytes


class EvaluationImages(Protocol):
    """The images of a split; a position is that in the annotation file."""

    @property
    def num_images(self) -> int:
        """Number of images that can be read."""

    @property
    def image_ids(self) -> np.ndarray:
        """The annotation file's own id of each, int64[num_images]."""

    @property
    def category_ids(self) -> Sequence[int]:
        """Ids of the categories that count."""

    def sizes(self, num_loaders: int) -> list[Size]:
        """Returns the (height, width) of every image; no pixel is decoded."""

    def read(self, positions: Sequence[int], inputs: InputSettings, num_loaders: int) -> Iterator[EvaluationImage]:
        """Yields chosen images in the order of `positions`; `num_loaders` threads prepare them."""

    def encoded(self, positions: Sequence[int], num_loaders: int) -> Iterator[bytes]:
        """Yields chosen image files in the order of `positions`."""


class ReadableSplit(Protocol):
    """A split of any form."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def classes(self) -> ClassTable:
        """Its classes, with its own category ids."""

    @property
    def images(self) -> EvaluationImages:
        """Its images."""

    @property
    def ground_truth(self) -> dict:
        """Its annotations in COCO's form."""
