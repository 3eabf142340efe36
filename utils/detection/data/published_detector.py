"""What a published file of a detector says of its classes and of its evaluation, by the keys of both detectors.

Configurations are those of MMDetection, v2 or v3, that lie beside the weights; what they do not say in the known places
is left to the suite's own recipe.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from utils.detection.data.class_names import classes_of_weights, list_names
from utils.model_utils.config.base import COMMAND_LINE, Config
from utils.model_utils.config.loading import with_default_file
from utils.training.checkpoints.foreign_weights import ForeignWeights

KEY_PATHS = Mapping[str, tuple[str, ...]]  # own key to names in `model.test_cfg`
Configuration = TypeVar("Configuration", bound=Config)
RGB_CHANNELS = 3


@dataclass(frozen=True)
class ConvertedClasses:
    """Classes of a published detector: names and category ids, none where they are not known, and lines of a report."""

    names: tuple[str, ...] = ()
    category_ids: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def converted_classes(config: Config, num_classes: int | None, weights: ForeignWeights) -> ConvertedClasses:
    """Returns the classes of a published detector, as its checkpoint has them.

    Args:
        config: of the command; `coco_classes` of a YAML file count where they are as many.
        num_classes: of its class outputs; None for a backbone.
        weights: the file.

    Raises:
        BadValueError: see `classes_of_weights`.
    """
    if num_classes is None:
        return ConvertedClasses()
    names = config.coco_classes
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
    config: Configuration, weights: ForeignWeights, file: str, thresholds: KEY_PATHS
) -> tuple[Configuration, tuple[str, ...]]:
    """Returns the configuration of a published detector with what it was made for, and what a report says about it.

    Where --config_path is given, that counts alone.

    Args:
        config: of the command.
        weights: of the detector; where MMDetection's configuration lies beside them, its values count.
        file: the suite's YAML file with those of the published one.
        thresholds: where the suite's thresholds stand in MMDetection's configuration.

    Raises:
        BadValueError: what is typed contradicts the recipe.
    """
    published = with_default_file(config, file)
    if published is config:
        return config, ()
    own = read_recipe(weights.program_config, thresholds)
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
    if takes_bgr(weights.program_config):
        notes.append(
            "note: its configuration has pictures with blue first, and here they come with red first: its "
            "results are others"
        )
    return changed, tuple(notes)


def read_recipe(program: Mapping[str, object], thresholds: KEY_PATHS) -> dict[str, object]:
    """Returns values by own key.

    Args:
        program: MMDetection's configuration.
        thresholds: where the suite's thresholds stand there.
    """
    found = {key: _number(_value(program, "model", "test_cfg", *path)) for key, path in thresholds.items()}
    return {key: value for key, value in {**found, **_inputs(program)}.items() if value is not None}


def takes_bgr(program: Mapping[str, object]) -> bool:
    """Returns whether the network was trained on pictures with blue first, which it does not get here."""
    said = [_value(program, "model", "data_preprocessor", "bgr_to_rgb")]
    said += [step.get("to_rgb") for step in _steps(_pipeline(program)) if step.get("type") == "Normalize"]
    return False in said


def _inputs(program: Mapping[str, object]) -> dict[str, object]:
    """Returns sides and multiple of the canvas, means and deviations: of v3's preprocessor, v2's steps."""
    steps = list(_steps(_pipeline(program)))
    preprocessor = _value(program, "model", "data_preprocessor")
    sources = [preprocessor if isinstance(preprocessor, Mapping) else {}, *steps]
    sides = next((step[key] for step in steps for key in ("scale", "img_scale") if _is_size(step.get(key))), None)
    divisors = [source.get(key) for source in sources for key in ("pad_size_divisor", "size_divisor")]
    return {
        "canvas_sides": [max(sides), min(sides)] if sides else None,
        "canvas_divisor": next((number for each in divisors if (number := _number(each))), None),
        "img_norm_mean": next((value for each in sources if _is_colour(value := each.get("mean"))), None),
        "img_norm_std": next((value for each in sources if _is_colour(value := each.get("std"))), None),
    }


def _pipeline(program: Mapping[str, object]) -> object:
    for path in (("test_dataloader", "dataset", "pipeline"), ("data", "test", "pipeline"), ("test_pipeline",)):
        if steps := _value(program, *path):
            return steps
    return []


def _steps(steps: object, depth: int = 2) -> Iterable[Mapping[str, object]]:
    """Yields the steps of a pipeline and those inside them, `depth` levels in all."""
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, Mapping):
            yield step
            yield from _steps(step.get("transforms") if depth > 1 else None, depth - 1)


def _value(content: object, *path: str) -> object:
    for name in path:
        content = content.get(name) if isinstance(content, Mapping) else None
    return content


def _number(value: object) -> float | None:
    return value if type(value) in (int, float) else None


def _is_size(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)


def _is_colour(value: object) -> bool:
    return isinstance(value, list) and len(value) == RGB_CHANNELS and all(_number(each) is not None for each in value)
