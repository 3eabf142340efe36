"""Writes what SegFormer reads: leftImg8bit/SPLIT, gtFine/SPLIT with a grey picture of class numbers each, and names."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from utils.forms.content import NO_CLASS, DataSet, Picture
from utils.forms.outlines.painting import label_of_objects
from utils.forms.writers.names import file_names
from utils.forms.writers.placing import Placing
from utils.model_utils.errors import BadValueError, UserError
from utils.model_utils.files import write_file
from utils.progress import track

IMAGE_MARK, LABEL_ENDING = "_leftImg8bit", "_gtFine_labelTrainIds.png"
CLASS_NAMES = "class_names.txt"
BACKGROUND = "background"
MOST_CLASSES = 255


def classes_of(data: DataSet, has_background: bool) -> tuple[tuple[str, ...], np.ndarray, int]:
    """Returns the names of the classes, the number of each class index, uint8[N], and the value of what is no object.

    Args:
        data: the data set.
        has_background: what is no object is a class of its own, the first, and not left out; labels say it themselves.

    Raises:
        BadValueError: there are fewer than two classes, or more than a file of one byte a pixel holds.
    """
    names = data.class_names
    numbers = np.arange(len(names))
    unpainted = NO_CLASS
    if not data.has_labels and has_background:
        if data.background is None:
            own = BACKGROUND if BACKGROUND not in names else f"no {names[0]}"
            names, numbers, unpainted = (own, *names), numbers + 1, 0
        else:
            unpainted = data.background
    if not 2 <= len(names) <= MOST_CLASSES:
        own = "name the values with --colors" if data.has_labels else "give --background class, for what is no object"
        fix = own if len(names) < 2 else "leave some out"
        raise BadValueError(f"SegFormer takes 2 to {MOST_CLASSES} classes, and the source gives {len(names)}: {fix}")
    return names, numbers.astype(np.uint8), unpainted


def write(
    data: DataSet, folder: Path, placing: Placing, numbers: np.ndarray, unpainted: int, names: Sequence[str]
) -> np.ndarray:
    """Writes a data set.

    Args:
        data: with the split of each picture.
        folder: takes it.
        placing: puts the pictures there.
        numbers: see `classes_of`.
        unpainted: likewise.
        names: of the classes, C.

    Returns:
        int64[C + 1], the pixels of each class, and last those without one.

    Raises:
        BadStateError: it cannot be written.
    """
    totals = np.zeros(256, np.int64)
    for split in sorted({picture.split for picture in data.pictures}):
        pictures = [picture for picture in data.pictures if picture.split == split]
        listed = zip(pictures, file_names(pictures, data.tally), strict=True)
        for picture, name in track(listed, len(pictures), f"writing {split}"):
            try:
                label = _label(picture, numbers, unpainted)
            except UserError as error:
                data.tally.drop("label", "that cannot be read", str(error))
                continue
            totals += np.bincount(label.ravel(), minlength=256)
            path = PurePosixPath(name)
            placing.place(picture, folder / "leftImg8bit" / split / f"{path.stem}{IMAGE_MARK}{path.suffix}")
            content = cv2.imencode(".png", label)[1].tobytes()
            write_file(folder / "gtFine" / split / f"{path.stem}{LABEL_ENDING}", content, what="label")
    write_file(folder / CLASS_NAMES, "".join(f"{' '.join(name.split())}\n" for name in names).encode(), what="list")
    return np.concatenate([totals[: len(names)], totals[NO_CLASS:]])


def _label(picture: Picture, numbers: np.ndarray, unpainted: int) -> np.ndarray:
    """Returns uint8[H, W], class numbers and NO_CLASS."""
    if picture.read_label is not None:
        return picture.read_label()
    if picture.objects is None:
        return np.full(picture.size, unpainted, np.uint8)
    return label_of_objects(picture.objects, picture.size, numbers, unpainted)
