"""The configuration of a command that runs an exported model in place of a checkpoint."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from utils.engines.keys import ENGINE, EngineKeys
from utils.exporting.description import ModelDescription, read_description
from utils.model_utils.config.base import COMMAND_LINE, Config
from utils.model_utils.config.stored import with_stored
from utils.model_utils.device_adapter import ACCELERATORS
from utils.model_utils.errors import BadValueError

MINDIR, ONNX = ".mindir", ".onnx"

Schema = TypeVar("Schema", bound=EngineKeys)


def is_exported(path: Path) -> bool:
    """Whether a file is a model that export.py has written and that can be run here, by its ending."""
    return path.suffix.lower() in (MINDIR, ONNX)


def is_onnx(path: Path) -> bool:
    """Whether a file is run by an engine, not by MindSpore, by its ending."""
    return path.suffix.lower() == ONNX


def describe_exported(path: Path, suite: str) -> ModelDescription:
    """Reads the description of an exported model.

    Raises:
        MissingPathError: it has none.
        BadValueError: the description cannot be used, or is of another suite.
    """
    description = read_description(path)
    if description.suite != suite:
        raise BadValueError(
            f"'{path}' is a model of {description.suite}, not of {suite}: give a model of {suite}, or use the commands "
            f"of {description.suite}"
        )
    return description


def configure_as_exported(
    config: Schema,
    description: ModelDescription,
    path: Path,
    *,
    device_target: str,
    fixed: Mapping[str, object],
    baked: Collection[str],
    tools: Collection[str] = (),
) -> tuple[Schema, ModelDescription]:
    """Returns the configuration with which a command runs an exported model, and the description that it asks for.

    Keys of the description count as those of a checkpoint do, see `with_stored`: the command line and the file of
    --config_path count before them.

    Args:
        config: of the command.
        description: of the model.
        path: of the model.
        device_target: the key of this name.
        fixed: values that the file has and nothing can change, by key, beside normalisation and canvas.
        baked: other keys that act on a checkpoint and not on this file.
        tools: keys that act on this file, whether its description has them or not.

    Raises:
        BadValueError: the command line has a key that cannot act, or a value that is not the file's.
    """
    if is_onnx(path) and device_target in ACCELERATORS:
        raise BadValueError(
            f"device_target is {device_target}, but ONNX files run on the CPU here: leave it out, or give the "
            "checkpoint"
        )
    made = description.preprocessing
    fixed = {"img_norm_mean": made.mean, "img_norm_std": made.std, "canvas": "fixed", **fixed}
    refuse_idle(config, path, () if is_onnx(path) else ENGINE, "acts on ONNX files alone")
    refuse_idle(
        config,
        path,
        set(baked).difference(description.postprocessing, fixed, tools),
        "has no effect on an exported model, whose file holds its value",
    )
    known = type(config).model_fields
    settings = {key: value for key, value in description.postprocessing.items() if key in known and key not in fixed}
    configured = with_stored(config, {**settings, **fixed}, str(path), fixed_too=fixed.keys())
    asked: dict[str, Any] = {key: _as_setting(getattr(configured, key)) for key in (*settings, *tools)}
    known_settings = {**description.postprocessing, **asked}
    return configured, replace(
        description, postprocessing={key: value for key, value in known_settings.items() if value is not None}
    )


def refuse_idle(config: Config, path: Path, keys: Collection[str], why: str) -> None:
    """Refuses keys on the command line that would be without effect.

    Raises:
        BadValueError: there is one.
    """
    for key in keys:
        if config.origin(key).where == COMMAND_LINE:
            raise BadValueError(f"{COMMAND_LINE}: {key} {why} ('{path}'): leave --{key} out")


def _as_setting(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
