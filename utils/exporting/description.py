"""The JSON beside an exported model: how to feed it and what comes out. Written and read here and nowhere else."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from utils.exporting.files import description_path, kept_description_path
from utils.model_utils.errors import BadValueError, MissingPathError, short
from utils.model_utils.files import json_bytes, write_file
from utils.model_utils.guards.json_text import STRICTLY, JsonTextError, as_kind, parse_json

Side = Annotated[int, Field(ge=1, le=2**24)]  # of an input; far above any
Deviation = Annotated[float, Field(gt=0)]
Setting = bool | float | int | str | list[int] | list[float] | list[str]  # of what follows the model
FORMAT_VERSION = 1  # rises where a program that is older would misread the file
_NUMBER_KINDS = "biuf"  # of NumPy's types: truth values, whole numbers, floating-point numbers


@dataclass(frozen=True)
class TensorDescription:
    """One input or output of a model.

    Attributes:
        name: what the tensor is. Programs go by position: inputs and outputs stand in the model's order, since MindIR
            keeps no names of outputs.
        dtype: NumPy's name of the element type, e.g. "float32"; little-endian, C order.
        shape: length of each axis; None (null) where every length is taken, which only axis 0, the batch, can be.
    """

    __pydantic_config__: ClassVar = STRICTLY
    name: str
    dtype: str
    shape: tuple[int | None, ...]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The lengths behind the batch, none of which is open."""
        return tuple(length for length in self.shape[1:] if length is not None)


@dataclass(frozen=True)
class Preprocessing:
    """From a picture to the model's input float32[N, 3, height, width], in the order of the attributes.

    A picture is decoded to uint8[h, w, 3] with its EXIF orientation applied; then it is resized with bilinear
    interpolation on uint8 (pixel centres at halves, results rounded), normalised as (value - mean) / std by channel,
    padded, and its axes become channel, row, column.

    Attributes:
        channel_order: order of the channels, of `mean` and of `std`.
        resize: "keep_ratio": by scale = min(height / h, width / w), to max(1, round(side * scale)) rows and columns;
            "stretch": to height and width.
        height: of the input, pixels.
        width: of the input, pixels.
        mean: subtracted from the channels, 0-255.
        std: divides the channels, 0-255.
        padding: where the resized picture lies in the input: "bottom_right" pads below it and on its right, "none".
        padding_value: value of padded elements, after normalisation.
        rounding: of halves in "keep_ratio": "half_even", or "half_up".
    """

    __pydantic_config__: ClassVar = STRICTLY
    channel_order: Literal["RGB", "BGR"]
    resize: Literal["keep_ratio", "stretch"]
    height: Side
    width: Side
    mean: tuple[float, float, float]
    std: tuple[Deviation, Deviation, Deviation]
    padding: Literal["bottom_right", "none"]
    padding_value: float = 0.0
    rounding: Literal["half_even", "half_up"] = "half_even"

    def resized_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the height and width to which a picture is resized."""
        if self.resize == "stretch":
            return self.height, self.width
        scale = min(self.height / height, self.width / width)
        rounded = round if self.rounding == "half_even" else _half_up
        return max(1, rounded(height * scale)), max(1, rounded(width * scale))


@dataclass(frozen=True)
class ModelDescription:
    """What a program needs to know of an exported model.

    Attributes:
        suite: name of the suite, e.g. "nas_fpn".
        file: name of the model file, in the folder of this description.
        file_format: "MINDIR", "AIR" or "ONNX".
        inputs: in the model's order: `images`; then, for a model that gives boxes in the picture's own pixels,
            `image_metas` float32[N, 4]: height and width of the picture, and how many pixels of the input one pixel of
            it became, vertically and horizontally: rows and columns after resizing, by those before.
        outputs: in the model's order.
        preprocessing: from a picture to the input.
        class_names: name of each class index.
        category_ids: id of each class index in result files: COCO's category ids, Cityscapes' labelIds.
        postprocessing: thresholds, limits and choices by name, as the suite's keys are called.
        format_version: version of this layout.
    """

    __pydantic_config__: ClassVar = STRICTLY
    suite: str
    file: str
    file_format: str
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    postprocessing: dict[str, Setting] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION


def write_description(folder: Path, description: ModelDescription) -> Path:
    """Writes a description beside its model, as `<name>.json`, to a temporary name and then renamed.

    Returns:
        The file.

    Raises:
        BadStateError: it cannot be written.
    """
    path = description_path(folder / description.file)
    write_file(path, json_bytes(dataclasses.asdict(description), indent=2) + b"\n")
    return path


def read_description(model_file: Path, given: Path | None = None) -> ModelDescription:
    """Reads the description beside a model file: `<file>.json` where an export of another format has moved it there.

    Args:
        model_file: of the model.
        given: the description where it is another file, e.g. that of the model from which this one was converted.

    Raises:
        MissingPathError: there is none.
        BadValueError: it is no description, of a newer layout, or of another file.
    """
    kept = kept_description_path(model_file)
    path = given or (kept if kept.is_file() else description_path(model_file))
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingPathError(f"'{path}' does not exist: export the model, which writes it beside") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadValueError(f"'{path}' cannot be read ({error}): export the model again") from error
    try:
        values = parse_json(text)
        version = int(values["format_version"])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BadValueError(f"'{path}' is no description of an exported model: export the model again") from error
    if version > FORMAT_VERSION:
        raise BadValueError(
            f"'{path}' has layout {short(version)}, this program reads up to {FORMAT_VERSION}: update it"
        )
    try:
        description = as_kind(values, ModelDescription)
    except JsonTextError as error:
        raise BadValueError(f"'{path}' lacks or misspells a field ({error}): export the model again") from error
    strange = next((each for each in (*description.inputs, *description.outputs) if not _can_be_used(each)), None)
    if strange is not None:
        raise BadValueError(
            f"'{path}' gives {short(strange.name)} the type {short(strange.dtype)} and shape "
            f"{short(list(strange.shape))}, which no model has: export the model again"
        )
    if given is None and description.file != model_file.name:
        raise BadValueError(
            f"'{path}' describes {short(description.file)}, which was exported last under this name, not "
            f"{model_file.name}: export it again"
        )
    return description


def is_number_type(name: str) -> bool:
    """Whether a text is NumPy's name of a type of numbers or truth values."""
    try:
        return np.dtype(name).kind in _NUMBER_KINDS
    except (TypeError, ValueError):
        return False


def _can_be_used(tensor: TensorDescription) -> bool:
    lengths = (*(length for length in tensor.shape[:1] if length is not None), *tensor.shape[1:])
    return is_number_type(tensor.dtype) and all(length is not None and 0 <= length < 2**31 for length in lengths)


def _half_up(value: float) -> int:
    return int(value + 0.5)
