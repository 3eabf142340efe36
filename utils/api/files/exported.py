"""Makes a model of an exported file and the JSON beside it, whatever engine runs it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from utils.api.engines import DetectionEngine, Engine, SegmentationEngine
from utils.api.model import Model
from utils.api.suites import check_suite, open_exported_part
from utils.detection.builders.opened_model import exported_classes, exported_inputs
from utils.detection.results.pictures.operating_point import PICTURE_MIN_SCORE, choose_stored_min_score
from utils.engines.choice import EngineSettings
from utils.engines.exported_keys import is_onnx
from utils.engines.keys import ENGINE, EngineKeys, settings_of
from utils.engines.network import Network
from utils.engines.opening import open_exported_network
from utils.exporting.description import ModelDescription, read_description
from utils.model_utils.errors import BadValueError

AUTO_DEVICE = "auto"
# Keys of the file's kind, beside those of its JSON, with their defaults.
MINDIR_KEYS: Mapping[str, Any] = {"device_target": AUTO_DEVICE, "device_id": None}
ONNX_KEYS: Mapping[str, Any] = {key: EngineKeys.model_fields[key].default for key in ENGINE}


def open_exported(path: Path, suite: str, keys: Mapping[str, Any]) -> Model:
    """Reads a MindIR or an ONNX file, and the JSON beside it; arguments and errors as `load` has them."""
    description = read_description(path)
    name = check_suite(description.suite)
    if suite and check_suite(suite) != name:
        raise BadValueError(f"'{path}' is a model of {name}, not of {suite}: leave suite out")
    part = open_exported_part(name)
    own = {**(ONNX_KEYS if is_onnx(path) else MINDIR_KEYS), PICTURE_MIN_SCORE: None}
    acting = dict.fromkeys([*own, *description.postprocessing, *getattr(part, "EXPORTED_TOOLS", ())])
    unknown = [key for key in keys if key not in acting]
    if unknown:
        known = ", ".join(acting)
        raise BadValueError(f"{unknown[0]} is no key of the exported model '{path}', which has {known}: leave it out")
    own |= {key: value for key, value in keys.items() if key in own}
    given = {key: value for key, value in keys.items() if key not in own}
    description = replace(description, postprocessing={**description.postprocessing, **given})
    network, guard = _open_network(path, description, own)
    with guard():
        return Model(name, path, _engine_of(part, description, network, own[PICTURE_MIN_SCORE]), guard)


def _open_network(
    path: Path, description: ModelDescription, keys: Mapping[str, Any]
) -> tuple[Network, Callable[[], AbstractContextManager]]:
    if is_onnx(path):
        settings = settings_of({key: keys[key] for key in ONNX_KEYS}, "arguments of load")
        return open_exported_network(path, description, settings, nullcontext), nullcontext
    from utils.api.device import as_guest, take_device  # imports MindSpore

    set_up = partial(take_device, keys["device_target"], keys["device_id"])
    with as_guest():
        return open_exported_network(path, description, EngineSettings(), set_up), as_guest


def _engine_of(
    part: ModuleType, description: ModelDescription, network: Network, picture_min_score: float | None
) -> Engine:
    names, ids = description.class_names, description.category_ids
    if not hasattr(part, "build_exported_detector"):
        predictor = part.build_exported_predictor(description, network)
        return SegmentationEngine(predictor, names, ids, part.class_colours(names))
    classes = exported_classes(description)
    min_score, _ = choose_stored_min_score(picture_min_score, classes.picture_min_score, classes.class_min_scores)
    detector = part.build_exported_detector(description, network)
    return DetectionEngine(detector, exported_inputs(description), classes, min_score)
