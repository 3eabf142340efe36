"""At what sizes the publishers of weights show pictures to them, as keys of this suite; no MindSpore."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..labels.classes import CITYSCAPES_CLASS_NAMES

ADE20K_CLASSES = 150
LEVELS = 255.0  # of a channel: processors of transformers count from 0 to 1
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


def openmmlab_recipe(file: Path, num_classes: int, names: Sequence[str], divisor: int) -> Recipe:
    """Returns the test pipeline of MMSegmentation's published configurations, which are those of the first release too.

    Cityscapes is known by the names of its classes, or by 19 of them without names: its pictures are looked at by
    windows of 1024 x 1024. All others get what ADE20K has: a short side of 512, or of 640 where the name of the file
    says so.

    Args:
        file: of the weights.
        num_classes: that it has.
        names: of its classes, empty where it says none.
        divisor: of the sides of pictures on ADE20K: the first release rounds up to 32, MMSegmentation does not.
    """
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
    if said.get("do_reduce_labels", said.get("reduce_labels", said.get("reduce_zero_label"))):
        notes.append("labels: class 0 is 1 in the label files of its data set, whose 0 is no class: write 255 there")
    return Recipe(keys, tuple(notes))


def _processor_size(said: Mapping[str, object]) -> tuple[int, int]:
    """Returns height and width; earlier versions have one number, or `image_scale` with width and height."""
    size = said.get("size", said.get("image_scale", PROCESSOR_SIDE))
    if isinstance(size, Mapping):
        size = (size.get("height", PROCESSOR_SIDE), size.get("width", PROCESSOR_SIDE))
    elif isinstance(size, list | tuple) and len(size) == 2:
        size = (size[1], size[0])
    else:
        size = (size, size)
    is_plain = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in size)
    return size if is_plain else (PROCESSOR_SIDE, PROCESSOR_SIDE)


def _normalisation(said: Mapping[str, object]) -> dict[str, object]:
    """Returns mean and standard deviation of levels from 0 to 255; nothing where they are the suite's own."""
    if said.get("do_normalize") is False:
        return {"img_norm_mean": (0.0, 0.0, 0.0), "img_norm_std": (LEVELS, LEVELS, LEVELS)}
    keys = {"img_norm_mean": said.get("image_mean"), "img_norm_std": said.get("image_std")}
    return {
        key: tuple(round(float(value) * LEVELS, 6) for value in values)
        for key, values in keys.items()
        if isinstance(values, list) and len(values) == 3 and all(isinstance(value, int | float) for value in values)
    }
