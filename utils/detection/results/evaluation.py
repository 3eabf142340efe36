"""Detects in every image of a split and scores what was found with the COCO metrics."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from utils.detection.detections import DetectionClock, Detector
from utils.detection.inputs import EvaluationBatch, InputSettings, evaluation_batches
from utils.detection.results.coco_metrics import CocoResult, as_values, detections_to_coco, result_of
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.pictures.evaluation_pictures import EvaluationPicture, draw_pictures
from utils.detection.results.pictures.operating_point import choose_min_score
from utils.detection.results.result_json import metrics_of, write_predictions, write_result
from utils.model_utils.workers import ALONE, Workers
from utils.progress import track

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class DetectionEvaluation:
    """One evaluation of a split.

    Attributes:
        result: the COCO metrics.
        detections: everything found, in COCO result format.
        network_seconds: spent in the network by this worker, the first batch (which compiles) left out.
        selection_seconds: spent in thresholds and suppression on the host, likewise.
        pictures: what is needed to draw the first images.
    """

    result: CocoResult
    detections: list[dict]
    network_seconds: float
    selection_seconds: float
    pictures: tuple[EvaluationPicture, ...] = ()


@dataclass(frozen=True, eq=False)
class DetectionEvaluator:
    """Evaluates a detector on a split as often as it is asked to, each worker its share of the images.

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

    def evaluate(self, num_pictures: int = 0) -> DetectionEvaluation:
        """Runs the whole split; `num_pictures` of the first images of this worker's share are kept to be drawn."""
        self.detector.begin()
        classes = self.split.match.classes
        clock = DetectionClock()
        found_in_share: list[list[dict]] = []
        pictures: list[EvaluationPicture] = []
        share = self.workers.share(range(self.split.records.num_images))
        for batch in track(self._batches(share), -(-len(share) // self.batch_size), "evaluating"):
            found_in_batch = self.detector.detect(batch.images, scales=batch.scales, sizes=batch.sizes, clock=clock)
            for index, found in enumerate(found_in_batch):
                found_in_share.append(
                    detections_to_coco(
                        batch.image_ids[index], found.boxes, found.scores, found.labels, classes.category_ids
                    )
                )
                if len(pictures) < num_pictures:
                    pictures.append(EvaluationPicture(batch.image_ids[index], batch.encoded[index], found))
        detections = self._of_all_images(found_in_share)
        result = self.split.score(detections) if self.workers.is_main else None
        if self.workers.count > 1:
            result = result_of(self.workers.broadcast(result and as_values(result)))
        return DetectionEvaluation(result, detections, clock.network, clock.selection, tuple(pictures))

    def metrics(self, _epoch: int) -> Mapping[str, float]:
        """Returns mAP, AP50 and AP75, as the training loop asks for them after an epoch."""
        return metrics_of(self.evaluate().result)

    def _batches(self, positions: Sequence[int]) -> Iterator[EvaluationBatch]:
        return evaluation_batches(self.split.records, self.inputs, self.batch_size, self.num_loaders, positions)

    def _of_all_images(self, found_in_share: list[list[dict]]) -> list[dict]:
        """Puts the shares of all workers, a list for each image, together in the order of the images."""
        shares = self.workers.gather(found_in_share)
        count = self.workers.count
        return list(
            chain.from_iterable(
                shares[position % count][position // count] for position in range(self.split.records.num_images)
            )
        )


def evaluate_and_write(evaluator: DetectionEvaluator, folder: Path, num_pictures: int) -> DetectionEvaluation:
    """Evaluates; leaves result.json, predictions.json and, when these are written, pictures in a folder."""
    evaluation = evaluator.evaluate(num_pictures)
    write_predictions(evaluation.detections, folder)
    write_result(evaluation.result, folder)
    if evaluation.pictures:
        min_score, why = choose_min_score(evaluator.picture_min_score, evaluation.result.operating_point)
        logger.info("%s", why)
        draw_pictures(evaluation.pictures, evaluator.split.match.classes.names, min_score, folder / "pictures")
    return evaluation
