"""Augmentation of one image and its boxes. Every draw comes from the generator that is passed in: a seed decides all.

Images are uint8[H, W, 3] RGB, boxes float32[N, 4] xyxy in absolute pixels. A function that may drop boxes returns which
it kept, so that the caller selects labels and crowd flags alike.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from utils.detection.boxes import box_area, box_centers, clip_boxes, mirror_boxes
from utils.pixels import jitter_colours, size_of

MIN_CROP_SIDE = 1.0  # a clipped box thinner than a pixel says nothing about its object


@dataclass(frozen=True, eq=False)
class PaddedBoxes:
    """Boxes of one image in arrays of fixed length.

    Attributes:
        boxes: float32[M, 4], xyxy, zero in unused rows.
        labels: int32[M], -1 in unused rows.
        is_crowd: bool[M], False in unused rows.
        is_valid: bool[M], the row holds a box.
    """

    boxes: np.ndarray
    labels: np.ndarray
    is_crowd: np.ndarray
    is_valid: np.ndarray


@dataclass(frozen=True)
class AugmentSettings:
    """What training does to an image.

    The four strengths are those of `jitter_colours`.

    Attributes:
        flip_ratio: probability of a horizontal flip.
        scale_range: smallest and largest multiple of the size that just fits the input; above 1 a random window is cut.
        brightness: strength.
        contrast: strength.
        saturation: strength.
        hue: strength.
    """

    flip_ratio: float = 0.5
    scale_range: tuple[float, float] = (1.0, 1.0)
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def change_colours(self, image: np.ndarray, draws: np.random.Generator) -> np.ndarray:
        """Changes the colours of uint8[H, W, 3] RGB by the four strengths."""
        return jitter_colours(
            image,
            draws,
            brightness=self.brightness,
            contrast=self.contrast,
            saturation=self.saturation,
            hue=self.hue,
        )


def fit_scale(size: tuple[int, int], target: tuple[int, int]) -> float:
    """Returns the factor by which an image of (height, width) `size` just fits into `target`."""
    return min(target[0] / size[0], target[1] / size[1])


def scaled_size(
    size: tuple[int, int], target: tuple[int, int], factor: float = 1.0, *, keep_ratio: bool = True
) -> tuple[int, int]:
    """Returns the (height, width) of an image that is fitted into `target`, or stretched over it, times a factor.

    With `keep_ratio` the ratio of sides changes by rounding alone; otherwise both sides are the target's.
    """
    scale = fit_scale(size, target)
    sides = tuple(side * scale for side in size) if keep_ratio else target
    return max(1, round(sides[0] * factor)), max(1, round(sides[1] * factor))


def stretch(image: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Scales an image, and its boxes with it, to (height, width) `size`, each side by its own factor."""
    down, across = size[0] / image.shape[0], size[1] / image.shape[1]
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    return resized, boxes * np.array([across, down, across, down], np.float32)


def random_scale_and_crop(
    image: np.ndarray,
    boxes: np.ndarray,
    target: tuple[int, int],
    draws: np.random.Generator,
    *,
    scale_range: tuple[float, float] = (0.8, 1.2),
    is_crowd: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales an image by a random multiple, in `scale_range`, of the scale at which it just fits into `target`.

    Where the result exceeds `target`, (height, width), a window is cut as `random_window` does. Three draws, always.

    Returns:
        uint8[h, w, 3]; float32[K, 4], the boxes that remain, clipped; int64[K], which they are.
    """
    scale = fit_scale(size_of(image), target) * draws.uniform(*scale_range)
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return random_window(scaled, boxes * np.float32(scale), target, draws, is_crowd)


def random_window(
    image: np.ndarray,
    boxes: np.ndarray,
    target: tuple[int, int],
    draws: np.random.Generator,
    is_crowd: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cuts a random window out of an image that exceeds `target`, (height, width); one that does not stays whole.

    Two draws, always. For bool[N] `is_crowd` see `keep_visible`.

    Returns:
        uint8[h, w, 3], a view of `image`; float32[K, 4], the boxes that remain, clipped; int64[K], which they are.
    """
    spots = draws.uniform(size=2)
    margins = (max(0, side - limit) for side, limit in zip(image.shape[:2], target, strict=True))
    top, left = (int(spot * (margin + 1)) for spot, margin in zip(spots, margins, strict=True))
    window = image[top : top + target[0], left : left + target[1]]
    moved: np.ndarray = boxes - np.array([left, top, left, top], np.float32)
    boxes, kept = keep_visible(moved, size_of(window), is_crowd)
    return window, boxes, kept


def keep_visible(
    boxes: np.ndarray, size: tuple[int, int], is_crowd: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Drops boxes whose centre lies outside an image of (height, width) `size` and clips the rest.

    A crowd, where bool[N] `is_crowd` says so, is kept while any of it is visible.

    Returns:
        float32[K, 4] clipped boxes with sides of at least a pixel, and int64[K], which they are. A box that was
        thinner
        before is kept unless the border cut it, or rounding left it without area.
    """
    height, width = size
    centers = box_centers(boxes)
    is_kept = ((centers >= 0) & (centers < np.array([width, height], np.float32))).all(axis=1)
    if is_crowd is not None:
        is_kept |= is_crowd
    clipped = clip_boxes(boxes, height, width)
    sides = clipped[:, 2:] - clipped[:, :2]
    is_kept &= ((sides >= np.minimum(MIN_CROP_SIDE, boxes[:, 2:] - boxes[:, :2])) & (sides > 0)).all(axis=1)
    kept = np.flatnonzero(is_kept)
    return clipped[kept], kept


def flip_horizontal(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirrors an image and its boxes, which stay in their order, left to right."""
    return cv2.flip(image, 1), mirror_boxes(boxes, image.shape[1])


def expand(
    image: np.ndarray,
    boxes: np.ndarray,
    size: tuple[int, int],
    draws: np.random.Generator,
    *,
    fill: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> tuple[np.ndarray, np.ndarray]:
    """Places an image at a random spot of a larger canvas, so that its objects become small ones (SSD, section 2.2).

    The canvas is given in pixels: whoever shrinks the image first and then places it on a canvas of the final size
    never makes one of 16 times the pixels of a large photograph. Two draws, always.

    Args:
        image: uint8[h, w, 3].
        boxes: float32[N, 4], pixels of `image`.
        size: (height, width) of the canvas, at least those of the image.
        draws: source of the draws.
        fill: colour of the canvas, RGB, 0-255, rounded to whole levels.
    """
    below, right = size[0] - image.shape[0], size[1] - image.shape[1]
    if below < 0 or right < 0:
        raise ValueError(f"an image of {image.shape[:2]} does not fit on a canvas of {size}; shrink it first")
    spots = draws.uniform(size=2)
    if below == right == 0:
        return image, boxes
    top, left = int(spots[0] * (below + 1)), int(spots[1] * (right + 1))
    canvas = cv2.copyMakeBorder(image, top, below - top, left, right - left, cv2.BORDER_CONSTANT, value=fill)
    return canvas, boxes + np.array([left, top, left, top], np.float32)


def pad_boxes(boxes: np.ndarray, labels: np.ndarray, is_crowd: np.ndarray, num_gts: int) -> PaddedBoxes:
    """Brings boxes, int32[N] labels and bool[N] crowd flags of an image to `num_gts` rows.

    Of more than that the largest are kept, in their order.
    """
    if len(boxes) > num_gts:
        kept = np.sort(np.argsort(-box_area(boxes), kind="stable")[:num_gts])
        boxes, labels, is_crowd = boxes[kept], labels[kept], is_crowd[kept]
    count = len(boxes)
    padded = PaddedBoxes(
        boxes=np.zeros((num_gts, 4), np.float32),
        labels=np.full(num_gts, -1, np.int32),
        is_crowd=np.zeros(num_gts, bool),
        is_valid=np.arange(num_gts) < count,
    )
    padded.boxes[:count], padded.labels[:count], padded.is_crowd[:count] = boxes, labels, is_crowd
    return padded
