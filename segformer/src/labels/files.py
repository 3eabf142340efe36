"""Label files: what they hold is checked, and made to class numbers; a wrong one is a sentence that names it.

Where no coding says otherwise, they are PNG files whose levels or palette indexes are the class numbers.
"""

import io
import logging
import os
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from utils.data_sets.label_files import COLOUR_TYPES, GREY, PALETTE, PNG_HEAD_BYTES, is_png, label_size, may_be_label
from utils.image_files import evenly_spread
from utils.images import DECODER_ERRORS, ImageHeader, read_bytes, read_header
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, os_errors_as
from utils.model_utils.guards.pixel_limit import check_pixels
from utils.model_utils.in_use import Hold, claim_all, hold
from utils.png_chunks import check_png
from utils.words import agreed, counted, first_of, listed, none_of

from .classes import CITYSCAPES_CLASS_NAMES, IGNORE_LABEL, LARGEST_ID, class_names
from .codings import MOST_NAMED, LabelCoding
from .decoding import label_colours, label_values
from .sources import FOLDER, how_to_make_train_ids, how_to_replace, how_to_rewrite

OTHER_FORMATS = "say with label_map or palette what its values or colours stand for, or save it as a PNG file"
SET_KEYS = (
    "set class_num to the number of classes, or dataset_ignore_label to the value of pixels without a class, or say "
    "with label_map what each value stands for"
)
MOST_ABSENT = 10  # classes of a sentence
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_HEAD_BYTES = 1 << 17  # a JPEG states its size after its EXIF data, which has at most 64 KiB

logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class ImagePair:
    """An image and its label.

    Attributes:
        image: file of the image.
        label: file of its train ids.
        hold: keeps the label from being made anew as long as somebody has this object.
        coding: what the label's values or colours stand for; None where they are the class numbers.
    """

    image: Path
    label: Path
    hold: Hold | None = field(default=None, compare=False, repr=False)
    coding: LabelCoding | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class LabelHeader:
    """What the first bytes of a label say.

    Attributes:
        size: height and width.
        has_palette: the class numbers are the indexes of a palette, as VOC and LabelMe write them.
    """

    size: tuple[int, int]
    has_palette: bool


def read_classes(path: Path, coding: LabelCoding | None) -> np.ndarray:
    """Reads a label and returns the class numbers that its values or colours stand for, uint8[H, W].

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: it is of a kind that does not fit, damaged, or holds what stands for nothing.
    """
    if coding is None:
        return read_label(path)
    data = _read(path, "")
    return coding.classes(label_colours(data, path) if coding.of_colours else label_values(data, path), path)


def read_label(path: Path, fix: str = "") -> np.ndarray:
    """Reads a label: the levels of a grey file, or the indexes of one with a palette.

    Args:
        path: of the file.
        fix: what the sentences advise; empty for what fits the file and its folder.

    Returns:
        uint8[H, W], train ids.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: it is no PNG file of that kind, or damaged.
    """
    data = _read(path, fix)
    label_header(data, path, fix)
    try:
        check_png(data)
        return np.array(Image.open(io.BytesIO(data), formats=("PNG",)))
    except DECODER_ERRORS as error:
        raise BadValueError(
            f"label '{path}' is truncated or damaged ({error}); {fix or how_to_replace(path)}"
        ) from error


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
    found = ", ".join(f"{value} ({counted(int(counts[value]), 'pixel')})" for value in wrong[:MOST_NAMED])
    found += ", ..." if len(wrong) > MOST_NAMED else ""
    wanted = f"wanted 0 to {num_classes - 1} and {ignore_label}"
    advice = how_to_name(counts, path, num_classes, ignore_label, fix)
    raise BadValueError(f"label '{path}' holds {found}, {wanted}: {advice}")


def how_to_name(counts: np.ndarray, path: Path, num_classes: int, ignore_label: int, fix: str) -> str:
    """Returns what to do about values that are no classes.

    Args:
        counts: int64[256], pixels of each value.
        path: a label that holds such values.
        num_classes: classes are 0..num_classes-1.
        ignore_label: the one other value that may be there.
        fix: the advice where they are of other classes than Cityscapes'.
    """
    values = np.flatnonzero(counts)
    if num_classes == len(CITYSCAPES_CLASS_NAMES) and values[values != ignore_label].max() <= LARGEST_ID:
        return f"these look like the ids of a labelIds file; {how_to_make_train_ids(path)}"
    return fix


def check_labels(
    pairs: Sequence[ImagePair],
    num_classes: int,
    ignore_label: int,
    names: Sequence[str] = (),
    *,
    sample: int = 64,
    for_training: bool = False,
) -> None:
    """Checks size and kind of all labels by their headers, and the values of some, evenly spread over the split.

    Says what training would not fail at, but cannot be meant: labels without a class, classes without a pixel.

    Args:
        pairs: of a split.
        num_classes: classes are 0..num_classes-1.
        ignore_label: value of pixels without a class.
        names: of the classes, if they have any.
        sample: how many labels are decoded at most. (Training looks at the values of each label that it reads.)

        for_training: refuse a split in which nothing can be learned.

    Raises:
        MissingPathError: a file cannot be read.
        BadValueError: a label is of the wrong kind or size, has values that are no classes, or none looked at has one.
    """
    num_palettes = sum(check_size(pair).has_palette for pair in pairs)
    chosen = evenly_spread(pairs, sample)
    totals = np.zeros(256, np.int64)
    empty = []
    for pair in chosen:
        classes = read_classes(pair.label, pair.coding)
        counts = check_values(classes, pair.label, num_classes, ignore_label, SET_KEYS)
        totals += counts
        if counts.sum() == counts[ignore_label]:
            empty.append(pair.label)
    looked_at = counted(len(chosen), "label")
    logger.info("%s of image and label; sizes of all and values of %s checked", counted(len(pairs), "pair"), looked_at)
    if num_palettes:
        has = agreed(num_palettes, "has", "have")
        logger.info("%s %s a palette: its indexes are taken as the class numbers", counted(num_palettes, "label"), has)
    if for_training and len(empty) == len(chosen):
        raise BadValueError(
            f"{none_of(len(chosen), 'label')} looked at has a pixel with a class, first '{empty[0]}': there is "
            f"{ignore_label} alone, which is dataset_ignore_label, and nothing to learn; give other labels"
        )
    if empty:
        logger.warning(
            "%d of %s looked at %s no pixel with a class, first '%s': %s for nothing",
            len(empty),
            looked_at,
            agreed(len(empty), "has", "have"),
            empty[0],
            agreed(len(empty), "it counts", "they count"),
        )
    if any(pair.coding for pair in chosen):
        totals[ignore_label] = 0  # somebody has said which values are no class
    absent = format_absent_classes(totals, len(chosen), class_names(num_classes, names), ignore_label)
    if absent:
        logger.warning("%s", absent)


def format_absent_classes(counts: np.ndarray, num_labels: int, names: Sequence[str], ignore_label: int) -> str:
    """Returns which classes no label has a pixel of, e.g. `none of the 64 labels looked at has a pixel of wall (1)`.

    Where the labels hold the ignore label too, as masks of 0 and 255 do, it is named with what becomes of its pixels:
    such a mask has one class, and a network that knows only this one scores 1.0. Of another ignore label than 255
    nothing is said: somebody has given it.

    Args:
        counts: int64[256], pixels of each value in these labels.
        num_labels: how many were looked at.
        names: of the classes.
        ignore_label: value of pixels without a class.

    Returns:
        The sentence; empty where every class has a pixel.
    """
    absent = np.flatnonzero(counts[: len(names)] == 0)
    if not absent.size:
        return ""
    named = first_of([f"{names[index]} ({index})" for index in absent], MOST_ABSENT)
    sentence = f"{none_of(num_labels, 'label')} looked at has a pixel of {named}"
    if not counts[ignore_label] or ignore_label != IGNORE_LABEL:
        return f"{sentence}: it cannot be learnt or scored from these" if absent.size == 1 else sentence
    held = np.flatnonzero(counts).tolist()
    values = listed(held) if len(held) > 1 else f"{held[0]} alone"
    share = counts[ignore_label] / counts.sum()
    return (
        f"{sentence}: they hold {values}, and {ignore_label} is dataset_ignore_label, whose pixels ({share:.0%}) are "
        f"neither learnt from nor scored; where {ignore_label} stands for a class, say so with label_map, e.g. "
        f"--label_map={example_map(counts, absent, ignore_label)}"
    )


def example_map(counts: np.ndarray, absent: np.ndarray, ignore_label: int) -> str:
    """Returns a `label_map` for labels whose pixels without a class may be of one.

    Args:
        counts: int[256], pixels of each value.
        absent: int[N], classes without a pixel.
        ignore_label: the value that stands for no class.
    """
    if not absent.size:
        return ""
    return "binary" if np.flatnonzero(counts).tolist() == [0, 255] else f"{ignore_label}:{absent[0]},..."


def image_header(path: Path) -> ImageHeader:
    """Reads size and kind of an image from the first bytes of its file.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: it is no image, or empty.
    """
    head = _head(path, "image", "put it back")
    if is_png(head):
        width, height, depth, colour_type = struct.unpack(">IIBB", head[16:PNG_HEAD_BYTES])
        check_pixels(height, width, f"image '{path}'")
        # whether there is an orientation is seen when the file is decoded
        return ImageHeader(
            height, width, "PNG", COLOUR_TYPES.get(colour_type, "?"), False, depth == 8 and colour_type in (0, 2)
        )
    try:
        return read_header(head, str(path))
    except BadValueError:
        return read_header(read_bytes(path), str(path))


def check_size(pair: ImagePair) -> LabelHeader:
    """Checks by the headers that a label has the size of its image; raises as `check_labels`."""
    header = image_header(pair.image)
    label = read_label_header(pair)
    sizes = [(header.height, header.width), *([(header.width, header.height)] if header.is_rotated else [])]
    if label.size not in sizes:
        raise size_error(pair, sizes[0], label.size)
    return label


def read_label_header(pair: ImagePair) -> LabelHeader:
    """Reads size and kind of a label from the first bytes of its file.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: it is of a kind that is not read.
    """
    head = _head(pair.label, "label", "")
    if pair.coding is None:
        return label_header(head, pair.label)
    try:
        return LabelHeader(label_size(head, pair.label), False)
    except BadValueError:  # a format whose size may stand far behind
        return LabelHeader(label_size(_read(pair.label, ""), pair.label), False)


def size_error(pair: ImagePair, image_size: tuple[int, int], label_shape: tuple[int, int]) -> BadValueError:
    """Returns the error for a label of another (height, width) than its image."""
    return BadValueError(
        f"label '{pair.label}' has {label_shape[0]}x{label_shape[1]} pixels (rows x columns), its image '{pair.image}' "
        f"{image_size[0]}x{image_size[1]}; they must be equal: make the label again from the image's annotation, or "
        "put the right image there"
    )


def is_finished_label(path: Path) -> bool:
    """Tells whether a file begins and ends as a PNG file does, of whatever kind; its pixels are not decoded."""
    try:
        with path.open("rb") as file:
            begins = is_png(file.read(PNG_HEAD_BYTES))
            file.seek(-len(PNG_END), os.SEEK_END)
            return begins and file.read() == PNG_END
    except OSError:
        return False


def label_header(data: bytes, path: Path, fix: str = "") -> LabelHeader:
    """Reads the first bytes of a label.

    Raises:
        BadValueError: it is no PNG file with a palette, or with 8 bits of grey; the sentence ends with `fix`, or with
            what fits the file.
    """
    if not is_png(data):
        content = "is empty (0 bytes)" if not data else "is no PNG file"
        advice = OTHER_FORMATS if may_be_label(data) else how_to_replace(path)
        raise BadValueError(f"label '{path}' {content}; {fix or advice}")
    width, height, depth, colour_type = struct.unpack(">IIBB", data[16:PNG_HEAD_BYTES])
    check_pixels(height, width, f"label '{path}'")
    if colour_type == PALETTE or (depth, colour_type) == (8, GREY):
        return LabelHeader((height, width), colour_type == PALETTE)
    colour = COLOUR_TYPES.get(colour_type, "damaged")
    raise BadValueError(
        f"label '{path}' is a {colour} PNG file with {depth} bits, wanted a grey one with 8 bits whose levels are the "
        f"class numbers, or one with a palette whose indexes are; {fix or how_to_rewrite(path, colour)}"
    )


def hold_labels(root: Path, split: str) -> Hold:
    """Keeps the labels of a split from being made anew, as long as somebody has what this returns.

    Raises:
        MissingPathError: there is no such folder.
        BadStateError: they are being made anew at this moment.
    """
    folder = Path(root) / FOLDER / split
    with os_errors_as(MissingPathError, f"'{folder}' cannot be read", "; check its permissions"):
        found = hold(folder)
    if found is None:
        raise BadStateError(f"labels of '{folder}' are being made anew: start again when all are there")
    return found


def claim_labels(root: Path, labels: Sequence[Path]) -> ExitStack:
    """Makes sure that nobody reads the splits of labels that are to be made anew, until what it returns is closed.

    Raises:
        BadStateError: somebody does.
    """
    splits: dict[Path, list[Path]] = {}
    for label in labels:
        inner = label.relative_to(Path(root) / FOLDER).parts[:-1]
        splits.setdefault(Path(root, FOLDER, *inner[:1]), []).append(label)

    def refusal(folder: Path) -> BadStateError:
        damaged = splits[folder]
        return BadStateError(
            f"labels of '{folder}' are being read by a training or an evaluation, and {len(damaged)} of them are not "
            f"whole and would be made anew, first '{damaged[0]}': wait until it has ended"
        )

    return claim_all(splits, refusal)


def _read(path: Path, fix: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, "label", fix, error) from error


def _head(path: Path, what: str, fix: str) -> bytes:
    try:
        with path.open("rb") as file:
            first = file.read(PNG_HEAD_BYTES)
            return first if is_png(first) else first + file.read(_HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, what, fix, error) from error


def _unreadable(path: Path, what: str, fix: str, error: OSError) -> MissingPathError:
    return MissingPathError(
        f"{what} '{path}' cannot be read ({error.strerror}); check the folder and its permissions, or "
        f"{fix or how_to_replace(path)}"
    )
