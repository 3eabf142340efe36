"""Makes a model of a file: of a checkpoint as infer.py does, of an exported model as its JSON says."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import mindspore as ms
from mindspore import nn

from utils.api.arguments import arguments_of
from utils.api.device import as_guest, take_device
from utils.api.engines import DetectionEngine, Engine, SegmentationEngine
from utils.api.model import Model
from utils.api.suites import SUITES, check_suite, open_build, open_config
from utils.detection.data.class_names import ClassTable
from utils.detection.inputs import InputSettings
from utils.detection.keys import ResultKeys
from utils.detection.results.pictures.operating_point import (
    CLASS_MIN_SCORES,
    PICTURE_MIN_SCORE,
    choose_stored_min_score,
)
from utils.exporting.description import ModelDescription, read_description
from utils.model_utils.config.base import Config
from utils.model_utils.device_adapter import AUTO
from utils.model_utils.errors import BadValueError, short
from utils.training.checkpoints.checkpoint import Checkpoint, load_checkpoint

COMMAND = "infer.py"  # whose keys a model takes


def open_checkpoint(path: Path, suite: str, keys: Mapping[str, object]) -> Model:
    """Builds the network of a checkpoint and takes the weights out of it; arguments and errors as `load` has them."""
    stored = load_checkpoint(path)
    name = _suite_of(stored, suite)
    config_part = open_config(name)
    keys = {**keys, config_part.COMMANDS[COMMAND].checkpoint_key: path}
    build = open_build(name)
    config = build.configure(config_part.load(arguments_of(keys), COMMAND), stored)
    take_device(config.device_target, config.device_id)
    with as_guest():
        return Model(name, path, _engine_of(build, config, stored))


def suite_of(path: Path) -> str:
    """Returns the suite of a checkpoint file.

    Raises:
        UserError: it is no checkpoint, or does not say of which suite it is.
    """
    return _suite_of(load_checkpoint(path), "")


def _suite_of(stored: Checkpoint, wanted: str) -> str:
    """Returns the suite of a checkpoint: what it says, else what the user says."""
    if wanted and check_suite(wanted) != stored.suite and stored.suite:
        raise BadValueError(f"'{stored.path}' is a checkpoint of {stored.suite}, not of {wanted}: leave suite out")
    if stored.suite or wanted:
        return check_suite(stored.suite or wanted)
    raise BadValueError(
        f"'{stored.path}' does not say of which suite it is: give suite=, one of {', '.join(map(repr, SUITES))}"
    )


def _engine_of(build: ModuleType, config: Config, stored: Checkpoint) -> Engine:
    if not hasattr(build, "build_picture_detector"):
        network, names = build.load_network(config, stored), build.names_of_classes(config)
        predictor = build.build_predictor(config, network)
        return SegmentationEngine(predictor, names, build.category_ids(names), build.colours_of_classes(config))
    assert isinstance(config, ResultKeys), "a detector has the keys of its results"
    network, classes = build.load_detector(config, stored)
    pictures = build.build_picture_detector(config, network, 1, classes.names, is_repeated=True)
    min_score, _ = choose_stored_min_score(
        config.picture_min_score, classes.picture_min_score, classes.class_min_scores
    )
    return DetectionEngine(pictures.detector, pictures.inputs, classes, min_score)


def open_exported(path: Path, suite: str, keys: Mapping[str, Any]) -> Model:
    """Reads a MindIR and the JSON beside it; arguments and errors as `load` has them."""
    description = read_description(path)
    name = check_suite(description.suite)
    if suite and check_suite(suite) != name:
        raise BadValueError(f"'{path}' is a model of {name}, not of {suite}: leave suite out")
    own: dict[str, Any] = {"device_target": AUTO, "device_id": None, PICTURE_MIN_SCORE: None}
    tools = getattr(open_build(name), "EXPORTED_TOOLS", ())
    acting = dict.fromkeys([*own, *description.postprocessing, *tools])
    unknown = [key for key in keys if key not in acting]
    if unknown:
        known = ", ".join(acting)
        raise BadValueError(f"{unknown[0]} is no key of the exported model '{path}', which has {known}: leave it out")
    own |= {key: value for key, value in keys.items() if key in own}
    given = {key: value for key, value in keys.items() if key not in own}
    description = replace(description, postprocessing={**description.postprocessing, **given})
    take_device(own["device_target"], own["device_id"])
    with as_guest():
        return Model(name, path, _exported_engine(open_build(name), path, description, own[PICTURE_MIN_SCORE]))


def _exported_engine(
    build: ModuleType, path: Path, description: ModelDescription, picture_min_score: float | None
) -> Engine:
    network = _read_mindir(path)
    fixed_batch = description.inputs[0].shape[0] or 0
    names, ids = description.class_names, description.category_ids
    if not hasattr(build, "build_exported_detector"):
        predictor = build.build_exported_predictor(description, _of_batch(network, fixed_batch or 1))
        return SegmentationEngine(predictor, names, ids, build.colours_of_names(names), takes_batches=False)
    made = description.preprocessing
    inputs = InputSettings(made.height, made.width, made.mean, made.std, made.resize == "keep_ratio")
    stored, by_class = (description.postprocessing.get(name) for name in (PICTURE_MIN_SCORE, CLASS_MIN_SCORES))
    scores = [float(each) for each in by_class if not isinstance(each, str)] if isinstance(by_class, list) else []
    min_score, _ = choose_stored_min_score(
        picture_min_score,
        stored if isinstance(stored, float) else None,
        scores if len(scores) == len(names) else (),
    )
    detector = build.build_exported_detector(description, network)
    return DetectionEngine(detector, inputs, ClassTable(names, ids), min_score, fixed_batch)


def _read_mindir(path: Path) -> nn.GraphCell:
    """Reads a MindIR.

    Raises:
        BadValueError: it cannot be read.
    """
    try:
        return nn.GraphCell(ms.load(str(path)))
    except (RuntimeError, ValueError, TypeError) as error:
        raise BadValueError(f"'{path}' cannot be read as a MindIR ({short(str(error))}): export it again") from error


def _of_batch(network: nn.Cell, batch: int) -> Callable[[ms.Tensor], ms.Tensor]:
    """Returns what gives the network the one image of a batch so often as it wants images."""

    def run(images: ms.Tensor) -> ms.Tensor:
        return network(images if batch == 1 else ms.ops.tile(images, (batch, 1, 1, 1)))

    return run
