"""From pictures to results: around a detector, and around a network that tells the class of each pixel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from utils.api.pictures import Picture
from utils.api.results import DetectionResult, Result, SegmentationResult
from utils.detection.canvases.plan import CanvasBatch, plan_batches
from utils.detection.data.class_names import ClassTable
from utils.detection.detections import DetectionClock, Detections
from utils.detection.inputs import InputSettings, fit_image
from utils.detection.results.pictures.min_score import MinScore
from utils.model_utils.errors import BadValueError
from utils.pixels import size_of


class Detects(Protocol):
    """What finds objects in a batch of inputs, as `utils.detection.detections.Detector` says."""

    def detect(self, images: np.ndarray, **about: object) -> list[Detections]:
        """Detects in float32[N, 3, H, W]."""


class Predicts(Protocol):
    """What tells the class of each pixel of uint8[H, W, 3] RGB."""

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Returns uint8[H, W]."""

    def predict_batch(self, images: Sequence[np.ndarray], batch_size: int) -> Iterable[np.ndarray]:
        """Returns uint8[H, W] for each of at most `batch_size` images of one size."""

    def predict_with_probabilities(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns uint8[H, W] and the probabilities float32[C, H, W]."""


class Engine(Protocol):
    """What a `Model` asks."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""

    def predict(self, pictures: Sequence[Picture], batch: int, probabilities: bool, /) -> Sequence[Result]:
        """Returns a result for each picture; the network is given `batch` at once, where it can take several."""


@dataclass(frozen=True, eq=False)
class DetectionEngine:
    """Boxes.

    Attributes:
        detector: finds them.
        inputs: what the network takes.
        classes: what it knows.
        min_score: scores from which a result draws boxes.
    """

    detector: Detects
    inputs: InputSettings
    classes: ClassTable
    min_score: MinScore

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each class index."""
        return self.classes.names

    def predict(self, pictures: Sequence[Picture], batch: int, probabilities: bool) -> list[DetectionResult]:
        """Returns what was found in each picture.

        A batch that is not full is filled up, so that the network is compiled once for each size of its input.

        Raises:
            BadValueError: it was asked for probabilities.
        """
        if probabilities:
            raise BadValueError(
                "a detector has no probabilities of pixels: leave probabilities out, its boxes have scores"
            )
        fitted = [fit_image(picture.image, self.inputs) for picture in pictures]
        found: dict[int, Detections] = {}
        for group in plan_batches([size_of(planes[0]) for planes, _ in fitted], batch):
            members = group.members
            detected = self.detector.detect(
                CanvasBatch(group.canvas, members, batch).fill([fitted[member][0] for member in members]),
                scales=[fitted[member][1] for member in members],
                sizes=[pictures[member].image.shape[:2] for member in members],
                clock=DetectionClock(),
            )
            found.update(zip(members, detected, strict=True))
        return [self._result(picture, found[place]) for place, picture in enumerate(pictures)]

    def _result(self, picture: Picture, found: Detections) -> DetectionResult:
        return DetectionResult(
            boxes=found.boxes,
            scores=found.scores,
            labels=found.labels,
            names=self.classes.names,
            category_ids=self.classes.category_ids,
            min_score=self.min_score.overall,
            class_min_scores=self.min_score.by_class,
            image=picture.image,
            path=picture.path,
            frame=picture.frame,
            time=picture.time,
        )


@dataclass(frozen=True, eq=False)
class SegmentationEngine:
    """The class of each pixel.

    Attributes:
        predictor: tells it.
        names: name of each class index.
        category_ids: id of each class index in files of results.
        colours: uint8[256, 3], RGB of each class index.
    """

    predictor: Predicts
    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    colours: np.ndarray

    def predict(self, pictures: Sequence[Picture], batch: int, probabilities: bool) -> list[SegmentationResult]:
        """Returns the classes of each picture; frames of a video go through the network together, as in infer.py."""
        if probabilities:
            found = [self.predictor.predict_with_probabilities(picture.image) for picture in pictures]
            return [self._result(*item) for item in zip(pictures, *zip(*found, strict=True), strict=True)]
        is_video = all(picture.frame is not None for picture in pictures)
        is_of_one_size = len({picture.image.shape for picture in pictures}) == 1
        if batch > 1 and is_video and is_of_one_size:
            class_maps = self.predictor.predict_batch([picture.image for picture in pictures], batch)
        else:
            class_maps = (self.predictor.predict(picture.image) for picture in pictures)
        return [self._result(picture, class_map) for picture, class_map in zip(pictures, class_maps, strict=True)]

    def _result(self, picture: Picture, class_map: np.ndarray, planes: np.ndarray | None = None) -> SegmentationResult:
        return SegmentationResult(
            class_map=class_map,
            names=self.names,
            category_ids=self.category_ids,
            probabilities=planes,
            colours=self.colours,
            image=picture.image,
            path=picture.path,
            frame=picture.frame,
            time=picture.time,
        )
