"""What an evaluation leaves beside its numbers where it is asked to: the page, and a copy of the checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.detection.keys import ResultKeys
from utils.detection.results.coco_metrics import CocoResult
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.report.analysis import analyse, match_split
from utils.detection.results.report.page import write_page
from utils.detection.results.report.precision import best_scores, rank
from utils.detection.results.report.thresholds import ThresholdCopy, plan_copy
from utils.drawing.guard import guard_drawing
from utils.model_utils.errors import BadValueError
from utils.model_utils.files import REPORT_NAME
from utils.training.checkpoints.checkpoint import Checkpoint


@dataclass(frozen=True)
class Extras:
    """What else is asked for.

    Attributes:
        about: what the page says that it is about, as words and texts; None for no page.
        copy: of the checkpoint, for the scores of its classes; None for none.
    """

    about: Mapping[str, str] | None = None
    copy: ThresholdCopy | None = None


def extras_of(config: ResultKeys, path: Path, stored: Checkpoint | None, folder: Path) -> Extras:
    """Returns what a command asks for.

    Args:
        config: of the command.
        path: of what is evaluated.
        stored: the checkpoint that is evaluated; None for an exported model.
        folder: of the results.

    Raises:
        BadValueError: thresholds are to be stored of an exported model.
        BadStateError: a copy of the checkpoint could not be written.
    """
    about = {"checkpoint" if stored else "model": str(path)} if config.make_report else None
    if not config.store_thresholds:
        return Extras(about)
    if stored is None:
        raise BadValueError(
            f"store_thresholds writes a copy of a checkpoint, and '{path}' is an exported model: evaluate the "
            "checkpoint with it, and export that copy"
        )
    # In a job, only what lies in the folder of the results is copied back.
    place = folder if getattr(config, "enable_modelarts", False) else stored.path.parent
    return Extras(about, plan_copy(stored, place, overwrite=bool(getattr(config, "overwrite", False))))


def write_extras(
    extras: Extras,
    result: CocoResult,
    detections: Sequence[dict],
    split: EvaluationSplit,
    *,
    min_score: float,
    folder: Path,
    num_loaders: int,
) -> None:
    """Writes what is asked for; a page that fails is said, and no more.

    Args:
        extras: what is asked for.
        result: COCO's numbers.
        detections: everything found, in COCO's result format.
        split: what was evaluated on.
        min_score: from which boxes are drawn.
        folder: takes the page.
        num_loaders: threads that read pictures for it.

    Raises:
        BadStateError: the copy of the checkpoint cannot be written.
    """
    match = match_split(split, detections) if extras.copy is not None else None
    if extras.copy is not None and match is not None:
        extras.copy.write(best_scores(rank(match)).score, split.match, result.operating_point)
    if extras.about is not None:
        with guard_drawing(f"the report in '{folder / REPORT_NAME}'"):
            analysis = analyse(result, split, match or match_split(split, detections), min_score)
            write_page(analysis, split, detections, extras.about, folder, num_loaders)
