"""Which class was taken for which, and the result of each picture, at one score."""

from dataclasses import dataclass

import numpy as np

from utils.detection.results.report.matching import FOUND_IOU, Match, match_in_turn, rank_in_groups


@dataclass(frozen=True, eq=False)
class PictureCounts:
    """What was found in each picture; boxes and detections of crowds do not count.

    Attributes:
        right: int64[I], boxes that were found.
        wrong: int64[I], detections that found none.
        missed: int64[I], boxes that were not found.
    """

    right: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """float64[I], 2 right / (2 right + wrong + missed); NaN for a picture without boxes in which none was found."""
        total = 2 * self.right + self.wrong + self.missed
        return np.where(total > 0, 2 * self.right / np.maximum(total, 1), np.nan)


def confusion_matrix(match: Match, min_score: float) -> np.ndarray:
    """Returns int64[C + 1, C + 1]: boxes by true class (row) and the class that they were taken for (column).

    The last row counts detections without a box, the last column boxes without a detection. Detections count from
    `min_score` on. First each finds a box of its own class, as AP50 has it; those that are left then take, by falling
    score, the free box of another class that they overlap most, from IoU 0.5 on.
    """
    is_shown = match.found.score >= min_score
    found_truth = match.is_found(is_shown)
    left = is_shown & (match.truth_of < 0)
    is_free = ~found_truth & ~match.truths.is_ignored
    pairs = match.pairs.where(match.pairs.iou >= FOUND_IOU)
    pairs = pairs.where(left[pairs.found] & is_free[pairs.truth])
    other = match_in_turn(pairs, _turns_in_pictures(match), match.truths.is_ignored)
    truth_of = np.where(is_shown & match.is_right, match.truth_of, other)
    background = match.num_classes
    counted = np.flatnonzero(is_shown & ~match.is_ignored)
    of_truth = np.append(match.truths.label, background)  # the last one for the index -1
    taken = np.zeros(len(match.truths), bool)
    taken[truth_of[truth_of >= 0]] = True
    missed = match.truths.label[~taken & ~match.truths.is_ignored]
    rows = np.concatenate([of_truth[truth_of[counted]], missed])
    columns = np.concatenate([match.found.label[counted], np.full(len(missed), background)])
    side = match.num_classes + 1
    return np.bincount(rows * side + columns, minlength=side * side).reshape(side, side)


def count_pictures(match: Match, min_score: float) -> PictureCounts:
    """Counts what was found in each picture with detections from `min_score` on."""
    is_shown = match.found.score >= min_score
    missed = ~match.is_found(is_shown) & ~match.truths.is_ignored

    def count(images: np.ndarray) -> np.ndarray:
        return np.bincount(images, minlength=match.num_images)

    return PictureCounts(
        right=count(match.found.image[is_shown & match.is_right]),
        wrong=count(match.found.image[is_shown & ~match.is_right & ~match.is_ignored]),
        missed=count(match.truths.image[missed]),
    )


def worst_pictures(counts: PictureCounts, number: int) -> np.ndarray:
    """Returns int64[K], the pictures with the lowest F1, worst first; of equals those with the most errors."""
    wrong = counts.wrong + counts.missed
    order = np.lexsort((-wrong, counts.f1))  # NaN comes last
    return order[wrong[order] > 0][:number]


def best_pictures(counts: PictureCounts, number: int) -> np.ndarray:
    """Returns int64[K], the pictures with the highest F1, best first; of equals those with the most boxes."""
    order = np.lexsort((-counts.right, -counts.f1))
    return order[counts.right[order] > 0][:number]


def _turns_in_pictures(match: Match) -> np.ndarray:
    """Returns int64[N], the place of each detection in its picture by falling score, over all classes."""
    order = np.lexsort((-match.found.score, match.found.image))
    turns = np.zeros(len(order), np.int64)
    turns[order] = rank_in_groups(match.found.image[order])
    return turns
