"""What the configuration of MMDetection beside a file of weights says of evaluation, by the keys of both detectors.

Of a configuration of v2 or v3; what it does not say in the known places is left to the suite's own recipe.
"""

from collections.abc import Iterable, Mapping

KEY_PATHS = Mapping[str, tuple[str, ...]]  # own key to names in `model.test_cfg`
RGB_CHANNELS = 3


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
