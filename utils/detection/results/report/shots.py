"""The worst and the best pictures of an evaluation, the truth beside what was found."""

from collections.abc import Sequence

import numpy as np

from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.pictures.side_by_side import draw_truth_beside
from utils.detection.results.report.analysis import Analysis
from utils.images import decode_image
from utils.reports.pictures import Shot, small_jpeg
from utils.words import counted


def draw_shots(analysis: Analysis, split: EvaluationSplit, places: Sequence[int], num_loaders: int) -> list[Shot]:
    """Draws pictures of the split, with the detections that count.

    Args:
        analysis: of the evaluation.
        split: has the pictures.
        places: of the pictures, as the analysis counts them; the records hold them.
        num_loaders: threads that read.
    """
    position_of = {int(number): position for position, number in enumerate(split.images.image_ids)}
    if not places:
        return []
    positions = [position_of[analysis.image_ids[place]] for place in places]
    names = split.file_names()
    return [
        _shot(analysis, split, place, encoded, names[analysis.image_ids[place]])
        for place, encoded in zip(places, split.images.encoded(positions, num_loaders), strict=True)
    ]


def _shot(analysis: Analysis, split: EvaluationSplit, place: int, encoded: bytes, name: str) -> Shot:
    match, classes = analysis.match, split.match.classes
    is_found = match.found.image == place
    is_true = (match.truths.image == place) & ~match.truths.is_ignored
    own_index = split.match.scored_labels()  # so colours stay
    image = decode_image(encoded, f"image {analysis.image_ids[place]}")
    drawn = draw_truth_beside(
        image,
        match.truths.boxes[is_true].astype(np.float32),
        own_index[match.truths.label[is_true]],
        match.found.boxes[is_found].astype(np.float32),
        own_index[match.found.label[is_found]],
        match.found.score[is_found],
        classes.names,
        min_score=analysis.min_score,
    )
    return Shot(small_jpeg(drawn), name, _note(analysis, place))


def _note(analysis: Analysis, place: int) -> str:
    counts = analysis.pictures
    right, wrong, missed = (int(each[place]) for each in (counts.right, counts.wrong, counts.missed))
    found, others = counted(right, "box"), counted(wrong, "detection")
    return f"F1 {counts.f1[place]:.2f}: {found} found, {others} wrong, {missed} missed"
