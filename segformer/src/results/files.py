"""The pictures that infer.py leaves for each image: which, under which names, and how they are written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from utils.drawing.class_maps import encode_gray, encode_overlap, encode_palette_png
from utils.image_search import ImageFile
from utils.model_utils.errors import BadValueError, MissingPathError, os_errors_as
from utils.model_utils.files import write_file

GRAY, COLOR, OVERLAP = "_gray.png", "_color.png", "_overlap.png"


@dataclass(frozen=True)
class Outputs:
    """Which pictures are written for an image.

    Attributes:
        gray: class numbers as an 8-bit grey PNG.
        color: the same with the palette of the classes.
        overlap: the colours laid over the image.
        original: a copy of the file.
    """

    gray: bool = True
    color: bool = True
    overlap: bool = True
    original: bool = True

    def names(self, base: PurePosixPath, suffix: str) -> list[PurePosixPath]:
        """Returns the files of an image whose results begin with `base`; `suffix` is the image's own."""
        chosen = ((self.gray, GRAY), (self.color, COLOR), (self.overlap, OVERLAP), (self.original, suffix))
        return [base.with_name(base.name + ending) for is_wanted, ending in chosen if is_wanted]


def result_bases(files: Sequence[ImageFile], outputs: Outputs) -> list[PurePosixPath]:
    """Returns what the names of each image's results begin with, so that no two images write the same file.

    That is the image's name without its suffix. Images in several folders that share a name keep their sub-folder, and
    what would still be the same keeps the suffix too: `a/x.jpg` beside `a/x.png` becomes `a/x.jpg_gray.png`.
    """
    flat = Counter(file.name.stem.lower() for file in files)
    nested = Counter(str(file.name.with_suffix("")).lower() for file in files)
    taken: set[str] = set()
    bases = []
    for file in files:
        name = file.name
        candidates = [PurePosixPath(name.stem)] if flat[name.stem.lower()] == 1 else []
        candidates += [name.with_suffix("")] if nested[str(name.with_suffix("")).lower()] == 1 else []
        candidates += [name, *(name.with_name(f"{name.name}.{number}") for number in range(2, len(files) + 2))]
        base = next(each for each in candidates if taken.isdisjoint(_lower_names(outputs, each, name.suffix)))
        taken.update(_lower_names(outputs, base, name.suffix))
        bases.append(base)
    return bases


def _lower_names(outputs: Outputs, base: PurePosixPath, suffix: str) -> list[str]:
    return [str(name).lower() for name in outputs.names(base, suffix)]  # some file systems know no capitals


def refuse_overwriting(
    files: Sequence[ImageFile], bases: Sequence[PurePosixPath], outputs: Outputs, folder: Path
) -> None:
    """Refuses an output folder in which a result would take the place of an image that is read.

    Raises:
        BadValueError: it would.
    """
    sources = {file.path.resolve() for file in files}
    for file, base in zip(files, bases, strict=True):
        for name in outputs.names(base, file.path.suffix):
            if (folder / name).resolve() in sources:
                raise BadValueError(
                    f"the image '{folder / name}' would be overwritten by a result: choose another --infer_output_path "
                    "than the images' folder"
                )


def write_results(
    base: Path, source: Path, image: np.ndarray, classes: np.ndarray, outputs: Outputs, colours: np.ndarray
) -> None:
    """Writes the pictures of one image, each under a temporary name first.

    Args:
        base: path that the pictures' names begin with.
        source: file of the image.
        image: uint8[H, W, 3], RGB.
        classes: uint8[H, W].
        outputs: which pictures.
        colours: uint8[256, 3], RGB.

    Raises:
        BadStateError: they cannot be written.
    """
    contents: list[bytes] = []
    if outputs.gray:
        contents.append(encode_gray(classes))
    if outputs.color:
        contents.append(encode_palette_png(classes, colours))
    if outputs.overlap:
        contents.append(encode_overlap(image, classes, colours))
    if outputs.original:
        with os_errors_as(MissingPathError, f"image '{source}' cannot be read", ": check its permissions"):
            contents.append(source.read_bytes())
    for name, content in zip(outputs.names(PurePosixPath(base.name), source.suffix), contents, strict=True):
        write_file(base.parent / name, content, what="picture")
