"""Why detections are wrong and boxes missed: the kinds of TIDE (Bolya et al., ECCV 2020), and what each costs.

Each wrong detection has one kind, the first of this list that fits; IoU is that with any box of the picture but crowds:

- duplicate: 0.5 or more with a box of its class, which a detection of a higher score has found;
- class: 0.5 or more with a box of another class;
- localisation: 0.1 to 0.5 with a box of its class;
- class and localisation: 0.1 to 0.5 with a box of another class;
- background: less than 0.1 with every box.

A box is missed that no detection found and that no detection of the kinds class and localisation is at.
"""

from dataclasses import dataclass

import numpy as np

from utils.detection.results.report.matching import FOUND_IOU, Match, Pairs
from utils.detection.results.report.precision import Ranked, mean_precision, rank, ranked

DUPLICATE, CLASS, LOCALISATION, BOTH, BACKGROUND, MISSED = KINDS = (
    "duplicate",
    "class",
    "localisation",
    "class and localisation",
    "background",
    "missed",
)
RIGHT = -1  # in the place of a kind


@dataclass(frozen=True, eq=False)
class Errors:
    """The kind of each detection, and the box that it is about.

    Attributes:
        kind: int64[N], index into `KINDS`; `RIGHT` for right ones and for those of crowds.
        truth: int64[N], for the kinds class and localisation the box that it is at; else -1.
    """

    kind: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class KindOfError:
    """What the evaluation has of a kind.

    Attributes:
        name: of `KINDS`.
        num_shown: with a score from that of the best F1 on, or boxes missed with these.
        num_all: with any score, or boxes missed by all.
        gain: what AP50 would rise by, were all errors of this kind alone mended, whatever their score.
    """

    name: str
    num_shown: int
    num_all: int
    gain: float


def find_errors(match: Match) -> Errors:
    """Finds the kind of each wrong detection."""
    count = len(match.found)
    pairs = match.pairs.where(~match.truths.is_ignored[match.pairs.truth])
    is_same = match.found.label[pairs.found] == match.truths.label[pairs.truth]
    (own_iou, own), (other_iou, other) = (_best(pairs.where(each), count) for each in (is_same, ~is_same))
    kind = np.select(
        [own_iou >= FOUND_IOU, other_iou >= FOUND_IOU, own_iou > 0, other_iou > 0],
        [KINDS.index(each) for each in (DUPLICATE, CLASS, LOCALISATION, BOTH)],
        KINDS.index(BACKGROUND),
    )
    kind = np.where(match.is_right | match.is_ignored, RIGHT, kind)
    truth = np.select([kind == KINDS.index(CLASS), kind == KINDS.index(LOCALISATION)], [other, own], -1)
    return Errors(kind, truth)


def count_errors(match: Match, errors: Errors, min_score: float) -> list[KindOfError]:
    """Counts the errors and what each kind costs.

    Args:
        match: of all detections.
        errors: of the match.
        min_score: from which detections are shown.
    """
    everything = np.ones(len(match.found), bool)
    is_shown = match.found.score >= min_score
    before = mean_precision(rank(match))
    return [
        KindOfError(
            name,
            _count(match, errors, name, is_shown),
            _count(match, errors, name, everything),
            _mended_precision(match, errors, name) - before,
        )
        for name in KINDS
    ]


def is_missed(match: Match, errors: Errors, counts: np.ndarray) -> np.ndarray:
    """Returns bool[M], the boxes that the detections of bool[N] miss."""
    near = np.zeros(len(match.truths), bool)
    near[errors.truth[counts & (errors.truth >= 0)]] = True
    return ~match.truths.is_ignored & ~match.is_found(counts) & ~near


def _count(match: Match, errors: Errors, name: str, counts: np.ndarray) -> int:
    if name == MISSED:
        return int(is_missed(match, errors, counts).sum())
    return int((counts & (errors.kind == KINDS.index(name))).sum())


def _mended_precision(match: Match, errors: Errors, name: str) -> float:
    """Returns what AP50 would be without the errors of a kind: 1 where no box is found, and none were missed."""
    value = mean_precision(_mended(match, errors, name))
    return 1.0 if name == MISSED and np.isnan(value) and match.num_truths.sum() else value


def _mended(match: Match, errors: Errors, name: str) -> Ranked:
    """Returns the detections as they would be without the errors of a kind.

    A wrong class or place is put right where no other detection has found the box; of several the one with the highest
    score stays. Wrong detections that cannot be put right are taken away, and missed boxes need not be found.
    """
    label, is_right, num_truths = match.found.label.copy(), match.is_right.copy(), match.num_truths
    if name == MISSED:
        missed = is_missed(match, errors, np.ones(len(match.found), bool))
        num_truths = num_truths - np.bincount(match.truths.label[missed], minlength=match.num_classes)
        return _ranked(match, label, is_right, ~match.is_ignored, num_truths)
    wrong = errors.kind == KINDS.index(name)
    mended = _to_mend(match, errors, np.flatnonzero(wrong & (errors.truth >= 0)))
    label[mended] = match.truths.label[errors.truth[mended]]
    is_right[mended] = True
    stays = ~match.is_ignored & ~wrong
    stays[mended] = True
    return _ranked(match, label, is_right, stays, num_truths)


def _to_mend(match: Match, errors: Errors, wrong: np.ndarray) -> np.ndarray:
    """Returns of int64[W] detections those that get the box that they are at."""
    is_found = match.is_found(np.ones(len(match.found), bool))
    wrong = wrong[~is_found[errors.truth[wrong]]]
    wrong = wrong[np.argsort(-match.found.score[wrong], kind="stable")]
    _, first = np.unique(errors.truth[wrong], return_index=True)
    return wrong[first]


def _ranked(match: Match, label: np.ndarray, is_right: np.ndarray, stays: np.ndarray, num_truths: np.ndarray) -> Ranked:
    return ranked(label[stays], match.found.score[stays], is_right[stays], num_truths)


def _best(pairs: Pairs, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each of `count` detections the largest IoU, float64[N], 0 for none, and its box, int64[N]."""
    iou, truth = np.zeros(count), np.full(count, -1, np.int64)
    order = np.argsort(pairs.iou, kind="stable")  # what is written last stays
    iou[pairs.found[order]], truth[pairs.found[order]] = pairs.iou[order], pairs.truth[order]
    return iou, truth
