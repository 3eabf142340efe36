"""At what sizes the publishers of weights show pictures to them, as keys of this suite; no MindSpore."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.program_config import (
    BGR_NOTE,
    is_colour,
    is_size,
    normalisation,
    picture_sides,
    pipeline_steps,
    stretches_pictures,
    takes_bgr,
    value_at,
)

from ..labels.classes import CITYSCAPES_CLASS_NAMES

ADE20K_CLASSES = 150
LEVELS = 255.0  # of a channel: processors of transformers count from 0 to 1
LEAST_SIDE = 32  # of the keys that hold sides
ROUNDING_STEPS = ("ResizeToMultiple", "AlignedResize")  # of MMSegmentation 1, of the first release
PROCESSOR_SIDE = 512  # of the square that transformers' processor stretches pictures to where nothing is said


@dataclass(frozen=True)
class Recipe:
    """What a file was made for.

    Attributes:
        keys: values by key, for the checkpoint.
        notes: lines of the converter's report.
    """

    keys: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def openmmlab_recipe(
    file: Path,
    num_classes: int,
    names: Sequence[str],
    divisor: int,
    program: Mapping[str, object] = MappingProxyType({}),
) -> Recipe:
    """Returns the test pipeline of the configuration beside the weights, else that of MMSegmentation's published ones.

    These are those of the first release too.

    Cityscapes is known by the names of its classes, or by 19 of them without names: its pictures are looked at by
    windows of 1024 x 1024. All others get what ADE20K has: a short side of 512, or of 640 where the name of the file
    says so.

    Args:
        file: of the weights.
        num_classes: that it has.
        names: of its classes, empty where it says none.
        divisor: of the sides of pictures on ADE20K: the first release rounds up to 32, MMSegmentation does not.
        program: the configuration beside the weights, empty where there is none.
    """
    if picture_sides(program):
        return program_recipe(program)
    if tuple(names) == CITYSCAPES_CLASS_NAMES or (not names and num_classes == len(CITYSCAPES_CLASS_NAMES)):
        keys = {
            "canvas": "picture",
            "canvas_sides": (2048, 1024),
            "size_divisor": 1,
            "eval_mode": "slide",
            "slide_crop": (1024, 1024),
            "slide_stride": (768, 768),
            "base_size": (1024, 2048),
        }
        return Recipe(keys, ("recipe: Cityscapes', pictures within 2048x1024, windows of 1024x1024",))
    side = 640 if re.search(r"(?<!\d)640x640(?!\d)", file.name) else 512
    keys = {
        "canvas": "picture",
        "canvas_sides": (2048, side),
        "size_divisor": divisor,
        "eval_mode": "whole",
        "base_size": (side, 2 * side),
    }
    rounding = f", sides rounded up to multiples of {divisor}" if divisor > 1 else ""
    doubt = "" if num_classes == ADE20K_CLASSES else "; the file says no other: give eval.py and infer.py canvas_sides"
    return Recipe(keys, (f"recipe: ADE20K's, pictures within 2048x{side}{rounding}{doubt}",))


def program_recipe(program: Mapping[str, object]) -> Recipe:
    """Returns what a configuration of MMSegmentation, v0 or v1, says of tests; it says at what sizes."""
    sides = picture_sides(program)
    assert sides is not None, "a configuration without sizes is no recipe"
    steps = pipeline_steps(program)
    divisors = [step.get("size_divisor", 32) for step in steps if step.get("type") in ROUNDING_STEPS]
    divisor = next((each for each in divisors if type(each) is int and each > 0), 1)
    windows = _windows(program)
    keeps_ratio = not stretches_pictures(program)
    short = max(sides[1], LEAST_SIDE)
    keys = {
        "canvas": "picture",
        "canvas_sides": sides,
        "size_divisor": divisor,
        "canvas_keep_ratio": keeps_ratio,
        "eval_mode": "slide" if windows else "whole",
        **windows,
        "base_size": (short, max(short, min(sides[0], 2 * short))),
        **{key: tuple(values) for key, values in normalisation(program).items() if _is_normalisation(key, values)},
    }
    where = f"pictures {'within' if keeps_ratio else 'stretched to'} {sides[0]}x{sides[1]}"
    rounding = f", sides rounded up to multiples of {divisor}" if divisor > 1 else ""
    looks = f", windows of {'x'.join(map(str, windows['slide_crop']))}" if windows else ""
    notes = [f"recipe: that of the configuration in the file, {where}{rounding}{looks}"]
    if takes_bgr(program):
        notes.append(BGR_NOTE)
    return Recipe(keys, tuple(notes))


def _windows(program: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
    """Returns the windows of a test; nothing where it looks at the whole picture, or says none that can be."""
    test = value_at(program, "model", "test_cfg")
    crop: Any = value_at(test, "crop_size")
    stride: Any = value_at(test, "stride")
    if value_at(test, "mode") != "slide" or not (is_size(crop) and is_size(stride)):
        return {}
    if min(crop) < LEAST_SIDE or any(step > side for step, side in zip(stride, crop, strict=True)):
        return {}
    return {"slide_crop": tuple(crop), "slide_stride": tuple(stride)}


def processor_recipe(settings: Mapping[str, object] | None) -> Recipe:
    """Returns what an image processor of transformers does to pictures.

    Args:
        settings: content of preprocessor_config.json; None where there is none, as for a file alone: then what
            transformers does by default.
    """
    said = settings or {}
    height, width = _processor_size(said)
    keys = {
        "canvas": "picture",
        "canvas_sides": (max(height, width), min(height, width)),
        "size_divisor": 1,
        "canvas_keep_ratio": said.get("keep_ratio", False) is True,
        "eval_mode": "whole",
        "base_size": (max(height, 32), max(width, 32)),
        **_normalisation(said),
    }
    source = "preprocessor_config.json" if settings is not None else "transformers' default: the file says none"
    notes = [f"recipe: pictures stretched to {height}x{width} ({source})"]
    if height != width:
        notes.append(f"recipe: an upright picture is stretched to {width}x{height} here, by transformers as all others")
    if said.get("do_resize") is False:
        notes.append("note: its processor leaves pictures as they are; give eval.py and infer.py other canvas_sides")
    if said.get("do_reduce_labels", said.get("reduce_labels", said.get("reduce_zero_label"))):
        notes.append("labels: class 0 is 1 in the label files of its data set, whose 0 is no class: write 255 there")
    return Recipe(keys, tuple(notes))


def _processor_size(said: Mapping[str, object]) -> tuple[int, int]:
    """Returns height and width; earlier versions have one number, or `image_scale` with width and height."""
    size: Any = said.get("size", said.get("image_scale", PROCESSOR_SIDE))
    if isinstance(size, Mapping):
        size = (size.get("height", PROCESSOR_SIDE), size.get("width", PROCESSOR_SIDE))
    elif isinstance(size, list | tuple) and len(size) == 2:
        size = (size[1], size[0])
    else:
        size = (size, size)
    is_plain = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in size)
    return size if is_plain else (PROCESSOR_SIDE, PROCESSOR_SIDE)


def _normalisation(said: Mapping[str, object]) -> dict[str, object]:
    """Returns mean and standard deviation of levels from 0 to 255; nothing where they are the suite's own.

    Raises:
        BadValueError: they are numbers that no picture can be normalised with.
    """
    if said.get("do_normalize") is False:
        return {"img_norm_mean": (0.0, 0.0, 0.0), "img_norm_std": (LEVELS, LEVELS, LEVELS)}
    found: dict[str, object] = {}
    for key, name in {"img_norm_mean": "image_mean", "img_norm_std": "image_std"}.items():
        values: Any = said.get(name)
        if not is_colour(values):
            continue
        found[key] = levels = tuple(round(float(value) * LEVELS, 6) for value in values)
        if not _is_normalisation(key, levels):
            wanted = "three finite numbers" + (" above 0" if key == "img_norm_std" else "")
            raise BadValueError(f"{name} of the folder's image processor is {values}, wanted {wanted}; put it right")
    return found


def _is_normalisation(key: str, values: Sequence[float]) -> bool:
    return all(math.isfinite(value) and (value > 0 or key == "img_norm_mean") for value in values)
