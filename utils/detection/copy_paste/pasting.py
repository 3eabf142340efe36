"""Lays objects of one training picture on another, before both are augmented together.

Ghiasi et al.: Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation, CVPR 2021, section 3.
As there, the other picture is scaled and mirrored at random, a random subset of its objects is taken, nothing is
blended, and objects that are covered go. They know masks of all objects; here a covered object is known by its box.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from utils.detection.augment import fit_scale, keep_visible
from utils.detection.boxes import mirror_boxes
from utils.detection.copy_paste.outlines import Outlines
from utils.detection.data.mindrecord import unpack_annotation
from utils.images import decode_ordinary
from utils.pixels import size_of

SHARE_OF_OBJECTS = 0.5  # each of the other picture is taken with this probability
LEAST_VISIBLE = 0.3  # a box of which a smaller share can still be seen goes; the others keep their sides


@dataclass(frozen=True)
class Placing:
    """Where a picture comes to lie on another one.

    Attributes:
        height: that it is scaled to, pixels.
        width: likewise.
        top: row of the other picture at which it begins; negative where its upper part is cut off.
        left: column likewise.
        scales: pixels for one of its own, (across, down).
        is_mirrored: left to right, after scaling.
    """

    height: int
    width: int
    top: int
    left: int
    scales: tuple[float, float]
    is_mirrored: bool

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Returns where boxes float32[N, 4] come to lie."""
        moved = boxes * np.array(self.scales * 2, np.float32)
        moved = mirror_boxes(moved, self.width) if self.is_mirrored else moved
        return moved + np.array([self.left, self.top] * 2, np.float32)

    def corners(self, corners: np.ndarray) -> np.ndarray:
        """Returns where corners float32[K, 2], x and y, come to lie."""
        moved = corners * np.array(self.scales, np.float32)
        if self.is_mirrored:
            moved[:, 0] = self.width - moved[:, 0]
        return moved + np.array([self.left, self.top], np.float32)

    def lay(self, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Returns uint8[h, w, 3] on a black canvas of (height, width) `size`."""
        scaled = cv2.resize(picture, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        scaled = cv2.flip(scaled, 1) if self.is_mirrored else scaled
        canvas = np.zeros((*size, 3), np.uint8)
        target = canvas[max(self.top, 0) :, max(self.left, 0) :]
        part = scaled[max(-self.top, 0) :, max(-self.left, 0) :][: target.shape[0], : target.shape[1]]
        target[: part.shape[0], : part.shape[1]] = part
        return canvas


@dataclass(frozen=True, eq=False)
class CopyPaste:
    """Lays objects of another picture on one.

    Attributes:
        scale_range: smallest and largest multiple of the size at which the other picture just fits upon the one.
        flip_ratio: probability that the other picture is mirrored first.
        outlines: polygons of the objects; None to cut all out along their boxes.
    """

    scale_range: tuple[float, float]
    flip_ratio: float
    outlines: Outlines | None = None

    def __call__(
        self,
        other_encoded: np.ndarray,
        other_annotation: np.ndarray,
        other_id: np.ndarray,
        image: np.ndarray,
        boxes: np.ndarray,
        labels: np.ndarray,
        is_crowd: np.ndarray,
        draws: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Pastes.

        Args:
            other_encoded: uint8[bytes], file of the other picture.
            other_annotation: float32[M, 6], as MindRecord holds it.
            other_id: int64 scalar, id of the other picture.
            image: uint8[H, W, 3] RGB.
            boxes: float32[N, 4], xyxy pixels.
            labels: int32[N].
            is_crowd: bool[N]; crowds of `image` stay whatever covers them, others are not taken.
            draws: source of the draws.

        Returns:
            uint8[H, W, 3]; float32[K, 4], int32[K] and bool[K]: what can still be seen, then what was pasted.
        """
        other = decode_ordinary(other_encoded, f"image {int(other_id)}")
        other_boxes, other_labels, other_crowd = unpack_annotation(other_annotation)
        placing = self.place(size_of(other), size_of(image), draws)
        taken = np.flatnonzero((draws.uniform(size=len(other_boxes)) < SHARE_OF_OBJECTS) & ~other_crowd)
        pasted, kept = keep_visible(placing.boxes(other_boxes[taken]), size_of(image))
        if not len(kept):
            return image, boxes, labels, is_crowd
        taken = taken[kept]
        polygons = self.outlines.of(int(other_id), other_boxes[taken]) if self.outlines else [[] for _ in taken]
        mask = union_mask(pasted, [[placing.corners(each) for each in one] for one in polygons], size_of(image))
        image = np.where(mask[..., None], placing.lay(other, size_of(image)), image)
        stays = (visible_share(boxes, mask) >= LEAST_VISIBLE) | is_crowd
        return (
            image,
            np.concatenate([boxes[stays], pasted]),
            np.concatenate([labels[stays], other_labels[taken]]),
            np.concatenate([is_crowd[stays], np.zeros(len(taken), bool)]),
        )

    def place(self, size: tuple[int, int], target: tuple[int, int], draws: np.random.Generator) -> Placing:
        """Draws where a picture of (height, width) `size` comes to lie on one of `target`. Four draws, always."""
        scale = fit_scale(size, target) * draws.uniform(*self.scale_range)
        height, width = (max(1, round(side * scale)) for side in size)
        is_mirrored, spots = bool(draws.uniform() < self.flip_ratio), draws.uniform(size=2)
        rooms = (target[0] - height, target[1] - width)
        top, left = (
            int(spot * (abs(room) + 1)) * (1 if room >= 0 else -1) for spot, room in zip(spots, rooms, strict=True)
        )
        return Placing(height, width, top, left, (width / size[1], height / size[0]), is_mirrored)


def union_mask(boxes: np.ndarray, polygons: Sequence[Sequence[np.ndarray]], size: tuple[int, int]) -> np.ndarray:
    """Returns which pixels of an image of (height, width) `size` objects cover, bool[H, W].

    Args:
        boxes: float32[N, 4], xyxy pixels, within the image. A pixel is covered whose centre is.
        polygons: of each object, float32[K, 2] each, by COCO's own rule; an object without any covers its box.
        size: of the image.
    """
    from pycocotools import mask as coco_mask

    has_outline = np.array([bool(each) for each in polygons], bool)
    left, top, right, bottom = np.rint(boxes[~has_outline]).astype(np.int64).T
    steps = np.zeros((size[0] + 1, size[1] + 1), np.int64)  # +1 where boxes begin, -1 where they end
    for rows, columns, sign in ((top, left, 1), (bottom, right, 1), (top, right, -1), (bottom, left, -1)):
        np.add.at(steps, (rows, columns), sign)
    mask = steps.cumsum(axis=0).cumsum(axis=1)[: size[0], : size[1]] > 0
    flat = [corners.astype(np.float64).ravel().tolist() for each in polygons for corners in each]
    if flat:
        mask |= coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, *size))) > 0
    return mask


def visible_share(boxes: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns which share of the pixels of boxes float32[N, 4] bool[H, W] `mask` does not cover, float64[N].

    A box without a pixel, as thin ones may be, can be seen.
    """
    sums = cv2.integral(mask.view(np.uint8))
    left, top, right, bottom = np.rint(boxes).astype(np.int64).T
    covered = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    pixels = (bottom - top) * (right - left)
    return 1.0 - np.divide(covered, pixels, out=np.zeros(len(boxes)), where=pixels > 0)
