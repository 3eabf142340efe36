"""Precision, recall and F1 of each class: as COCO counts AP50, over the score, and where F1 is best."""

from dataclasses import dataclass

import numpy as np

from utils.detection.results.detection_limit import RECALLS
from utils.detection.results.report.matching import Match

SCORES = np.linspace(0.0, 1.0, 101)  # at which F1 is drawn


@dataclass(frozen=True, eq=False)
class Ranked:
    """The detections that count, by class and falling score.

    Attributes:
        label: int64[K].
        score: float64[K].
        is_right: bool[K].
        num_truths: int64[C], boxes of each class that are to be found.
    """

    label: np.ndarray
    score: np.ndarray
    is_right: np.ndarray
    num_truths: np.ndarray

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.num_truths)


@dataclass(frozen=True, eq=False)
class BestScores:
    """Where F1 of each class is best.

    Attributes:
        score: float64[C], the lowest score that counts as found there; of equals the highest. NaN for a class of which
            nothing right was found.
        precision: float64[C], likewise.
        recall: float64[C]; 0 for a class with boxes of which nothing right was found, NaN for one without boxes.
        f1: float64[C], likewise.
    """

    score: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def rank(match: Match) -> Ranked:
    """Puts the detections of a match into the order in which COCO counts them; those of crowds are left out."""
    counted = np.flatnonzero(~match.is_ignored)
    return ranked(match.found.label[counted], match.found.score[counted], match.is_right[counted], match.num_truths)


def ranked(label: np.ndarray, score: np.ndarray, is_right: np.ndarray, num_truths: np.ndarray) -> Ranked:
    """Sorts detections, given in the order of the pictures; equal scores keep it, as in pycocotools."""
    order = np.lexsort((-score, label))
    return Ranked(label[order], score[order], is_right[order], num_truths)


def precision_at_recalls(ranks: Ranked) -> np.ndarray:
    """Returns float64[C, 101], the best precision that is had at each of COCO's recalls or above; NaN without boxes."""
    right, found = _running(ranks)
    has_boxes = (ranks.num_truths > 0)[:, None]
    if not len(found):
        return np.where(has_boxes, np.zeros(len(RECALLS)), np.nan)
    lift = 2.0 * (ranks.num_classes - ranks.label)  # one running maximum over all classes: none reaches into the next
    best = np.maximum.accumulate((right / found + lift)[::-1])[::-1] - lift
    classes = np.arange(ranks.num_classes)[:, None]
    apart = len(found) + int(ranks.num_truths.max()) + 2  # more than any class has right
    place = np.searchsorted(ranks.label * apart + right, classes * apart + _needed(ranks.num_truths))
    inside = np.minimum(place, len(found) - 1)
    is_reached = (place < len(found)) & (ranks.label[inside] == classes)
    return np.where(has_boxes, np.where(is_reached, best[inside], 0.0), np.nan)


def _needed(num_truths: np.ndarray) -> np.ndarray:
    """Returns int64[C, 101], how many of int64[C] boxes have to be found for each of `RECALLS`, bit for bit as COCO."""
    total = np.maximum(num_truths, 1)[:, None]
    least = np.floor(RECALLS * total).astype(np.int64)
    return least + (least / total < RECALLS)


def average_precision(ranks: Ranked) -> np.ndarray:
    """Returns float64[C], AP at IoU 0.5; NaN for classes without boxes."""
    return precision_at_recalls(ranks).mean(axis=1)


def mean_precision(ranks: Ranked) -> float:
    """Returns AP50, the mean over the classes that have boxes; NaN where none has."""
    values = average_precision(ranks)
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def f1_at_scores(ranks: Ranked) -> np.ndarray:
    """Returns float64[C, 101], F1 of each class from each of `SCORES` on; NaN for classes without boxes."""
    right, found = _running(ranks)
    # Falling scores of one class after the other are rising numbers: class numbers are twice as far apart.
    key = 2.0 * ranks.label - ranks.score
    wanted = 2.0 * np.arange(ranks.num_classes)[:, None] - SCORES
    place = np.searchsorted(key, wanted + 1e-9, side="right") - 1
    inside = np.maximum(place, 0)
    is_any = (place >= 0) & (ranks.label[inside] == np.arange(ranks.num_classes)[:, None]) if len(found) else None
    if is_any is None:
        return np.where((ranks.num_truths > 0)[:, None], np.zeros_like(wanted), np.nan)
    tp, total = np.where(is_any, right[inside], 0), np.where(is_any, found[inside], 0)
    f1 = 2 * tp / np.maximum(total + ranks.num_truths[:, None], 1)
    return np.where((ranks.num_truths > 0)[:, None], f1, np.nan)


def f1_of_all(ranks: Ranked) -> np.ndarray:
    """Returns float64[101], F1 of all classes counted together from each of `SCORES` on; NaN without boxes."""
    together = ranked(np.zeros_like(ranks.label), ranks.score, ranks.is_right, ranks.num_truths.sum(keepdims=True))
    return f1_at_scores(together)[0]


def best_scores(ranks: Ranked) -> BestScores:
    """Returns where F1 of each class is best."""
    right, found = _running(ranks)
    columns = np.full((4, ranks.num_classes), np.nan)
    columns[2:, ranks.num_truths > 0] = 0.0
    if not len(found):
        return BestScores(*columns)
    truths = ranks.num_truths[ranks.label]
    f1 = 2 * right / (found + np.maximum(truths, 1))
    ends_a_score = np.append((np.diff(ranks.score) != 0) | (np.diff(ranks.label) != 0), True)
    f1 = np.where(ends_a_score & (truths > 0), f1, -1.0)
    # Sorted by class and falling F1, the first of each class is its best; equal F1 stays by falling score.
    order = np.lexsort((-f1, ranks.label))
    labels = ranks.label[order]
    best = order[np.append(True, labels[1:] != labels[:-1])]
    best = best[f1[best] > 0]
    columns[:, ranks.label[best]] = (
        ranks.score[best],
        right[best] / found[best],
        right[best] / truths[best],
        f1[best],
    )
    return BestScores(*columns)


def _running(ranks: Ranked) -> tuple[np.ndarray, np.ndarray]:
    """Returns int64[K] twice: right detections, and detections, of its class up to each."""
    starts = np.searchsorted(ranks.label, np.arange(ranks.num_classes))
    right = np.append(0, np.cumsum(ranks.is_right))
    return right[1:] - right[starts][ranks.label], np.arange(1, len(ranks.label) + 1) - starts[ranks.label]
