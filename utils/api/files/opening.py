"""Makes a model of a checkpoint, as infer.py does."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from utils.api.arguments import arguments_of
from utils.api.device import as_guest, take_device
from utils.api.engines import DetectionEngine, Engine, SegmentationEngine
from utils.api.model import Model
from utils.api.suites import SUITES, check_suite, open_build, open_config
from utils.detection.keys import ResultKeys
from utils.detection.results.pictures.operating_point import choose_stored_min_score
from utils.model_utils.config.base import Config
from utils.model_utils.errors import BadValueError
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
        return Model(name, path, _engine_of(build, config, stored), as_guest)


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
