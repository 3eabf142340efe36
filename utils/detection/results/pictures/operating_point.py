"""The score from which a detector's boxes are worth showing: that of the best F1, which an evaluation knows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools.cocoeval import COCOeval

from utils.detection.results.pictures.min_score import MinScore

IOU_INDEX, AREA_INDEX = 0, 0  # pycocotools' first IoU threshold, 0.5, and first range of areas, all
PICTURE_MIN_SCORE = "picture_min_score"  # name of the key, and of its value in the JSON of an exported model
CLASS_MIN_SCORES = "class_min_scores"  # in that JSON: the score of each class, where the checkpoint had them
THRESHOLD_METRIC = "F1_threshold"  # name among the metrics of a run, which its checkpoints store
FALLBACK_MIN_SCORE = 0.4  # where nothing is known of the detector; suits one whose scores reach near to 1


@dataclass(frozen=True)
class OperatingPoint:
    """Where precision and recall are balanced best, over all classes together.

    Attributes:
        min_score: the lowest score that counts as found.
        f1: 2 * right / (found + to be found) with these, in (0, 1]; a box is right from an IoU of 0.5 on.
    """

    min_score: float
    f1: float


def best_operating_point(evaluator: COCOeval) -> OperatingPoint | None:
    """Returns the score of the best F1 of an evaluation, of equals the highest; None where no detection is right.

    Matches are COCO's: crowds, what is matched to them and what is beyond 100 detections of an image do not count.

    Args:
        evaluator: after its `evaluate`, whose `evalImgs` go over categories, then ranges of areas, then images.
    """
    num_images = len(evaluator.params.imgIds)
    areas = len(evaluator.params.areaRng)
    found = [
        each
        for index, each in enumerate(evaluator.evalImgs)
        if each is not None and index // num_images % areas == AREA_INDEX
    ]
    if not found:
        return None
    counts = ~np.concatenate([each["dtIgnore"][IOU_INDEX] for each in found]).astype(bool)
    scores = np.concatenate([np.asarray(each["dtScores"], np.float64) for each in found])[counts]
    is_right = np.concatenate([each["dtMatches"][IOU_INDEX] for each in found])[counts] > 0
    num_truths = sum(int((np.asarray(each["gtIgnore"]) == 0).sum()) for each in found)
    return best_f1(scores, is_right, num_truths)


def best_f1(scores: np.ndarray, is_right: np.ndarray, num_truths: int) -> OperatingPoint | None:
    """Returns the score from which detections have the best F1.

    Args:
        scores: float64[N].
        is_right: bool[N], whether a box of the ground truth was found.
        num_truths: boxes to be found.
    """
    if not num_truths or not is_right.any():
        return None
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(is_right[order])
    f1 = 2 * right / (np.arange(1, len(ranked) + 1) + num_truths)
    ends_a_score = np.append(ranked[1:] != ranked[:-1], True)  # equal scores are drawn all or none
    best = int(np.argmax(np.where(ends_a_score, f1, -1.0)))
    return OperatingPoint(float(ranked[best]), float(f1[best]))


def choose_min_score(configured: float | None, point: OperatingPoint | None) -> tuple[float, str]:
    """Returns the score from which the boxes of an evaluation are drawn, and a line about it.

    Args:
        configured: the key `picture_min_score`.
        point: of the evaluation.
    """
    best = "" if point is None else f"best F1 {point.f1:.3f}"
    if configured is not None:
        also = f"; the {best} is from score {point.min_score:.3g}" if point else ""
        return configured, f"boxes from score {configured:g} (picture_min_score) are drawn{also}"
    if point is None:
        return FALLBACK_MIN_SCORE, f"boxes from score {FALLBACK_MIN_SCORE} are drawn: no detection is right, so no F1"
    return point.min_score, f"boxes from score {point.min_score:.3g} ({best}) are drawn"


def choose_stored_min_score(
    configured: float | None, stored: float | None, by_class: Sequence[float] = ()
) -> tuple[MinScore, str]:
    """Returns the scores from which infer.py draws boxes, and a line about them.

    Args:
        configured: the key `picture_min_score`.
        stored: that of the checkpoint, see `stored_min_score`.
        by_class: those of its classes, which count before it; empty where it has none.
    """
    if configured is not None:
        return MinScore(configured), f"boxes from score {configured:g} (picture_min_score) are drawn"
    if by_class:
        least, most = min(by_class), max(by_class)
        overall = least if stored is None else stored
        return MinScore(overall, tuple(by_class)), (
            f"boxes from the score of each class's best F1 are drawn, {least:.3g} to {most:.3g}, which "
            "store_thresholds has stored"
        )
    if stored is not None:
        return MinScore(
            stored
        ), f"boxes from score {stored:.3g} are drawn, that of the best F1 in the training's best evaluation"
    why = "no score of a best F1 is stored, since training had no run_eval or its evaluations found nothing right"
    return MinScore(FALLBACK_MIN_SCORE), f"boxes from score {FALLBACK_MIN_SCORE} are drawn: {why}"


def described_min_scores(settings: Mapping[str, object], num_classes: int) -> tuple[float | None, tuple[float, ...]]:
    """Returns the scores that the JSON of an exported model has: over all, None without one, and of each class."""
    overall, by_class = settings.get(PICTURE_MIN_SCORE), settings.get(CLASS_MIN_SCORES)
    scores = [float(each) for each in by_class if not isinstance(each, str)] if isinstance(by_class, list) else []
    return overall if isinstance(overall, float) else None, tuple(scores) if len(scores) == num_classes else ()


def stored_min_score(best: Mapping | None) -> float | None:
    """Returns the score of the best F1 that a checkpoint stores with its best evaluation; None where it has none."""
    value = ((best or {}).get("metrics") or {}).get(THRESHOLD_METRIC)
    return value if isinstance(value, float) and math.isfinite(value) else None
