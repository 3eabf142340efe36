"""All that the page of an evaluation tells, counted once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.detection.results.coco_metrics import CocoResult
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.report.confusion import PictureCounts, confusion_matrix, count_pictures
from utils.detection.results.report.errors import KindOfError, count_errors, find_errors
from utils.detection.results.report.matching import Match, match_all
from utils.detection.results.report.precision import BestScores, Ranked, best_scores, rank


@dataclass(frozen=True, eq=False)
class Analysis:
    """What an evaluation comes to, picture by picture and class by class.

    Attributes:
        result: COCO's numbers.
        names: name of each class that is scored, in the order of `result.per_class`.
        image_ids: ids of the pictures, ascending.
        match: which detection found which box.
        ranks: detections as AP50 counts them.
        best: where F1 of each class is best.
        min_score: from which a detection counts in what follows.
        errors: kinds of errors.
        confusion: int64[C + 1, C + 1], see `confusion_matrix`.
        pictures: what was found in each.
    """

    result: CocoResult
    names: tuple[str, ...]
    image_ids: tuple[int, ...]
    match: Match
    ranks: Ranked
    best: BestScores
    min_score: float
    errors: list[KindOfError]
    confusion: np.ndarray
    pictures: PictureCounts


def match_split(split: EvaluationSplit, detections: Sequence[dict]) -> Match:
    """Matches what was found in a split with its boxes; classes in the order of their category ids."""
    return match_all(split.ground_truth, detections, image_ids_of(split), split.match.scored_ids)


def image_ids_of(split: EvaluationSplit) -> tuple[int, ...]:
    """Returns the ids of a split's pictures in the order in which COCO counts them."""
    return tuple(sorted({image["id"] for image in split.ground_truth["images"]}))


def analyse(result: CocoResult, split: EvaluationSplit, match: Match, min_score: float) -> Analysis:
    """Counts what went wrong.

    Args:
        result: COCO's numbers.
        split: what was evaluated on.
        match: of `match_split`.
        min_score: from which detections count as found, where a single score is needed.
    """
    ranks = rank(match)
    return Analysis(
        result=result,
        names=tuple(row.name for row in result.per_class),
        image_ids=image_ids_of(split),
        match=match,
        ranks=ranks,
        best=best_scores(ranks),
        min_score=min_score,
        errors=count_errors(match, find_errors(match), min_score),
        confusion=confusion_matrix(match, min_score),
        pictures=count_pictures(match, min_score),
    )
