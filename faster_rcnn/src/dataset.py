"""From MindRecord rows to the arrays that training takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from utils.detection.augment import AugmentSettings, expand, flip_horizontal, random_window, scaled_size, stretch
from utils.detection.inputs import InputSettings
from utils.detection.training_sample import DetectionSample, FedBoxes
from utils.pixels import size_of, to_input

from .FasterRcnn.bbox_assign_sample import EMPTY, RpnRule, assign_and_sample

EXPAND_PROBABILITY = 0.5  # every second image, as MMDetection's Expand does
_AUGMENT, _SAMPLE_RPN, _SAMPLE_ROIS = range(3)  # streams of draws: one more in one of them moves no other


@dataclass(frozen=True)
class ExpandSettings(AugmentSettings):
    """What training does to an image.

    Attributes:
        expand_ratio: every second image is placed on a canvas of the mean colour with up to so many times its sides;
            1 leaves all as they are.
    """

    expand_ratio: float = 1.0


def augment(
    image: np.ndarray,
    boxes: np.ndarray,
    is_crowd: np.ndarray,
    inputs: InputSettings,
    settings: ExpandSettings,
    draws: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales an image to the input, changes its colours, flips, expands and crops it at random.

    Arguments and results are those of `DetectionSample.augment`; the number of draws does not depend on what is
    drawn.
    """
    size = scaled_size(size_of(image), inputs.size, draws.uniform(*settings.scale_range), keep_ratio=inputs.keep_ratio)
    is_flipped, is_expanded = draws.uniform(size=2) < (settings.flip_ratio, EXPAND_PROBABILITY)
    expansion = draws.uniform(1.0, settings.expand_ratio)
    shrunk = scaled_size(size, size, 1.0 / expansion if is_expanded else 1.0, keep_ratio=False)
    image, boxes = stretch(image, boxes, shrunk)
    image = settings.change_colours(image, draws)
    if is_flipped:
        image, boxes = flip_horizontal(image, boxes)
    image, boxes = expand(image, boxes, size, draws, fill=inputs.mean)
    return random_window(image, boxes, inputs.size, draws, is_crowd)


@dataclass(frozen=True, eq=False)
class TrainingSample(DetectionSample):
    """Turns a row into one image and its targets.

    Attributes:
        rule: thresholds and sizes of the first stage's assignment and sampling.
        num_priorities: draws for the second stage's sampling, one for each proposal and box slot.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "images",
        "content",
        "gt_boxes",
        "gt_labels",
        "gt_is_crowd",
        "rpn_index",
        "rpn_label",
        "rpn_deltas",
        "priority",
    )

    augmentation: ExpandSettings
    rule: RpnRule = field(kw_only=True)
    num_priorities: int = field(kw_only=True)

    def augment(
        self, image: np.ndarray, boxes: np.ndarray, is_crowd: np.ndarray, draws: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Changes an image as `augment` does."""
        return augment(image, boxes, is_crowd, self.inputs, self.augmentation, draws)

    def __call__(self, encoded: np.ndarray, annotation: np.ndarray, image_id: np.ndarray) -> tuple[np.ndarray, ...]:
        """Prepares a row, as `RowSample` has it.

        Returns:
            In the order of `COLUMNS`: float32[3, H, W] image; float32[2] height and width of its content, the
            rest is padding; float32[G, 4] boxes, xyxy pixels of the input, zero in empty slots; int32[G] classes, -1
            there; bool[G] crowd flags; int32[S], int32[S], float32[S, 4] the sample of anchors as
            `assign_and_sample`
            gives it; float32[num_priorities] in [0, 1).
        """
        number = int(image_id)
        image, targets = self.prepare(encoded, annotation, number, _AUGMENT)
        used = targets.is_valid
        sample = assign_and_sample(
            self.anchors,
            targets.boxes[used],
            targets.is_crowd[used],
            size_of(image),
            self.rule,
            self.draws(number, _SAMPLE_RPN),
        )
        priority = self.draws(number, _SAMPLE_ROIS).random(self.num_priorities, np.float32)
        return (
            to_input(image, self.inputs.size, self.inputs.mean, self.inputs.std),
            np.array(image.shape[:2], np.float32),
            targets.boxes,
            targets.labels,
            targets.is_crowd,
            sample.index,
            sample.label,
            sample.deltas,
            priority,
        )

    def without_targets(self, arrays: tuple[np.ndarray, ...], is_filler: np.ndarray) -> tuple[np.ndarray, ...]:
        """Takes images out of the losses of a batch: neither of the two stages samples anything of them.

        Without content an image has no proposals, and without boxes nothing else that could be drawn.
        """
        nothing = {"content": 0, "gt_boxes": 0, "gt_labels": -1, "gt_is_crowd": False, "rpn_label": EMPTY}
        changed = []
        for name, values in zip(self.COLUMNS, arrays, strict=True):
            if name in nothing:
                values = values.copy()
                values[is_filler] = nothing[name]
            changed.append(values)
        return tuple(changed)

    def fed_boxes(self, arrays: Sequence[np.ndarray]) -> list[FedBoxes]:
        """Returns what is to be found in each picture of a batch, as its arrays tell the network."""
        of = dict(zip(self.COLUMNS, arrays, strict=True))
        is_box = (of["gt_labels"] >= 0) & ~of["gt_is_crowd"]
        return [
            FedBoxes(boxes[used], labels[used])
            for boxes, labels, used in zip(of["gt_boxes"], of["gt_labels"], is_box, strict=True)
        ]
