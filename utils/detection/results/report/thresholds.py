"""A copy of a checkpoint that knows from which score each of its classes is worth showing."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from utils.detection.results.class_match import ClassMatch
from utils.detection.results.pictures.operating_point import OperatingPoint
from utils.model_utils.config.yaml_files import parse_value
from utils.model_utils.errors import BadStateError
from utils.model_utils.files import stamp_of
from utils.training.checkpoints.checkpoint import Checkpoint, MinScores, load_checkpoint, save_checkpoint
from utils.words import agreed, counted, first_of, worded

ENDING = "_thresholds"  # of the name of the copy
MOST_NAMED = 5  # classes in a sentence
DROPPING = ("min_score", "test_score_thr")  # keys of the suites: boxes below these scores are dropped

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ThresholdCopy:
    """The copy of a checkpoint that an evaluation is to write.

    Attributes:
        source: the checkpoint, which is never changed.
        stamp: what the file system says of it when it was read for the evaluation.
        path: the copy.
        suite: of the network, for a checkpoint that does not say it.
    """

    source: Path
    stamp: tuple[int, ...]
    path: Path
    suite: str = ""

    def write(self, scores: np.ndarray, match: ClassMatch, point: OperatingPoint | None) -> None:
        """Writes the copy; where no detection is right, says that there is nothing to store.

        Args:
            scores: float64[C], where F1 of each scored class is best, by category id; NaN where nothing is right.
            match: the scored classes among those of the detector.
            point: best F1 of all classes together, whose score stands for classes without one of their own.

        Raises:
            BadStateError: it cannot be written, or the checkpoint has changed since it was evaluated.
        """
        if point is None:
            logger.warning("no detection is right, so no class has a score to store: '%s' is not written", self.path)
            return
        if stamp_of(self.source) != self.stamp:
            raise BadStateError(
                f"'{self.source}' has changed since it was evaluated, so '{self.path.name}' is not written: evaluate a "
                "checkpoint that no training replaces"
            )
        own = dict(zip(match.scored_ids, scores.tolist(), strict=True))
        by_class = [own.get(number, np.nan) for number in match.classes.category_ids]
        without = _without_score(match, own)
        kept = [float(point.min_score if score != score else score) for score in by_class]
        stored = load_checkpoint(self.source)
        if not stored.has_training_state:
            names = match.classes.names if match.classes.is_named else ()
            stored = replace(stored, class_names=names, category_ids=match.classes.category_ids if names else ())
        stored = replace(stored, suite=stored.suite or self.suite)
        save_checkpoint(self.path, replace(stored, min_scores=MinScores(overall=point.min_score, by_class=kept)))
        logger.info("the best score of each class is stored in '%s'%s", self.path, _said(without, point))
        _warn_of_lower_scores(stored, min(kept))


def plan_copy(stored: Checkpoint, folder: Path, *, overwrite: bool) -> ThresholdCopy:
    """Returns what is to be written, before the hours of an evaluation.

    Args:
        stored: the checkpoint.
        folder: takes the copy.
        overwrite: whether an older copy may be replaced.

    Raises:
        BadStateError: the copy is there already, the checkpoint is such a copy, or the folder is not writable.
    """
    source = stored.path
    if source.stem.endswith(ENDING):
        raise BadStateError(
            f"'{source}' already has a score for each class: evaluate the checkpoint that it was made from, or leave "
            "--store_thresholds out"
        )
    path = folder / f"{source.stem}{ENDING}.ckpt"
    if path.is_dir():
        raise BadStateError(f"'{path}', which store_thresholds would write, is a folder: move it away")
    if path.exists() and not overwrite:
        raise BadStateError(
            f"'{path}', which store_thresholds would write, is there already: replace it with --overwrite=True, or "
            "move it away"
        )
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise BadStateError(
            f"'{folder}' is not writable, so that store_thresholds cannot write '{path.name}' there: change its "
            "permissions, or copy the checkpoint to another folder"
        )
    return ThresholdCopy(source, stamp_of(source), path, stored.suite)


def _warn_of_lower_scores(stored: Checkpoint, lowest: float) -> None:
    """Says that an inference drops boxes before these scores are asked."""
    found = parse_value(stored.config_text)
    keys = found if isinstance(found, dict) else {}
    for key in DROPPING:
        dropped = keys.get(key)
        if isinstance(dropped, float | int) and lowest < dropped:
            logger.warning(
                "the lowest of these scores is %.3g, and inference drops boxes below %s %g: give it --%s=%.3g too",
                lowest,
                key,
                dropped,
                key,
                lowest,
            )


def _without_score(match: ClassMatch, own: Mapping[int, float]) -> dict[str, list[str]]:
    """Returns the names of the classes without a score of their own, by the reason."""
    named = list(zip(match.classes.names, match.classes.category_ids, strict=True))
    return {
        "without a right detection": [name for name, number in named if number in own and own[number] != own[number]],
        "that [was|were] not evaluated": [name for name, number in named if number not in own],
    }


def _said(without: Mapping[str, list[str]], point: OperatingPoint) -> str:
    return "".join(
        f"; {counted(len(names), 'class')} {worded(len(names), reason)} {agreed(len(names), 'has', 'have')} the score "
        f"of all classes, {point.min_score:.3g}: {first_of(names, MOST_NAMED)}"
        for reason, names in without.items()
        if names
    )
