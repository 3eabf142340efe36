"""Detects in every image of a split and scores what was found with the COCO metrics."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from utils.detection.canvases.plan import CanvasBatch, log_canvases, plan_batches
from utils.detection.detections import DetectionClock, Detections, Detector
from utils.detection.evaluated.batches import evaluation_batches
from utils.detection.inputs import InputSettings
from utils.detection.results.coco_metrics import CocoResult, as_values, detections_to_coco, result_of
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.pictures.evaluation_pictures import EvaluationPicture, draw_pictures
from utils.detection.results.pictures.operating_point import choose_min_score
from utils.detection.results.report.extras import Extras, write_extras
from utils.detection.results.result_json import write_predictions, write_result
from utils.image_files import evenly_spread
from utils.model_utils.workers import ALONE, Workers
from utils.progress import track

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class DetectionEvaluation:
    """One evaluation of a split.

    Attributes:
        result: the COCO metrics.
        detections: everything found, in COCO result format.
        network_seconds: spent in the network by this worker, without compiling.
        selection_seconds: spent in thresholds and suppression on the host.
        pictures: what is needed to draw some images, evenly spread over the split.
    """

    result: CocoResult
    detections: list[dict]
    network_seconds: float
    selection_seconds: float
    pictures: tuple[EvaluationPicture, ...] = ()


@dataclass(frozen=True, eq=False)
class DetectionEvaluator:
    """Evaluates a detector on a split as often as it is asked to, each worker its share of the batches.

    The numbers are those of one worker; where there are several, all have to ask.

    Attributes:
        detector: what finds the objects; it may share its weights with a training network.
        split: what it is evaluated on.
        inputs: what the network takes.
        batch_size: images in a call of the detector.
        num_loaders: threads that prepare images.
        picture_min_score: boxes below this score are not drawn; None for the score of the best F1.
        workers: the job.
    """

    detector: Detector
    split: EvaluationSplit
    inputs: InputSettings
    batch_size: int
    num_loaders: int
    picture_min_score: float | None
    workers: Workers = ALONE

    def evaluate(self, num_pictures: int = 0, *, is_fast: bool = False) -> DetectionEvaluation:
        """Runs the whole split; of this worker's images `num_pictures`, evenly spread, are kept to be drawn.

        With `is_fast`, faster-coco-eval counts instead of pycocotools.
        """
        self.detector.begin()
        clock = DetectionClock()
        category_ids = self.split.match.classes.category_ids
        rows: dict[int, list[dict]] = {}  # by the image's position
        kept: dict[int, tuple[int, bytes, Detections]] = {}
        own = self._own_batches()
        shown = evenly_spread(sorted(position for batch in own for position in batch.members), num_pictures)
        batches = evaluation_batches(self.split.images, self.inputs, own, self.num_loaders)
        for batch in track(batches, len(own), "evaluating"):
            found_in_batch = self.detector.detect(batch.images, scales=batch.scales, sizes=batch.sizes, clock=clock)
            for index, found in enumerate(found_in_batch):
                position, image_id = batch.positions[index], batch.image_ids[index]
                rows[position] = detections_to_coco(image_id, found.boxes, found.scores, found.labels, category_ids)
                if position in shown:
                    kept[position] = image_id, batch.encoded[index], found
        detections = self._of_all_images(rows)
        result = self.split.score(detections, is_fast=is_fast) if self.workers.is_main else None
        if result is None or self.workers.count > 1:
            result = result_of(self.workers.broadcast({} if result is None else as_values(result)))
        return DetectionEvaluation(
            result,
            detections,
            clock.network,
            clock.selection,
            self._pictures([each for _, each in sorted(kept.items())]),
        )

    def _pictures(self, kept: Sequence[tuple[int, bytes, Detections]]) -> tuple[EvaluationPicture, ...]:
        truths = self.split.true_boxes([number for number, _, _ in kept])
        names = self.split.file_names()
        return tuple(
            EvaluationPicture(number, names[number], encoded, found, *truths[number]) for number, encoded, found in kept
        )

    @cached_property
    def _batches(self) -> tuple[CanvasBatch, ...]:
        """The batches of all workers together; the log says on which canvases they lie."""
        if self.inputs.rule is None:
            return plan_batches([self.inputs.size] * self.split.images.num_images, self.batch_size)
        sizes = self.split.images.sizes(self.num_loaders)
        batches = plan_batches([self.inputs.canvas(size) for size in sizes], self.batch_size)
        if self.workers.is_main:
            log_canvases(batches, self.detector.limit)
        return batches

    def _own_batches(self) -> list[CanvasBatch]:
        """Returns this worker's batches, those of canvases that need no compiling first.

        They are neighbours, so that few canvases are compiled by several workers, and never divided, since what is
        found could depend in its last bits on the size of a batch.
        """
        own, ready = self.workers.share_block(self._batches), self.detector.canvases
        return sorted(own, key=lambda batch: batch.canvas not in ready)

    def _of_all_images(self, rows_of_share: dict[int, list[dict]]) -> list[dict]:
        """Puts what all workers have found, lists by position, together in the order of the images."""
        rows: dict[int, list[dict]] = {}
        for share in self.workers.gather(list(rows_of_share.items())):
            rows.update(share)
        return list(chain.from_iterable(rows[position] for position in range(self.split.images.num_images)))


def evaluate_and_write(
    evaluator: DetectionEvaluator,
    folder: Path,
    num_pictures: int,
    show: Callable[[DetectionEvaluation], None],
    extras: Extras | None = None,
) -> DetectionEvaluation:
    """Evaluates; leaves result.json, predictions.json and, when these are written, pictures and a report in a folder.

    Args:
        evaluator: what evaluates.
        folder: takes the files.
        num_pictures: images that are drawn.
        show: prints what was found, also where it cannot be written: the numbers have taken hours.
        extras: what else is asked for; None: nothing.

    Raises:
        BadStateError: a file cannot be written, e.g. because the disk is full.
    """
    evaluation = evaluator.evaluate(num_pictures)
    try:
        _write(evaluation, evaluator, folder, extras or Extras())
    finally:
        show(evaluation)
    return evaluation


def _write(evaluation: DetectionEvaluation, evaluator: DetectionEvaluator, folder: Path, extras: Extras) -> None:
    """Writes the smallest file first: where there is little room it is there, and has the numbers."""
    write_result(evaluation.result, folder)
    write_predictions(evaluation.detections, folder)
    min_score, why = choose_min_score(evaluator.picture_min_score, evaluation.result.operating_point)
    if evaluation.pictures:
        logger.info("%s", why)
        draw_pictures(evaluation.pictures, evaluator.split.match.classes.names, min_score, folder / "pictures")
    write_extras(
        extras,
        evaluation.result,
        evaluation.detections,
        evaluator.split,
        min_score=min_score,
        folder=folder,
        num_loaders=evaluator.num_loaders,
    )
