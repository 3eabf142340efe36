"""From MindRecord rows to the arrays that training takes.

What is drawn for an image is a function of (seed, epoch, image id) alone, so that workers, ranks and a resumed run
change nothing.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from utils.detection.augment import flip_horizontal, pad_boxes, random_scale_and_crop
from utils.detection.data.mindrecord import unpack_annotation
from utils.detection.inputs import InputSettings
from utils.images import decode_ordinary
from utils.pixels import jitter_colours, to_input
from utils.randomness import generator

from .assignment import IGNORED, AssignmentRule, assign_anchors


@dataclass(frozen=True)
class AugmentSettings:
    """What training does to an image.

    The four strengths are those of `jitter_colours`.

    Attributes:
        flip_ratio: probability of a horizontal flip.
        scale_range: smallest and largest multiple of the size that just fits the input.
        brightness: strength.
        contrast: strength.
        saturation: strength.
        hue: strength.
    """

    flip_ratio: float
    scale_range: tuple[float, float]
    brightness: float
    contrast: float
    saturation: float
    hue: float


def augment(
    image: np.ndarray,
    boxes: np.ndarray,
    is_crowd: np.ndarray,
    target: tuple[int, int],
    settings: AugmentSettings,
    draws: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales, crops, flips and changes the colours of an image at random.

    Args:
        image: uint8[H, W, 3] RGB.
        boxes: float32[N, 4], xyxy pixels.
        is_crowd: bool[N].
        target: height and width that the result does not exceed.
        settings: strengths and probabilities.
        draws: source of all draws.

    Returns:
        uint8[h, w, 3]; float32[K, 4], the boxes that remain; int64[K], which they are.
    """
    image, boxes, kept = random_scale_and_crop(
        image, boxes, target, draws, scale_range=settings.scale_range, is_crowd=is_crowd
    )
    if draws.uniform() < settings.flip_ratio:
        image, boxes = flip_horizontal(image, boxes)
    image = jitter_colours(
        image,
        draws,
        brightness=settings.brightness,
        contrast=settings.contrast,
        saturation=settings.saturation,
        hue=settings.hue,
    )
    return image, boxes, kept


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """Turns a row into one image and its targets.

    Attributes:
        inputs: what the network takes.
        augmentation: what is done to images.
        anchors: float32[A, 4], xyxy pixels of the input.
        rule: thresholds of the assignment.
        max_boxes: most boxes of an image that are looked at; of more the largest are kept.
        seed: of the run.
        epoch: from 1.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("images", "classes", "target_deltas")

    inputs: InputSettings
    augmentation: AugmentSettings
    anchors: np.ndarray
    rule: AssignmentRule
    max_boxes: int
    seed: int
    epoch: int

    def __call__(
        self, encoded: np.ndarray, annotation: np.ndarray, image_id: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Prepares a row.

        Args:
            encoded: uint8[bytes], the image file.
            annotation: float32[N, 6], as MindRecord holds it.
            image_id: int64 scalar.

        Returns:
            float32[3, H, W] image, int32[A] classes and float32[A, 4] deltas as `assign_anchors` gives them.
        """
        number = int(image_id)
        image = decode_ordinary(encoded, f"image {number}")
        boxes, labels, is_crowd = unpack_annotation(annotation)
        image, boxes, kept = augment(
            image,
            boxes,
            is_crowd,
            (self.inputs.height, self.inputs.width),
            self.augmentation,
            generator(self.seed, self.epoch, number),
        )
        padded = pad_boxes(boxes, labels[kept], is_crowd[kept], self.max_boxes)
        used = padded.is_valid
        classes, deltas = assign_anchors(
            self.anchors, padded.boxes[used], padded.labels[used], padded.is_crowd[used], self.rule
        )
        return to_input(image, self.inputs.size, self.inputs.mean, self.inputs.std), classes, deltas

    def without_targets(self, arrays: tuple[np.ndarray, ...], is_filler: np.ndarray) -> tuple[np.ndarray, ...]:
        """Lets every anchor of the images where `is_filler`, bool[N], be ignored; arrays as `__call__` makes them."""
        images, classes, deltas = arrays
        return images, np.where(is_filler[:, None], np.int32(IGNORED), classes), deltas
