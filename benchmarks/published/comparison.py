"""Compares what two programs found in the same pictures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

SAME_BOX, SAME_SCORE = 0.5, 1e-3
NMS_THRESHOLD, NMS_MARGIN = 0.5, 0.01  # of both published detectors
CUT = "tie at the last place"
SUPPRESSION = "overlap at the threshold of suppression"
ROUNDING = "lost by MMDetection too when its weights change by a millionth"
UNEXPLAINED = "unexplained"


@dataclass(frozen=True, eq=False)
class Found:
    """Detections of one picture, best first.

    Attributes:
        boxes: float64[N, 4], xyxy, in pixels of the picture.
        scores: float64[N], 0 to 1.
        classes: int64[N].
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    @classmethod
    def of_lists(cls, boxes: Sequence, scores: Sequence, classes: Sequence) -> "Found":
        """Returns the detections of lists."""
        return cls(
            np.array(boxes, np.float64).reshape(-1, 4), np.array(scores, np.float64), np.array(classes, np.int64)
        )


@dataclass
class Agreement:
    """How far the detections of some pictures agree.

    Attributes:
        equal: picture to number of reference detections that the other program has too.
        wanted: picture to number of reference detections.
        reasons: why the others are missing, to their number.
        missing: picture to the places of the reference detections that are missing for no other reason.
        box_difference: largest difference of a coordinate of equal detections, pixels.
        score_difference: of their scores.
    """

    equal: dict[str, int] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    reasons: Counter = field(default_factory=Counter)
    missing: dict[str, list[int]] = field(default_factory=dict)
    box_difference: float = 0.0
    score_difference: float = 0.0

    def share(self, names: Sequence[str]) -> float:
        """Returns how many of 100 detections of some pictures are equal."""
        return 100 * sum(self.equal[name] for name in names) / max(1, sum(self.wanted[name] for name in names))

    def lowest(self, names: Sequence[str]) -> float:
        """Returns the same of the picture where it is lowest."""
        return min(self.share([name]) for name in names)


def compare_detections(reference: Mapping[str, Found], ours: Mapping[str, Found], limit: int = 100) -> Agreement:
    """Looks for each reference detection among ours: same class, IoU above 0.5, score within 1e-3, each used once.

    Args:
        reference: picture to what the other program found.
        ours: the same pictures.
        limit: detections that are kept of a picture.
    """
    agreement = Agreement()
    for name, wanted in reference.items():
        found = ours[name]
        pairs = equal_pairs(wanted, found)
        agreement.equal[name], agreement.wanted[name] = len(pairs), len(wanted.scores)
        for row, column in pairs:
            box = np.abs(wanted.boxes[row] - found.boxes[column]).max()
            agreement.box_difference = max(agreement.box_difference, box)
            score = abs(wanted.scores[row] - found.scores[column])
            agreement.score_difference = max(agreement.score_difference, score)
        for row in sorted(set(range(len(wanted.scores))) - {row for row, _ in pairs}):
            reason = _reason(row, wanted, found, limit)
            agreement.reasons[reason] += 1
            if reason == UNEXPLAINED:
                agreement.missing.setdefault(name, []).append(row)
    return agreement


def explain_by_rounding(agreement: Agreement, reference: Mapping[str, Found], changed: Sequence[Mapping]) -> None:
    """Explains what is missing where the reference, with weights that are a little changed, misses it too.

    Args:
        agreement: its reasons and what is missing change in place.
        reference: picture to what the reference found.
        changed: the same of the pictures where something is missing, once for each change.
    """
    for name, rows in list(agreement.missing.items()):
        kept = [{row for row, _ in equal_pairs(reference[name], of_change[name])} for of_change in changed]
        left = [row for row in rows if all(row in of_change for of_change in kept)]
        agreement.reasons[ROUNDING] += len(rows) - len(left)
        agreement.reasons[UNEXPLAINED] -= len(rows) - len(left)
        agreement.missing[name] = left


def equal_pairs(wanted: Found, found: Found) -> list[tuple[int, int]]:
    """Returns the places of equal detections, those of the highest overlap first, each used once."""
    overlaps = _overlaps_of_classes(wanted, found)
    is_equal = (overlaps > SAME_BOX) & (np.abs(wanted.scores[:, None] - found.scores[None]) <= SAME_SCORE)
    overlaps = np.where(is_equal, overlaps, 0)
    pairs, rows, columns = [], set(), set()
    for place in np.argsort(-overlaps, axis=None, kind="stable"):
        row, column = (int(part) for part in np.unravel_index(place, overlaps.shape))
        if overlaps[row, column] <= 0:
            break
        if row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
            pairs.append((row, column))
    return pairs


def box_overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the IoU of float[N, 4] and float[M, 4], xyxy, as float[N, M]."""
    top_left = np.maximum(boxes[:, None, :2], others[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas = [np.clip(part[:, 2:] - part[:, :2], 0, None).prod(axis=1) for part in (boxes, others)]
    return common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-9)


def _overlaps_of_classes(wanted: Found, found: Found) -> np.ndarray:
    overlaps = box_overlaps(wanted.boxes, found.boxes)
    return np.where(wanted.classes[:, None] == found.classes[None], overlaps, 0)


def _reason(row: int, wanted: Found, found: Found, limit: int) -> str:
    """Returns why a detection is missing."""
    score = wanted.scores[row]
    lowest = [other.scores.min() for other in (wanted, found) if len(other.scores) >= limit]
    if any(score - last <= SAME_SCORE for last in lowest):
        return CUT
    is_higher = found.scores > score - SAME_SCORE
    is_near = np.abs(_overlaps_of_classes(wanted, found)[row] - NMS_THRESHOLD) < NMS_MARGIN
    return SUPPRESSION if (is_higher & is_near).any() else UNEXPLAINED
