"""Reads a configuration of OpenMMLab's programs, v2 or v3, that lies beside published weights."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

RGB_CHANNELS = 3
BGR_NOTE = (  # of a report, where `takes_bgr`
    "note: its configuration has pictures with blue first, and here they come with red first: its results are others"
)
TEST_PIPELINES = (("test_dataloader", "dataset", "pipeline"), ("data", "test", "pipeline"), ("test_pipeline",))


def value_at(content: object, *path: str) -> object:
    """Returns what stands under names inside each other; None where one is missing."""
    for name in path:
        content = content.get(name) if isinstance(content, Mapping) else None
    return content


def pipeline_steps(program: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Returns the steps of the test pipeline, and behind each those inside it."""
    pipeline = next((steps for path in TEST_PIPELINES if (steps := value_at(program, *path))), [])
    return list(_steps(pipeline))


def normalisation(program: Mapping[str, object]) -> dict[str, list[float]]:
    """Returns means and deviations by `img_norm_mean` and `img_norm_std`: of v3's preprocessor, else of v2's step."""
    preprocessor = value_at(program, "model", "data_preprocessor")
    sources = [preprocessor if isinstance(preprocessor, Mapping) else {}, *pipeline_steps(program)]
    names = {"img_norm_mean": "mean", "img_norm_std": "std"}
    found = {key: [source[name] for source in sources if is_colour(source.get(name))] for key, name in names.items()}
    return {key: values[0] for key, values in found.items() if values}


def takes_bgr(program: Mapping[str, object]) -> bool:
    """Returns whether the network was trained on pictures with blue first, which it does not get here."""
    said = [value_at(program, "model", "data_preprocessor", "bgr_to_rgb")]
    said += [step.get("to_rgb") for step in pipeline_steps(program) if step.get("type") == "Normalize"]
    return False in said


def stretches_pictures(program: Mapping[str, object]) -> bool:
    """Returns whether the test pipeline gives every picture one ratio of sides.

    `Resize` of v1 and v3, which has `scale`, does unless `keep_ratio` is true; that of v0 and v2 where it is false.
    """
    return any(not step.get("keep_ratio", "scale" not in step) for step in pipeline_steps(program))


def picture_sides(program: Mapping[str, object]) -> tuple[int, int] | None:
    """Returns longest long and longest short side of pictures in the test pipeline; None where it says no sizes."""
    given = (step.get(key) for step in pipeline_steps(program) for key in ("scale", "img_scale"))
    found: Iterator[Any] = (size for size in given if is_size(size))
    sides = next(found, None)
    return (max(sides), min(sides)) if sides else None


def is_number(value: object) -> bool:
    """Whether it is a finite number, and not true or false."""
    return type(value) in (int, float) and abs(cast(float, value)) <= sys.float_info.max


def is_size(value: object) -> bool:
    """Whether it is a list of two whole numbers from 1 on."""
    return isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)


def is_colour(value: object) -> bool:
    """Whether it is a list of a number for each channel."""
    return isinstance(value, list) and len(value) == RGB_CHANNELS and all(map(is_number, value))


def _steps(steps: object, depth: int = 2) -> Iterable[Mapping[str, object]]:
    """Yields the steps of a pipeline and those inside them, `depth` levels in all."""
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, Mapping):
            yield step
            yield from _steps(step.get("transforms") if depth > 1 else None, depth - 1)
