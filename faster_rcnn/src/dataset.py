"""From MindRecord rows to the arrays that training takes.

What is drawn for an image is a function of (seed, epoch, image id) alone, so that workers, ranks and a resumed run
change nothing.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from utils.detection.augment import (
    expand,
    flip_horizontal,
    pad_boxes,
    random_window,
    scaled_size,
    stretch,
)
from utils.detection.data.mindrecord import unpack_annotation
from utils.detection.inputs import InputSettings
from utils.images import decode_ordinary
from utils.pixels import jitter_colours, to_input
from utils.randomness import generator

from .FasterRcnn.bbox_assign_sample import EMPTY, RpnRule, assign_and_sample

EXPAND_PROBABILITY = 0.5
_AUGMENT, _SAMPLE_RPN, _SAMPLE_ROIS = range(3)  # streams of draws: one more in one of them moves no other


@dataclass(frozen=True)
class AugmentSettings:
    """What training does to an image.

    The four strengths are those of `jitter_colours`.

    Attributes:
        flip_ratio: probability of a horizontal flip.
        expand_ratio: every second image is placed on a canvas of the mean colour with up to so many times its sides;
            1 leaves all as they are.
        scale_range: smallest and largest multiple of the size that just fits the input; above 1 a random window is cut.
        brightness: strength.
        contrast: strength.
        saturation: strength.
        hue: strength.
    """

    flip_ratio: float = 0.5
    expand_ratio: float = 1.0
    scale_range: tuple[float, float] = (1.0, 1.0)
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0


def augment(
    image: np.ndarray,
    boxes: np.ndarray,
    is_crowd: np.ndarray,
    inputs: InputSettings,
    settings: AugmentSettings,
    draws: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales an image to the input, changes its colours, flips, expands and crops it at random.

    Args:
        image: uint8[H, W, 3] RGB.
        boxes: float32[N, 4], xyxy pixels.
        is_crowd: bool[N].
        inputs: size that the result does not exceed, and the colour around an expanded image.
        settings: strengths and probabilities.
        draws: source of all draws, whose number does not depend on what is drawn.

    Returns:
        uint8[h, w, 3]; float32[K, 4], the boxes that remain; int64[K], which they are.
    """
    target = (inputs.height, inputs.width)
    size = scaled_size(image.shape[:2], target, draws.uniform(*settings.scale_range), keep_ratio=inputs.keep_ratio)
    is_flipped, is_expanded = draws.uniform(size=2) < (settings.flip_ratio, EXPAND_PROBABILITY)
    expansion = draws.uniform(1.0, settings.expand_ratio)
    shrunk = scaled_size(size, size, 1.0 / expansion if is_expanded else 1.0, keep_ratio=False)
    image, boxes = stretch(image, boxes, shrunk)
    image = jitter_colours(
        image,
        draws,
        brightness=settings.brightness,
        contrast=settings.contrast,
        saturation=settings.saturation,
        hue=settings.hue,
    )
    if is_flipped:
        image, boxes = flip_horizontal(image, boxes)
    image, boxes = expand(image, boxes, size, draws, fill=inputs.mean)
    return random_window(image, boxes, target, draws, is_crowd)


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """Turns a row into one image and its targets.

    Attributes:
        inputs: what the network takes.
        augmentation: what is done to images.
        anchors: float32[A, 4], xyxy pixels of the input.
        rule: thresholds and sizes of the first stage's assignment and sampling.
        num_gts: box slots of an image; of more boxes the largest are kept.
        num_priorities: draws for the second stage's sampling, one for each proposal and box slot.
        seed: of the run.
        epoch: from 1.
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

    inputs: InputSettings
    augmentation: AugmentSettings
    anchors: np.ndarray
    rule: RpnRule
    num_gts: int
    num_priorities: int
    seed: int
    epoch: int = 1

    def __call__(self, encoded: np.ndarray, annotation: np.ndarray, image_id: np.ndarray) -> tuple[np.ndarray, ...]:
        """Prepares a row.

        Args:
            encoded: uint8[bytes], the image file.
            annotation: float32[N, 6], as MindRecord holds it.
            image_id: int64 scalar.

        Returns:
            In the order of `COLUMNS`: float32[3, H, W] image; float32[2] height and width of its content, the
            rest is padding; float32[G, 4] boxes, xyxy pixels of the input, zero in empty slots; int32[G] classes, -1
            there; bool[G] crowd flags; int32[S], int32[S], float32[S, 4] the sample of anchors as `assign_and_sample`
            gives it; float32[num_priorities] in [0, 1).
        """
        number = int(image_id)
        image = decode_ordinary(encoded, f"image {number}")
        boxes, labels, is_crowd = unpack_annotation(annotation)
        image, boxes, kept = augment(
            image, boxes, is_crowd, self.inputs, self.augmentation, self._draws(number, _AUGMENT)
        )
        targets = pad_boxes(boxes, labels[kept], is_crowd[kept], self.num_gts)
        used = targets.is_valid
        sample = assign_and_sample(
            self.anchors,
            targets.boxes[used],
            targets.is_crowd[used],
            image.shape[:2],
            self.rule,
            self._draws(number, _SAMPLE_RPN),
        )
        priority = self._draws(number, _SAMPLE_ROIS).random(self.num_priorities, np.float32)
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

        Args:
            arrays: as `__call__` returns them, each with a leading axis of the images.
            is_filler: bool[N], which images.
        """
        nothing = {"content": 0, "gt_boxes": 0, "gt_labels": -1, "gt_is_crowd": False, "rpn_label": EMPTY}
        changed = []
        for name, values in zip(self.COLUMNS, arrays, strict=True):
            if name in nothing:
                values = values.copy()
                values[is_filler] = nothing[name]
            changed.append(values)
        return tuple(changed)

    def _draws(self, image_id: int, stream: int) -> np.random.Generator:
        return generator(self.seed, self.epoch, image_id, stream)
