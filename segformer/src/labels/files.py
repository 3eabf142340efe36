"""Label files: grey 8-bit PNG files of train ids, checked so that a wrong one is a sentence that names it."""

import io
import logging
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from utils.images import DECODER_ERRORS, ImageHeader, read_bytes, read_header
from utils.model_utils.errors import BadValueError, MissingPathError

from .classes import CITYSCAPES_CLASS_NAMES, LARGEST_ID

CONVERTER = "tools/convert_dataset.py"
MAKE_AGAIN = f"delete it and make it again with {CONVERTER}"
SET_KEYS = "set class_num to the number of classes, or dataset_ignore_label to the value of pixels without a class"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_PNG_HEAD_BYTES = 26  # signature, length and name of IHDR, width, height, bit depth, colour type
_HEAD_BYTES = 1 << 17  # a JPEG states its size after its EXIF data, which has at most 64 KiB
_COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey and alpha", 6: "RGBA"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class ImagePair:
    """An image and its label.

    Attributes:
        image: file of the image.
        label: file of its train ids.
    """

    image: Path
    label: Path


def read_label(path: Path, fix: str = MAKE_AGAIN) -> np.ndarray:
    """Reads a label.

    Args:
        path: of the file.
        fix: what the sentences advise.

    Returns:
        uint8[H, W], train ids.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: it is no grey 8-bit PNG file, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, "label", fix, error) from error
    label_size(data, path, fix)
    try:
        return np.array(Image.open(io.BytesIO(data), formats=("PNG",)))
    except DECODER_ERRORS as error:
        raise BadValueError(f"label '{path}' is truncated or damaged ({error}); {fix}") from error


def check_values(label: np.ndarray, path: Path, num_classes: int, ignore_label: int, fix: str) -> np.ndarray:
    """Checks that a label holds only classes and `ignore_label`.

    Args:
        label: uint8[H, W].
        path: its file, for the sentence.
        num_classes: classes are 0..num_classes-1.
        ignore_label: the one other value that may be there.
        fix: what the sentence advises where they are of other classes.

    Returns:
        int64[256], how many pixels have each value.

    Raises:
        BadValueError: there are other values.
    """
    counts = cv2.calcHist([label], [0], None, [256], [0, 256])[:, 0].astype(np.int64)
    values = np.flatnonzero(counts)
    wrong = values[(values >= num_classes) & (values != ignore_label)]
    if len(wrong) == 0:
        return counts
    found = ", ".join(str(value) for value in wrong[:6]) + (", ..." if len(wrong) > 6 else "")
    wanted = f"wanted 0 to {num_classes - 1} and {ignore_label}"
    if num_classes == len(CITYSCAPES_CLASS_NAMES) and values[values != ignore_label].max() <= LARGEST_ID:
        raise BadValueError(
            f"label '{path}' holds {found}, {wanted}: these look like the ids of a labelIds file; delete it and make "
            f"train ids with {CONVERTER}"
        )
    raise BadValueError(f"label '{path}' holds {found}, {wanted}: {fix}")


def check_labels(pairs: Sequence[ImagePair], num_classes: int, ignore_label: int, sample: int = 64) -> None:
    """Checks size and kind of all labels by their headers, and the values of some, evenly spread over the split.

    Args:
        pairs: of a split.
        num_classes: classes are 0..num_classes-1.
        ignore_label: value of pixels without a class.
        sample: how many labels are decoded at most. (Training looks at the values of each label that it reads.)

    Raises:
        MissingPathError: a file cannot be read.
        BadValueError: a label is of the wrong kind or size, or has values that are no classes.
    """
    for pair in pairs:
        _check_size(pair)
    chosen = [pairs[index] for index in np.unique(np.linspace(0, len(pairs) - 1, min(sample, len(pairs)), dtype=int))]
    totals = np.zeros(256, np.int64)
    empty = []
    for pair in chosen:
        counts = check_values(read_label(pair.label), pair.label, num_classes, ignore_label, SET_KEYS)
        totals += counts
        if counts.sum() == counts[ignore_label]:
            empty.append(pair.label)
    logger.info("%d pairs of image and label; sizes of all and values of %d labels checked", len(pairs), len(chosen))
    if empty:
        logger.warning(
            "%d of %d labels looked at have no pixel with a class, first '%s': nothing is learnt from them",
            len(empty),
            len(chosen),
            empty[0],
        )


def image_header(path: Path) -> ImageHeader:
    """Reads size and kind of an image from the first bytes of its file.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: it is no image, or empty.
    """
    head = _head(path, "image", "put it back")
    if is_png(head):
        width, height, depth, colour_type = struct.unpack(">IIBB", head[16:_PNG_HEAD_BYTES])
        # whether there is an orientation is seen when the file is decoded
        return ImageHeader(
            height, width, "PNG", _COLOUR_TYPES.get(colour_type, "?"), False, depth == 8 and colour_type in (0, 2)
        )
    try:
        return read_header(head, str(path))
    except BadValueError:
        return read_header(read_bytes(path), str(path))


def is_png(data: bytes) -> bool:
    """Tells whether a file begins as a PNG file does, header included."""
    return data.startswith(_PNG_SIGNATURE) and data[12:16] == b"IHDR" and len(data) >= _PNG_HEAD_BYTES


def _check_size(pair: ImagePair) -> None:
    header = image_header(pair.image)
    size = label_size(_head(pair.label, "label", MAKE_AGAIN), pair.label, MAKE_AGAIN)
    if size == (header.height, header.width) or (header.is_rotated and size == (header.width, header.height)):
        return
    raise size_error(pair, (header.height, header.width), size)


def size_error(pair: ImagePair, image_size: tuple[int, int], label_shape: tuple[int, int]) -> BadValueError:
    """Returns the error for a label of another (height, width) than its image."""
    return BadValueError(
        f"label '{pair.label}' has {label_shape[0]}x{label_shape[1]} pixels (rows x columns), its image '{pair.image}' "
        f"{image_size[0]}x{image_size[1]}; they must be equal: make the label again from the image's annotation, or "
        "put the right image there"
    )


def is_finished_label(path: Path) -> bool:
    """Tells whether a file begins and ends as a label does; its pixels are not decoded."""
    try:
        with path.open("rb") as file:
            label_size(file.read(_PNG_HEAD_BYTES), path, MAKE_AGAIN)
            file.seek(-len(PNG_END), os.SEEK_END)
            return file.read() == PNG_END
    except (OSError, BadValueError):
        return False


def label_size(data: bytes, path: Path, fix: str) -> tuple[int, int]:
    """Returns (height, width) from the first bytes of a label.

    Raises:
        BadValueError: it is no grey 8-bit PNG file; the sentence ends with `fix`.
    """
    if not is_png(data):
        content = "is empty (0 bytes)" if not data else "is no PNG file"
        raise BadValueError(f"label '{path}' {content}; {fix}")
    width, height, depth, colour_type = struct.unpack(">IIBB", data[16:_PNG_HEAD_BYTES])
    if (depth, colour_type) != (8, 0):
        kind = f"a {_COLOUR_TYPES.get(colour_type, 'damaged')} PNG file with {depth} bits"
        raise BadValueError(
            f"label '{path}' is {kind}, wanted a grey one with 8 bits whose levels are the class numbers; {fix}"
        )
    return height, width


def _head(path: Path, what: str, fix: str) -> bytes:
    try:
        with path.open("rb") as file:
            first = file.read(_PNG_HEAD_BYTES)
            return first if is_png(first) else first + file.read(_HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, what, fix, error) from error


def _unreadable(path: Path, what: str, fix: str, error: OSError) -> MissingPathError:
    return MissingPathError(
        f"{what} '{path}' cannot be read ({error.strerror}); check the folder and its permissions, or {fix}"
    )
