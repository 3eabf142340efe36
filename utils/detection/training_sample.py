"""From a MindRecord row to an image and its boxes, changed at random, as both detectors train on them.

What is drawn for an image is a function of (seed, epoch, image id) alone, and of which of the epoch's repetitions it is
where images are repeated, so that workers, ranks and a resumed run change nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from utils.detection.augment import AugmentSettings, PaddedBoxes, pad_boxes
from utils.detection.data.mindrecord import unpack_annotation
from utils.detection.data.mixing.mixed_rows import PASTE_STREAM, STREAMS
from utils.detection.inputs import InputSettings
from utils.images import decode_ordinary
from utils.randomness import generator


@dataclass(frozen=True, eq=False)
class FedBoxes:
    """What a detector is to find in one picture of a batch; regions of crowds, which it is not, are left out.

    Attributes:
        boxes: float32[N, 4], xyxy, pixels of the input.
        labels: int[N], class index from 0.
    """

    boxes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class DetectionSample:
    """Turns a row into one image and its boxes; a detector's own sample makes its targets of them.

    Attributes:
        inputs: what the network takes.
        augmentation: what is done to images.
        anchors: float32[A, 4], xyxy pixels of the input.
        num_gts: most boxes of an image that are looked at; of more the largest are kept.
        seed: of the run.
        epoch: from 1.
        occurrence: which of the epoch's repetitions of the image this is, from 0.
        paste: lays objects of another image on this one before it is augmented; None for none.
    """

    inputs: InputSettings
    augmentation: AugmentSettings
    anchors: np.ndarray
    num_gts: int
    seed: int
    epoch: int = 1
    occurrence: int = 0
    paste: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] | None = None

    def augment(
        self, image: np.ndarray, boxes: np.ndarray, is_crowd: np.ndarray, draws: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Changes uint8[H, W, 3] RGB, its boxes float32[N, 4] xyxy and bool[N] crowd flags at random.

        Returns:
            uint8[h, w, 3], no larger than the input; float32[K, 4], the boxes that remain; int64[K], which they are.
        """
        raise NotImplementedError

    def prepare(
        self, encoded: np.ndarray, annotation: np.ndarray, image_id: int, *stream: int
    ) -> tuple[np.ndarray, PaddedBoxes]:
        """Reads a row, as `RowSample` has it, and augments it; for `stream` see `draws`.

        Returns:
            uint8[h, w, 3] RGB, and its boxes.
        """
        image = decode_ordinary(encoded, f"image {image_id}")
        boxes, labels, is_crowd = unpack_annotation(annotation)
        if self.paste is not None:
            draws = self.draws(image_id, PASTE_STREAM)
            image, boxes, labels, is_crowd = self.paste(image, boxes, labels, is_crowd, draws)
        image, boxes, kept = self.augment(image, boxes, is_crowd, self.draws(image_id, *stream))
        return image, pad_boxes(boxes, labels[kept], is_crowd[kept], self.num_gts)

    def draws(self, image_id: int, stream: int = 0) -> np.random.Generator:
        """Returns the draws of an image; a stream of its own keeps them apart from those of other purposes."""
        return generator(self.seed, self.epoch, image_id, stream + STREAMS * self.occurrence)

    def fed_boxes(self, arrays: Sequence[np.ndarray]) -> list[FedBoxes]:
        """Returns what is to be found in each picture of a batch, as its arrays tell the network."""
        raise NotImplementedError
