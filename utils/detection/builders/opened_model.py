"""A file that a command detects with: a checkpoint, or an exported model."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from utils.detection.builders import detectors
from utils.detection.builders.data_sets import open_image_split
from utils.detection.canvases.detectors import CanvasDetectors
from utils.detection.data.class_names import ClassTable, numbered_names
from utils.detection.inputs import InputSettings
from utils.detection.keys import RecordKeys
from utils.detection.network_detector import NetworkDetector
from utils.detection.results.evaluation import DetectionEvaluator
from utils.detection.results.evaluation_split import EvaluationSplit
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.results.pictures.operating_point import described_min_scores
from utils.detection.test_time.keys import keys_at_test_time
from utils.engines.choice import EngineSettings
from utils.engines.network import Network
from utils.engines.opening import open_exported_network
from utils.exporting.description import ModelDescription
from utils.training.checkpoints.checkpoint import Checkpoint

Configuration = TypeVar("Configuration", bound=RecordKeys)

logger = logging.getLogger(__name__)

EXPORTED_BATCH_SIZE = 4  # images in a call of an exported network that takes any number; no result depends on it


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A detector that is ready.

    Attributes:
        classes: what it knows.
        picture_detector: builds what detects in a number of image files.
        evaluator: builds what evaluates it on a split.
    """

    classes: ClassTable
    picture_detector: Callable[[int], PictureDetector]
    evaluator: Callable[[EvaluationSplit], DetectionEvaluator]


@dataclass(frozen=True, eq=False)
class OpenedModel(Generic[Configuration]):
    """A file that was looked at; what is large or slow has not happened yet.

    Attributes:
        path: of the file.
        config: of the command, with what the file says.
        load: builds the detector.
        open_split: opens the evaluation split for the classes of the detector.
        stored: the checkpoint; None for an exported model.
    """

    path: Path
    config: Configuration
    load: Callable[[], LoadedModel]
    open_split: Callable[[ClassTable], EvaluationSplit]
    stored: Checkpoint | None = None


def exported_model(
    config: Configuration,
    description: ModelDescription,
    path: Path,
    *,
    mindrecord_folder: str,
    settings: EngineSettings,
    set_up: Callable[[], object],
    build: Callable[[ModelDescription, Network], NetworkDetector],
) -> OpenedModel[Configuration]:
    """Returns an exported model that was looked at.

    Args:
        config: of the command, with what the file says.
        description: of the model, with what the command asks for.
        path: of the model.
        mindrecord_folder: name of the MindRecord files' folder where `mindrecord_dir` is not given.
        settings: how an ONNX file is run.
        set_up: takes the device for MindSpore, which runs a MindIR.
        build: makes the detector.
    """

    def load() -> LoadedModel:
        for sentence in keys_at_test_time(config).idle_tools():
            logger.warning("%s", sentence)
        network = open_exported_network(path, description, settings, set_up)
        built, inputs = build(description, network), exported_inputs(description)
        detector = CanvasDetectors(lambda _: built, limit=1)
        return LoadedModel(
            exported_classes(description),
            lambda count: detectors.picture_detector(config, detector, count, inputs, EXPORTED_BATCH_SIZE),
            lambda split: detectors.evaluator(config, detector, split, inputs, EXPORTED_BATCH_SIZE),
        )

    open_split = partial(open_image_split, config, mindrecord_folder, model=f"'{path}'")
    return OpenedModel(path, config, load, open_split)


def exported_inputs(description: ModelDescription) -> InputSettings:
    """Returns what an exported detector takes."""
    made = description.preprocessing
    return InputSettings(made.height, made.width, made.mean, made.std, made.resize == "keep_ratio")


def exported_classes(description: ModelDescription) -> ClassTable:
    """Returns the classes of an exported detector, with the scores from which they are drawn."""
    overall, by_class = described_min_scores(description.postprocessing, len(description.class_names))
    return ClassTable(
        description.class_names,
        description.category_ids,
        is_named=description.class_names != numbered_names(len(description.class_names)),
        picture_min_score=overall,
        class_min_scores=by_class,
    )
