"""What a published file of a detector says of its classes and of its evaluation, by the keys of both detectors.

Configurations are those of MMDetection, v2 or v3, that lie beside the weights; what they do not say in the known places
is left to the suite's own recipe.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from utils.detection.data.class_names import classes_of_weights, list_names
from utils.model_utils.config.base import COMMAND_LINE, Config, Given, Origin
from utils.model_utils.config.loading import find_faults, merge, with_default_file
from utils.training.checkpoints.foreign_weights import ForeignWeights
from utils.training.checkpoints.program_config import (
    BGR_NOTE,
    is_number,
    normalisation,
    picture_sides,
    pipeline_steps,
    stretches_pictures,
    takes_bgr,
    value_at,
)

KEY_PATHS = Mapping[str, tuple[str, ...]]  # own key to names in `model.test_cfg`
Configuration = TypeVar("Configuration", bound=Config)


@dataclass(frozen=True)
class ConvertedClasses:
    """Classes of a published detector: names and category ids, none where they are not known, and lines of a report."""

    names: tuple[str, ...] = ()
    category_ids: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def converted_classes(
    config: Config, wanted: Sequence[str | int] | None, num_classes: int | None, weights: ForeignWeights
) -> ConvertedClasses:
    """Returns the classes of a published detector, as its checkpoint has them.

    Args:
        config: of the command.
        wanted: its `coco_classes`; those of a YAML file count where they are as many.
        num_classes: of its class outputs; None for a backbone.
        weights: the file.

    Raises:
        BadValueError: see `classes_of_weights`.
    """
    if num_classes is None:
        return ConvertedClasses()
    names = wanted
    if config.origin("coco_classes").where != COMMAND_LINE and len(names or ()) != num_classes:
        names = None
    stored = weights.class_names
    known, ids = classes_of_weights(num_classes, weights.path, stored_names=stored, configured_names=names)
    said = f", {list_names(known)}" if known else ", whose names the file does not say: give them with --coco_classes"
    notes = [f"classes: {num_classes}{said}"]
    if len(stored) not in (0, num_classes):
        notes.append(f"left out: the {len(stored)} class names in the file, which are of another data set")
    return ConvertedClasses(known, ids, tuple(notes))


def with_recipe(
    config: Configuration, weights: ForeignWeights, file: str, multiple: int, thresholds: KEY_PATHS
) -> tuple[Configuration, tuple[str, ...]]:
    """Returns the configuration of a published detector with what it was made for, and what a report says about it.

    Where --config_path is given, that counts alone.

    Args:
        config: of the command.
        weights: of the detector; where MMDetection's configuration lies beside them, its values count.
        file: the suite's YAML file with those of the published one.
        multiple: of which each side of an input is one.
        thresholds: where the suite's thresholds stand in MMDetection's configuration.

    Raises:
        BadValueError: what is typed contradicts the recipe.
    """
    published = with_default_file(config, file)
    if published is config:
        return config, ()
    own = read_recipe(weights.program_config, thresholds)
    if "canvas_divisor" in own:  # MMDetection pads to any; here the levels have to fit into each other
        own["canvas_divisor"] = math.lcm(max(1, int(str(own["canvas_divisor"]))), multiple)
    own, others = _split_recipe(published, own)
    changed = with_default_file(config, file, own, f"the configuration in '{weights.path}'")
    differing = [
        f"{key} {value}"
        for key in own
        if key in type(config).model_fields
        if (value := getattr(changed, key)) != getattr(published, key)
    ]
    notes = [
        f"recipe: sizes and thresholds of {file} are stored in the checkpoint; they count where neither the command "
        "line nor a --config_path says another"
    ]
    if differing:
        notes.append(f"recipe: the file's own configuration counts before it: {', '.join(differing)}")
    if others:
        said = ", ".join(f"{key} {value}" for key, value in others.items())
        notes.append(f"left out: what its configuration says and this detector cannot have, {said}; {file} counts")
    notes += list_differences(weights.program_config, thresholds)
    return changed, tuple(notes)


def list_differences(program: Mapping[str, object], thresholds: KEY_PATHS) -> list[str]:
    """Returns a line of the report for each thing that the configuration has otherwise than it is done here.

    Args:
        program: MMDetection's configuration.
        thresholds: where the suite's thresholds stand there.
    """
    notes = [BGR_NOTE] if takes_bgr(program) else []
    if stretches_pictures(program):
        notes.append(
            "note: its configuration stretches pictures to its size, and here they keep their ratio of sides: its "
            "results are others"
        )
    kinds = {value_at(program, "model", "test_cfg", *path[:-1], "type") for path in thresholds.values()}
    if others := sorted(kind for kind in kinds if isinstance(kind, str) and kind != "nms"):
        notes.append(
            f"note: its configuration suppresses boxes by {' and '.join(others)}, and here it is plain non-maximum "
            "suppression: its results are others"
        )
    return notes


def read_recipe(program: Mapping[str, object], thresholds: KEY_PATHS) -> dict[str, object]:
    """Returns values by own key.

    Args:
        program: MMDetection's configuration.
        thresholds: where the suite's thresholds stand there.
    """
    found = {key: _number(value_at(program, "model", "test_cfg", *path)) for key, path in thresholds.items()}
    return {key: value for key, value in {**found, **_inputs(program)}.items() if value is not None}


def _split_recipe(published: Config, recipe: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Returns the values that can take the place of the published ones, and the others, such as -1 for no limit."""
    schema, sources = type(published), published._sources
    *files, command_line = sources.layers
    taken = dict(recipe)
    while True:
        own = {key: Given(key, value, Origin("")) for key, value in taken.items()}
        given = {key: item for key, item in merge([*files, own, command_line]).items() if key in schema.model_fields}
        ruled_out = {key for keys in find_faults(schema, given, sources.suite_dir) for key in keys if key in taken}
        if not ruled_out:
            return taken, {key: value for key, value in recipe.items() if key not in taken}
        taken = {key: value for key, value in taken.items() if key not in ruled_out}


def _inputs(program: Mapping[str, object]) -> dict[str, object]:
    """Returns sides and multiple of the canvas, means and deviations: of v3's preprocessor, v2's steps."""
    preprocessor = value_at(program, "model", "data_preprocessor")
    sources = [preprocessor if isinstance(preprocessor, Mapping) else {}, *pipeline_steps(program)]
    divisors = [source.get(key) for source in sources for key in ("pad_size_divisor", "size_divisor")]
    sides = picture_sides(program)
    return {
        "canvas_sides": list(sides) if sides else None,
        "canvas_divisor": next((number for each in divisors if (number := _number(each))), None),
        **normalisation(program),
    }


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and is_number(value) else None
