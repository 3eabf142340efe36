"""Which detection found which box: COCO's rules at IoU 0.5, for all pictures and classes at once.

pycocotools goes from picture to picture; here the first-ranked detections of all pictures and classes choose together,
then the second-ranked, and so on, which takes a second for COCO's 5,000 pictures and gives the same pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from utils.detection.boxes import xywh_to_xyxy
from utils.detection.results.detection_limit import LIMIT

FOUND_IOU = 0.5  # from here on a box is found; COCO's AP50, and the foreground threshold of TIDE
NEAR_IOU = 0.1  # below, a detection has nothing to do with a box; the background threshold of TIDE
PAIRS_AT_ONCE = 2_000_000  # of detections and boxes that are compared: some 100 MB
_TINY = 1e-10  # what pycocotools takes off an IoU of 1


@dataclass(frozen=True, eq=False)
class Truths:
    """The annotated boxes of the pictures, in their order and, within a picture, in that of the file.

    Attributes:
        image: int64[M], place of the picture among those of the evaluation.
        label: int64[M], place of the class among those that are scored.
        boxes: float64[M, 4], xyxy, pixels.
        area: float64[M], pixels squared, as the file says: that of the outline, where it has one.
        is_ignored: bool[M], crowds: found or not, they count for nothing.
    """

    image: np.ndarray
    label: np.ndarray
    boxes: np.ndarray
    area: np.ndarray
    is_ignored: np.ndarray

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True, eq=False)
class Found:
    """The detections that count, by picture, class and falling score.

    Attributes:
        image: int64[N], as of `Truths`.
        label: int64[N], likewise.
        boxes: float64[N, 4], xyxy, pixels.
        score: float64[N], in [0, 1].
        rank: int64[N], place among the detections of the same picture and class, from 0.
    """

    image: np.ndarray
    label: np.ndarray
    boxes: np.ndarray
    score: np.ndarray
    rank: np.ndarray

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Detections and boxes of the same picture that overlap, of any class.

    Attributes:
        found: int64[P], index of the detection.
        truth: int64[P], index of the box.
        iou: float64[P], at least `NEAR_IOU`; for a crowd the share of the detection that lies in it.
    """

    found: np.ndarray
    truth: np.ndarray
    iou: np.ndarray

    def where(self, chosen: np.ndarray) -> "Pairs":
        """Returns the pairs of bool[P]."""
        return Pairs(self.found[chosen], self.truth[chosen], self.iou[chosen])


@dataclass(frozen=True, eq=False)
class Match:
    """What was compared, and which detection found which box.

    Attributes:
        num_images: pictures of the evaluation.
        num_classes: classes that are scored.
        truths: the annotated boxes.
        found: the detections.
        pairs: those that overlap.
        truth_of: int64[N], the box of its class that a detection found, crowds among them; -1 for none.
    """

    num_images: int
    num_classes: int
    truths: Truths
    found: Found
    pairs: Pairs
    truth_of: np.ndarray

    @cached_property
    def is_ignored(self) -> np.ndarray:
        """bool[N], detections of crowds, which count neither as right nor as wrong."""
        return (self.truth_of >= 0) & self.truths.is_ignored[self.truth_of] if len(self.truths) else self._none

    @cached_property
    def is_right(self) -> np.ndarray:
        """bool[N], detections that found a box."""
        return (self.truth_of >= 0) & ~self.is_ignored

    @cached_property
    def num_truths(self) -> np.ndarray:
        """int64[C], boxes of each class that are to be found."""
        return np.bincount(self.truths.label[~self.truths.is_ignored], minlength=self.num_classes)

    @property
    def _none(self) -> np.ndarray:
        return np.zeros(len(self.found), bool)

    def is_found(self, counts: np.ndarray) -> np.ndarray:
        """Returns bool[M], boxes that were found by the detections of bool[N]."""
        is_found = np.zeros(len(self.truths), bool)
        is_found[self.truth_of[counts & self.is_right]] = True
        return is_found


def match_all(
    ground_truth: dict, detections: Sequence[dict], image_ids: Sequence[int], category_ids: Sequence[int]
) -> Match:
    """Matches detections as COCO does at IoU 0.5.

    Args:
        ground_truth: annotations in COCO's form.
        detections: in COCO's result format.
        image_ids: ids of the pictures, in COCO's order, ascending; others are left out.
        category_ids: ids of the classes that are scored, likewise.
    """
    truths, found = _truths(ground_truth, image_ids, category_ids), _found(detections, image_ids, category_ids)
    pairs = _pairs(found, truths, len(image_ids))
    same = (found.label[pairs.found] == truths.label[pairs.truth]) & (pairs.iou >= min(FOUND_IOU, 1 - _TINY))
    truth_of = match_in_turn(pairs.where(same), found.rank, truths.is_ignored)
    return Match(len(image_ids), len(category_ids), truths, found, pairs, truth_of)


def match_in_turn(pairs: Pairs, turn: np.ndarray, is_ignored: np.ndarray) -> np.ndarray:
    """Lets each detection choose the box that it overlaps most of those that are free; ignored ones if there is none.

    Args:
        pairs: what may be matched. Detections of one turn have no box in common.
        turn: int64[N], when a detection chooses.
        is_ignored: bool[M], boxes that stay free when they are chosen.

    Returns:
        int64[N], the box of each detection, -1 for none.
    """
    truth_of = np.full(len(turn), -1, np.int64)
    # Of boxes with the same overlap pycocotools takes the last.
    keys = (-pairs.truth, -pairs.iou, is_ignored[pairs.truth], pairs.found, turn[pairs.found])
    order = np.lexsort(keys)
    found, truth, turns = pairs.found[order], pairs.truth[order], turn[pairs.found][order]
    is_free = np.ones(len(is_ignored), bool)
    ends = np.unique(np.append(np.flatnonzero(np.diff(turns)) + 1, len(turns)))
    start = 0
    for end in ends.tolist():  # as many as a picture has detections of a class, at most
        free = is_free[truth[start:end]]
        choosing, chosen = found[start:end][free], truth[start:end][free]
        is_first = np.append(True, choosing[1:] != choosing[:-1])[: len(choosing)]
        truth_of[choosing[is_first]] = chosen[is_first]
        is_free[chosen[is_first]] = is_ignored[chosen[is_first]]
        start = end
    return truth_of


def _truths(ground_truth: dict, image_ids: Sequence[int], category_ids: Sequence[int]) -> Truths:
    annotations = ground_truth["annotations"]
    image = _places([each["image_id"] for each in annotations], image_ids)
    label = _places([each["category_id"] for each in annotations], category_ids)
    boxes_xywh = np.array([each["bbox"] for each in annotations], np.float64).reshape(-1, 4)
    own_area = boxes_xywh[:, 2] * boxes_xywh[:, 3]
    given = [each.get("area", np.nan) for each in annotations]
    area = np.where(np.isnan(np.array(given, np.float64)), own_area, given)
    is_crowd = np.array([bool(each.get("iscrowd", 0)) for each in annotations], bool)
    kept = np.flatnonzero((image >= 0) & (label >= 0))
    kept = kept[np.argsort(image[kept], kind="stable")]
    boxes = xywh_to_xyxy(boxes_xywh)
    return Truths(image[kept], label[kept], boxes[kept], area[kept], is_crowd[kept])


def _found(detections: Sequence[dict], image_ids: Sequence[int], category_ids: Sequence[int]) -> Found:
    image = _places([each["image_id"] for each in detections], image_ids)
    label = _places([each["category_id"] for each in detections], category_ids)
    boxes = xywh_to_xyxy(np.array([each["bbox"] for each in detections], np.float64).reshape(-1, 4))
    score = np.array([each["score"] for each in detections], np.float64)
    order = np.lexsort((-score, label, image))  # stable, as pycocotools' own sorting is
    order = order[(image[order] >= 0) & (label[order] >= 0)]
    group = image[order] * len(category_ids) + label[order]
    rank = rank_in_groups(group)
    order, rank = order[rank < LIMIT], rank[rank < LIMIT]
    return Found(image[order], label[order], boxes[order], score[order], rank)


def rank_in_groups(groups: np.ndarray) -> np.ndarray:
    """Returns int64[N], the place of each member within its group, from 0; groups, int64[N], stand together."""
    starts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1])[: len(groups)])
    lengths = np.diff(np.append(starts, len(groups)))
    return np.arange(len(groups)) - np.repeat(starts, lengths)


def _places(values: Sequence[int], ids: Sequence[int]) -> np.ndarray:
    """Returns int64[N], the place of each value among ids; -1 for others."""
    place_of = {number: place for place, number in enumerate(ids)}
    return np.array([place_of.get(value, -1) for value in values], np.int64)


def _pairs(found: Found, truths: Truths, num_images: int) -> Pairs:
    """Returns the pairs that overlap; a part of the pictures at a time, so that memory is bounded."""
    num_truths = np.bincount(truths.image, minlength=num_images)
    first_truth = np.cumsum(num_truths) - num_truths
    partners = num_truths[found.image]  # of each detection
    parts = [
        _near(found, truths, np.arange(start, end), partners[start:end], first_truth)
        for start, end in _portions(partners)
    ]
    columns = zip(*((part.found, part.truth, part.iou) for part in parts), strict=True) if parts else ()
    joined = [np.concatenate(column) for column in columns]
    return Pairs(*joined) if joined else Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def _portions(sizes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields ranges of int64[N] whose sum is at most `PAIRS_AT_ONCE`, or a single one that is larger."""
    ends, start = np.cumsum(sizes), 0
    while start < len(sizes):
        done = ends[start - 1] if start else 0
        end = max(int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")), start + 1)
        yield start, end
        start = end


def _near(found: Found, truths: Truths, chosen: np.ndarray, partners: np.ndarray, first_truth: np.ndarray) -> Pairs:
    """Compares the detections of int64[K] with all boxes of their pictures, int64[K] of them each."""
    detection = np.repeat(chosen, partners)
    offset = np.arange(len(detection)) - np.repeat(np.cumsum(partners) - partners, partners)
    truth = first_truth[found.image[detection]] + offset
    one, other = found.boxes[detection], truths.boxes[truth]
    width = np.minimum(one[:, 2], other[:, 2]) - np.maximum(one[:, 0], other[:, 0])
    height = np.minimum(one[:, 3], other[:, 3]) - np.maximum(one[:, 1], other[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    own, others = _area(one), _area(other)
    union = np.where(truths.is_ignored[truth], own, own + others - shared)
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    near = iou >= NEAR_IOU
    return Pairs(detection[near], truth[near], iou[near])


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
