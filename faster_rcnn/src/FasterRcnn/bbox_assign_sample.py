"""Which anchors the RPN learns from, and what: assignment and sampling in NumPy, in the loaders that prepare images.

On the host only the boxes that an image has are compared, where a static graph would compare all padded slots of the
whole batch (2 images x 128 slots x 245,520 anchors are 251 MB for each intermediate), and the graph stays small.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from utils.detection.box_coder import encode_boxes
from utils.detection.boxes import box_area, pairwise_intersection

EMPTY = -1  # label of a slot that holds no sample

# Anchors of a block. With 768 x 1280 pixels an image takes 3.5 ms with 128 to 1024, 5.9 ms with 32, of which there are
# too many to choose from, and 7 ms with 4096, which hold too many anchors that are not near the box.
_BLOCK = 256
_BLOCKS_AT_ONCE = 128  # blocks that are compared at once: their intermediates, 128 KB each, stay in a core's cache


@dataclass(frozen=True)
class SamplingRule:
    """What a stage learns from; its candidates are anchors or proposals. The defaults are those of the RPN.

    Attributes:
        num_samples: slots of an image.
        num_positives: at most so many of them are positive.
        pos_iou: lowest IoU of an ordinary positive.
        neg_iou: IoU below which a candidate is background; in between it is ignored.
        min_pos_iou: the candidates with the highest IoU of a box are positive for it from this IoU on; of several such
            boxes the last gets the candidate.
        crowd_ignore_ioa: share of a candidate inside a crowd region from which on it is no background; above 1 for
            never.
        target_means: taken off the four regression targets.
        target_stds: divide the four regression targets.
    """

    num_samples: int = 256
    num_positives: int = 128
    pos_iou: float = 0.7
    neg_iou: float = 0.3
    min_pos_iou: float = 0.3
    crowd_ignore_ioa: float = 0.5
    target_means: Sequence[float] = (0.0, 0.0, 0.0, 0.0)
    target_stds: Sequence[float] = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class RpnRule(SamplingRule):
    """What the RPN learns from.

    Attributes:
        allowed_border: anchors that reach further than so many pixels out of the image's content are ignored; negative
            for no such limit.
    """

    allowed_border: float = -1


@dataclass(frozen=True)
class RpnSample:
    """The anchors of one image that the RPN's loss is made of: positives, background, then empty slots.

    Attributes:
        index: int32[S], index of the anchor; 0 in an empty slot.
        label: int32[S], 1 for an object, 0 for background, -1 for an empty slot.
        deltas: float32[S, 4], regression targets; 0 where the label is not 1.
    """

    index: np.ndarray
    label: np.ndarray
    deltas: np.ndarray


def assign_and_sample(
    anchors: np.ndarray,
    boxes: np.ndarray,
    is_crowd: np.ndarray,
    content_size: tuple[float, float],
    rule: RpnRule,
    draws: np.random.Generator,
) -> RpnSample:
    """Assigns anchors to boxes and draws a sample of them (Faster R-CNN, section 3.1.2; MMDetection MaxIoUAssigner).

    An anchor is positive for the box with which its IoU is highest if that is at least `pos_iou`. The anchors with the
    highest IoU of a box are positive for that box if they touch it and reach `min_pos_iou`; of several boxes that claim
    one anchor the last gets it. Other anchors are background if no box reaches `neg_iou` and no crowd covers
    `crowd_ignore_ioa` of them. Anchors centred in the padding are ignored.

    Args:
        anchors: float32[A, 4], xyxy pixels of the network's input, with positive width and height.
        boxes: float32[n, 4], xyxy pixels of the same; n may be 0.
        is_crowd: bool[n].
        content_size: height and width in pixels of the image without the padding below and to the right of it.
        rule: thresholds and counts.
        draws: source of randomness.
    """
    usable = _usable_anchors(anchors, content_size, rule.allowed_border)
    candidates = anchors.take(usable, axis=0)  # eight times as fast as anchors[usable]
    objects, crowds = boxes[~is_crowd], boxes[is_crowd]
    positive, box, is_background = _assign(candidates, objects, rule)
    if len(crowds):
        covered = pairwise_intersection(crowds, candidates).max(axis=0) / box_area(candidates)
        is_background &= covered < rule.crowd_ignore_ioa

    kept = _draw(len(positive), min(rule.num_positives, rule.num_samples), draws)
    positive, box = positive[kept], box[kept]
    background = np.flatnonzero(is_background)
    background = background[_draw(len(background), rule.num_samples - len(positive), draws)]

    count, filled = len(positive), len(positive) + len(background)
    index = np.zeros(rule.num_samples, np.int32)
    index[:filled] = usable[np.concatenate([positive, background])]
    label = np.full(rule.num_samples, EMPTY, np.int32)
    label[:count], label[count:filled] = 1, 0
    deltas = np.zeros((rule.num_samples, 4), np.float32)
    deltas[:count] = encode_boxes(objects[box], candidates[positive], rule.target_means, rule.target_stds)
    return RpnSample(index, label, deltas)


def _usable_anchors(anchors: np.ndarray, content_size: tuple[float, float], allowed_border: float) -> np.ndarray:
    """Returns int64[V], the anchors that are centred in the image and, where there is a limit, do not reach past it."""
    left, top, right, bottom = anchors.T
    height, width = content_size
    is_usable = (left + right < 2 * width) & (top + bottom < 2 * height)
    if allowed_border >= 0:
        is_usable &= (left >= -allowed_border) & (right < width + allowed_border)
        is_usable &= (top >= -allowed_border) & (bottom < height + allowed_border)
    return np.flatnonzero(is_usable)


def _assign(anchors: np.ndarray, boxes: np.ndarray, rule: RpnRule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns int64[K], the positive anchors; int64[K], their boxes; bool[V], which anchors are background."""
    is_background = np.ones(len(anchors), bool)
    if len(boxes) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), is_background
    lowest = min(rule.pos_iou, rule.neg_iou, rule.min_pos_iou)
    anchor, box, iou = (np.concatenate(parts) for parts in zip(*_pairs(anchors, boxes, lowest), strict=True))
    is_background[anchor[iou >= rule.neg_iou]] = False

    matched = np.full(len(anchors), -1)
    by_iou = np.lexsort((-box, iou))  # the last assignment wins: the highest IoU, of equal ones the first box
    by_iou = by_iou[iou[by_iou] >= rule.pos_iou]
    matched[anchor[by_iou]] = box[by_iou]
    best_of_box = np.zeros(len(boxes), iou.dtype)
    np.maximum.at(best_of_box, box, iou)
    claims = np.flatnonzero((iou == best_of_box[box]) & (iou >= rule.min_pos_iou))
    claims = claims[np.argsort(box[claims], kind="stable")]  # likewise: the last box
    matched[anchor[claims]] = box[claims]

    positive = np.flatnonzero(matched >= 0)
    is_background[positive] = False
    return positive, matched[positive], is_background


def _pairs(
    anchors: np.ndarray, boxes: np.ndarray, lowest: float
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields the pairs of an anchor and a box that overlap with at least IoU `lowest`, some at a time.

    They are a few hundred for each box, out of 245,520, and most of the others need no comparison: anchors come level
    by level and row by row, so a block of neighbours in that order either lies near a box and is of its size or is not.

    Yields:
        int64[K], index of the anchor; int64[K], index of the box; float32[K], their IoU, above 0.
    """
    num_blocks = -(-len(anchors) // _BLOCK)
    columns = np.zeros((4, num_blocks * _BLOCK), anchors.dtype)  # empty anchors fill the last block
    columns[:, : len(anchors)] = anchors.T
    left, top, right, bottom = columns.reshape(4, num_blocks, _BLOCK)
    area, box_areas = (right - left) * (bottom - top), box_area(boxes)
    is_near = (boxes[:, :1] < right.max(axis=1)) & (boxes[:, 2:3] > left.min(axis=1))  # [n, blocks]
    is_near &= (boxes[:, 1:2] < bottom.max(axis=1)) & (boxes[:, 3:] > top.min(axis=1))
    # The IoU of two boxes is at most the smaller area over the larger one; the last bits are left to the IoU itself.
    is_near &= box_areas[:, None] > 0.999 * lowest * area.min(axis=1)
    is_near &= area.max(axis=1) > 0.999 * lowest * box_areas[:, None]
    near_box, near_block = np.nonzero(is_near)
    for first in range(0, max(len(near_box), 1), _BLOCKS_AT_ONCE):
        box, block = near_box[first : first + _BLOCKS_AT_ONCE], near_block[first : first + _BLOCKS_AT_ONCE]
        x1, y1, x2, y2 = boxes[box].T[:, :, None]  # [pairs, 1] each
        width = np.minimum(right[block], x2) - np.maximum(left[block], x1)
        shared = np.maximum(width, 0) * np.maximum(np.minimum(bottom[block], y2) - np.maximum(top[block], y1), 0)
        iou = shared / (box_areas[box, None] + area[block] - shared)
        pair, offset = np.nonzero((iou >= lowest) & (shared > 0))
        yield block[pair] * _BLOCK + offset, box[pair], iou[pair, offset]


def _draw(count: int, limit: int, draws: np.random.Generator) -> np.ndarray:
    """Returns the indices of at most `limit` of `count` things, all of them if they are no more, without repetition."""
    if count <= limit:
        return np.arange(count)
    return draws.choice(count, limit, replace=False, shuffle=False)
