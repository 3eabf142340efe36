"""Detects in every image of a split and scores what was found with the COCO metrics."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from utils.contact_sheet import contact_sheet
from utils.detection.data.mindrecord_info import MindRecordInfo
from utils.detection.detections import DetectionClock, Detections, Detector
from utils.detection.inputs import EvaluationBatch, InputSettings, evaluation_batches
from utils.detection.results.coco_metrics import CocoResult, detections_to_coco, evaluate_coco
from utils.detection.results.drawing import draw_detections
from utils.detection.results.result_json import metrics_of, write_predictions, write_result
from utils.images import decode_image, write_image
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
    """

    result: CocoResult
    detections: list[dict]
    network_seconds: float
    selection_seconds: float


@dataclass(frozen=True, eq=False)
class DetectionEvaluator:
    """Evaluates a detector on a split as often as it is asked to, each worker its share of the images.

    The numbers are those of one worker; where there are several, all have to ask.

    Attributes:
        detector: what finds the objects; it may share its weights with a training network.
        records: MindRecord files of the split.
        ground_truth: COCO annotations of the split, as a file or as its content.
        inputs: what the network takes.
        batch_size: images in a call of the detector.
        num_loaders: threads that prepare images.
        picture_min_score: boxes below this score are not drawn.
        workers: the job.
    """

    detector: Detector
    records: MindRecordInfo
    ground_truth: Path | dict
    inputs: InputSettings
    batch_size: int
    num_loaders: int
    picture_min_score: float
    workers: Workers = ALONE

    def evaluate(self, picture_folder: Path | None = None, num_pictures: int = 0) -> DetectionEvaluation:
        """Runs the whole split.

        Args:
            picture_folder: where pictures with the detections drawn go, beside an `overview.jpg` of them.
            num_pictures: how many of the first images of this worker's share are drawn.
        """
        self.detector.begin()
        clock = DetectionClock()
        found_in_share: list[list[dict]] = []
        pictures: list[np.ndarray] = []
        share = self.workers.share(range(self.records.num_images))
        for batch in track(self._batches(share), -(-len(share) // self.batch_size), "evaluating"):
            found_in_batch = self.detector.detect(batch.images, scales=batch.scales, sizes=batch.sizes, clock=clock)
            for index, found in enumerate(found_in_batch):
                found_in_share.append(
                    detections_to_coco(
                        batch.image_ids[index], found.boxes, found.scores, found.labels, self.records.category_ids
                    )
                )
                if len(pictures) < num_pictures:
                    pictures.append(self._draw(batch, index, found))
        if picture_folder is not None and pictures:
            _write_pictures(picture_folder, pictures)
        detections = self._of_all_images(found_in_share)
        result = None
        if self.workers.is_main:
            result = evaluate_coco(self.ground_truth, detections, category_ids=self.records.category_ids)
        return DetectionEvaluation(self.workers.broadcast(result), detections, clock.network, clock.selection)

    def metrics(self, _epoch: int) -> Mapping[str, float]:
        """Returns mAP, AP50 and AP75, as the training loop asks for them after an epoch."""
        return metrics_of(self.evaluate().result)

    def _batches(self, positions: Sequence[int]) -> Iterator[EvaluationBatch]:
        return evaluation_batches(self.records, self.inputs, self.batch_size, self.num_loaders, positions)

    def _of_all_images(self, found_in_share: list[list[dict]]) -> list[dict]:
        """Puts the shares of all workers, a list for each image, together in the order of the images."""
        shares = self.workers.gather(found_in_share)
        count = self.workers.count
        return list(
            chain.from_iterable(
                shares[position % count][position // count] for position in range(self.records.num_images)
            )
        )

    def _draw(self, batch: EvaluationBatch, index: int, found: Detections) -> np.ndarray:
        image = decode_image(batch.encoded[index], f"image {batch.image_ids[index]}")
        return draw_detections(
            image, found.boxes, found.labels, found.scores, self.records.class_names, min_score=self.picture_min_score
        )


def evaluate_and_write(evaluator: DetectionEvaluator, folder: Path, num_pictures: int) -> DetectionEvaluation:
    """Evaluates; leaves result.json, predictions.json and pictures in a folder."""
    evaluation = evaluator.evaluate(folder / "pictures", num_pictures)
    write_predictions(evaluation.detections, folder)
    write_result(evaluation.result, folder)
    return evaluation


def _write_pictures(folder: Path, pictures: list[np.ndarray]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        write_image(folder / f"{number:03d}.jpg", picture)
    write_image(folder / "overview.jpg", contact_sheet(pictures, columns=min(4, len(pictures))))
    logger.info("%d pictures with detections are in %s", len(pictures), folder)
