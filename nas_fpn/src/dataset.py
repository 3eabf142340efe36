"""From MindRecord rows to the arrays that training takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from utils.detection.augment import flip_horizontal, random_scale_and_crop
from utils.detection.training_sample import DetectionSample, FedBoxes
from utils.pixels import to_input

from .assignment import IGNORED, AssignmentRule, assign_anchors, assigned_boxes


@dataclass(frozen=True, eq=False)
class TrainingSample(DetectionSample):
    """Turns a row into one image and its targets.

    Attributes:
        rule: thresholds of the assignment.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("images", "classes", "target_deltas")

    rule: AssignmentRule = field(kw_only=True)

    def augment(
        self, image: np.ndarray, boxes: np.ndarray, is_crowd: np.ndarray, draws: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scales, crops, flips and changes the colours of an image at random."""
        image, boxes, kept = random_scale_and_crop(
            image, boxes, self.inputs.size, draws, scale_range=self.augmentation.scale_range, is_crowd=is_crowd
        )
        if draws.uniform() < self.augmentation.flip_ratio:
            image, boxes = flip_horizontal(image, boxes)
        return self.augmentation.change_colours(image, draws), boxes, kept

    def __call__(
        self, encoded: np.ndarray, annotation: np.ndarray, image_id: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Prepares a row, as `RowSample` has it.

        Returns:
            float32[3, H, W] image, int32[A] classes and float32[A, 4] deltas as `assign_anchors` gives them.
        """
        image, padded = self.prepare(encoded, annotation, int(image_id))
        used = padded.is_valid
        classes, deltas = assign_anchors(
            self.anchors, padded.boxes[used], padded.labels[used], padded.is_crowd[used], self.rule
        )
        return to_input(image, self.inputs.size, self.inputs.mean, self.inputs.std), classes, deltas

    def without_targets(self, arrays: tuple[np.ndarray, ...], is_filler: np.ndarray) -> tuple[np.ndarray, ...]:
        """Lets every anchor of the images where `is_filler`, bool[N], be ignored; arrays as `__call__` makes them."""
        images, classes, deltas = arrays
        return images, np.where(is_filler[:, None], np.int32(IGNORED), classes), deltas

    def fed_boxes(self, arrays: Sequence[np.ndarray]) -> list[FedBoxes]:
        """Returns what is to be found in each picture of a batch, as its arrays tell the network."""
        of = dict(zip(self.COLUMNS, arrays, strict=True))
        return [
            FedBoxes(*assigned_boxes(self.anchors, classes, deltas, self.rule))
            for classes, deltas in zip(of["classes"], of["target_deltas"], strict=True)
        ]
