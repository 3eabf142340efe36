"""What a run of utils/cpp_infer leaves: a raw file for each image and output, and a JSON that says what they hold.

No MindSpore here: results are read on machines that have MindSpore Lite only.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from utils.exporting.description import ModelDescription, TensorDescription, is_number_type
from utils.model_utils.errors import BadValueError, MissingPathError, os_errors_as, short
from utils.model_utils.guards.json_text import STRICTLY, JsonTextError, as_kind, parse_json
from utils.model_utils.guards.path_names import path_fault

Length = Annotated[int, Field(ge=1, le=2**31)]  # of a picture's side
Scale = Annotated[float, Field(gt=0)]
RESULT_FOLDER = "result_Files"
RUN_AGAIN = "run the inference again"


@dataclass(frozen=True)
class ResultImage:
    """An image that the model was run on.

    Attributes:
        file: its path inside the folder that was searched, with forward slashes.
        stem: what its result files' names begin with.
        height: of the picture as a viewer shows it, pixels.
        width: likewise.
        scale_y: pixels of the input for one pixel of the picture, vertically (rows after resizing / rows before).
        scale_x: horizontally.
    """

    __pydantic_config__: ClassVar = STRICTLY
    file: str
    stem: str
    height: Length
    width: Length
    scale_y: Scale
    scale_x: Scale


@dataclass(frozen=True)
class SkippedImage:
    """An image that could not be read.

    Attributes:
        file: as in `ResultImage`.
        reason: why.
    """

    __pydantic_config__: ClassVar = STRICTLY
    file: str
    reason: str


@dataclass(frozen=True)
class ResultFiles:
    """The results of a run.

    Attributes:
        folder: of the raw files: for each image `<stem>_<i>.bin`, output i of the model in C order, little-endian.
        index: the JSON.
        model: the file that was run.
        outputs: of the model, for one image: without the axis of the batch.
        images: that the model was run on.
        skipped: that it was not.
    """

    folder: Path
    index: Path
    model: Path
    outputs: tuple[TensorDescription, ...]
    images: tuple[ResultImage, ...]
    skipped: tuple[SkippedImage, ...]

    def arrays(self, image: ResultImage) -> list[np.ndarray]:
        """Reads the outputs for an image; float16 becomes float32.

        Raises:
            MissingPathError: a file is missing.
            BadValueError: a file is of another size.
        """
        return [
            self._array(self.folder / f"{image.stem}_{number}.bin", output)
            for number, output in enumerate(self.outputs)
        ]

    def _array(self, path: Path, output: TensorDescription) -> np.ndarray:
        dtype = np.dtype(output.dtype).newbyteorder("<")
        advice = f", but '{self.index}' lists it: {RUN_AGAIN}"
        with os_errors_as(MissingPathError, f"result file '{path}' cannot be read", advice):
            data = path.read_bytes()
        shape = [1 if length is None else length for length in output.shape]
        wanted = math.prod(shape) * dtype.itemsize
        if len(data) != wanted:
            raise BadValueError(
                f"result file '{path}' has {len(data)} bytes, wanted {short(wanted)} for {short(output.name)}, "
                f"{_text(output)}: {RUN_AGAIN}"
            )
        array = np.frombuffer(data, dtype).reshape(shape)
        return array.astype(np.float32) if dtype.kind == "f" else array


def read_result_files(folder: Path) -> ResultFiles:
    """Reads what `<folder>.json` says of the results in `folder`.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it was not written by a run, or lists no image.
    """
    index = folder.with_name(f"{folder.name}.json")
    advice = ": it is written when an inference has ended well; run it in this folder, or give --result_path"
    try:
        with os_errors_as(MissingPathError, f"'{index}' cannot be read", advice):
            values = parse_json(index.read_bytes())
    except JsonTextError as error:
        raise BadValueError(f"'{index}' is no JSON ({error}): {RUN_AGAIN}") from error
    try:
        results = ResultFiles(
            folder,
            index,
            Path(values["model"]),
            outputs=as_kind(values["outputs"], tuple[TensorDescription, ...]),
            images=as_kind(values["images"], tuple[ResultImage, ...]),
            skipped=as_kind(values["skipped"], tuple[SkippedImage, ...]),
        )
    except (KeyError, TypeError, JsonTextError) as error:
        raise BadValueError(f"'{index}' lacks or misspells a field ({error}): {RUN_AGAIN}") from error
    strange = next((each for each in results.outputs if not _can_be_read(each)), None)
    if strange is not None:
        raise BadValueError(
            f"'{index}' gives output {short(strange.name)} the type {short(strange.dtype)} and shape "
            f"{short(list(strange.shape))}, which cannot be read: {RUN_AGAIN}"
        )
    for image in results.images:
        if fault := path_fault(f"{image.stem}_0.bin") or path_fault(image.file):
            raise BadValueError(f"'{index}' has an image {short(image.file)} whose name or stem {fault}: {RUN_AGAIN}")
    if not results.images:
        raise BadValueError(
            f"'{index}' lists no image with results, {len(results.skipped)} could not be read: give images that can be"
        )
    return results


def check_outputs(results: ResultFiles, description: ModelDescription, suite: str) -> None:
    """Checks that results are those of a model of a suite; another floating-point type than described is fine.

    Raises:
        BadValueError: they are not.
    """
    if description.suite != suite:
        raise BadValueError(
            f"'{description.file}' is a model of {description.suite}, wanted one of {suite}: use the post-processing "
            "of its own suite"
        )
    found = tuple((each.shape, np.dtype(each.dtype).kind) for each in results.outputs)
    wanted = tuple((each.shape[1:], np.dtype(each.dtype).kind) for each in description.outputs)
    if found != wanted:
        raise BadValueError(
            f"'{results.index}' has the outputs {', '.join(map(_text, results.outputs))}, but '{description.file}' "
            f"gives {', '.join(_text(each, skip=1) for each in description.outputs)} for each image: the results are "
            f"of another model; {RUN_AGAIN}"
        )


def _can_be_read(output: TensorDescription) -> bool:
    return is_number_type(output.dtype) and all(isinstance(length, int) and length >= 0 for length in output.shape)


def _text(output: TensorDescription, skip: int = 0) -> str:
    """Returns e.g. `float32[100, 4]`, without the first `skip` axes."""
    return f"{output.dtype}{short(list(output.shape[skip:]))}"
