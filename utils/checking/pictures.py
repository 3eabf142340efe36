"""Looks at image files in parallel, and finds those that are the same picture."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from utils.checking.findings import ERROR, NOTE, WARNING, Findings
from utils.image_search import is_picture_name
from utils.images import decode_image, read_bytes, read_header
from utils.model_utils.device_adapter import available_cores
from utils.model_utils.errors import BadValueError, MissingPathError, UserError
from utils.pixels import size_of
from utils.progress import track
from utils.words import counted, share

MOST_THREADS = 8  # each holds a decoded picture
DIGEST_BYTES = 16
MISSING, UNREADABLE, NO_PICTURE, DAMAGED = "missing", "unreadable", "no picture", "damaged"

Size = tuple[int, int]  # (height, width) in pixels
Item = TypeVar("Item")
Result = TypeVar("Result")
Given = ParamSpec("Given")


@dataclass(frozen=True)
class Picture:
    """What a look at an image file has shown.

    Attributes:
        path: of the file.
        size: (height, width) as it is read; None where it cannot be.
        fault: one of the words above; empty where there is none.
        problem: the sentence about it.
        is_turned: its EXIF orientation is not applied, as the annotated size is that of the stored pixels.
        digest: of size and decoded pixels: files with the same show the same picture, whatever their names and formats.
            Empty where it was not decoded.
    """

    path: Path
    size: Size | None = None
    fault: str = ""
    problem: str = ""
    is_turned: bool = False
    digest: bytes = b""


def look_at(path: Path, expected: Size | None, *, decode: bool) -> Picture:
    """Looks at one image file.

    Args:
        path: of the file.
        expected: annotated (height, width); None where there is none.
        decode: decode its pixels, which shows what is truncated; without it the header alone is read.
    """
    name = str(path)
    try:
        data = read_bytes(path)
    except MissingPathError as error:
        return Picture(path, fault=UNREADABLE if os.path.exists(path) else MISSING, problem=str(error))
    try:
        header = read_header(data, name)
    except BadValueError as error:
        return Picture(path, fault=NO_PICTURE, problem=str(error))
    shown = (header.height, header.width)
    is_turned = header.is_rotated and expected is not None and expected != shown and expected == shown[::-1]
    if not decode:
        return Picture(path, shown[::-1] if is_turned else shown, is_turned=is_turned)
    try:
        pixels = decode_image(data, name, expected)
    except BadValueError as error:
        return Picture(path, fault=DAMAGED, problem=str(error))
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=DIGEST_BYTES)
    digest.update(np.ascontiguousarray(pixels).data)
    return Picture(path, size_of(pixels), is_turned=is_turned, digest=digest.digest())


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item], what: str) -> Iterator[Result]:
    """Yields function(item) in the order of the items, from threads, and shows how far it is."""
    with ThreadPoolExecutor(min(MOST_THREADS, available_cores())) as pool:
        yield from track(pool.map(function, items), len(items), what)


def add_unusable(found: Findings, split: str, pictures: Sequence[Picture], severity: str, then: str) -> None:
    """Adds pictures that are missing, that cannot be read, that are no pictures or damaged.

    Args:
        found: takes the findings.
        split: name of the split.
        pictures: of the split.
        severity: of these findings.
        then: what happens to such pictures, e.g. "training refuses them".
    """
    wordings = {
        MISSING: (
            "[picture is|pictures are] not there",
            "copy [it|them] there, or take [it|them] out of the annotations",
        ),
        UNREADABLE: ("[picture|pictures] cannot be read", "change the permissions of the [file|files]"),
        NO_PICTURE: ("[file is no picture|files are no pictures] of a known format", "replace the [file|files]"),
        DAMAGED: (
            "[picture is|pictures are] truncated or damaged: the header is whole, the pixels are not",
            "copy [it|them] again",
        ),
    }
    for fault, (what, fix) in wordings.items():
        bad = [each for each in pictures if each.fault == fault]
        code = f"pictures-{fault.replace(' ', '-')}"
        names = (each.path.name for each in bad)
        found.add(severity, code, split, len(bad), what, f"{fix}; {then}", names)


def add_repeated(found: Findings, splits: Sequence[tuple[str, Sequence[Picture]]]) -> None:
    """Adds pictures that are there more than once, within a split and across splits.

    Args:
        found: takes the findings.
        splits: name and pictures of each, the training split first.
    """
    for name, pictures in splits:
        first = first_of_each(pictures)
        again = [each for each in pictures if each.digest and first[each.digest] is not each]
        found.add(
            WARNING,
            "pictures-repeated",
            name,
            len(again),
            "[picture shows|pictures show] the same as another one of the split, pixel for pixel "
            f"({share(len(again), len(pictures))})",
            "keep one of each, with all of its annotations: otherwise both count, or contradict each other",
            (f"{each.path.name} = {first[each.digest].path.name}" for each in again),
        )
    if len(splits) < 2:
        return
    (trained_name, trained), (name, pictures) = splits
    first = first_of_each(trained)
    both = [each for each in pictures if each.digest in first]
    found.add(
        ERROR,
        "pictures-in-both-splits",
        f"{trained_name}, {name}",
        len(both),
        f"[picture|pictures] of {name} [is|are] in {trained_name} too, pixel for pixel "
        f"({share(len(both), len(pictures))} of its {counted(len(pictures), 'picture')})",
        "remove [it|them] from one of the splits: evaluation on training pictures gives numbers that are too good",
        (f"{each.path.name} = {first[each.digest].path.name}" for each in both),
    )


def add_unlisted(found: Findings, split: str, folder: Path, listed: Iterable[Path]) -> None:
    """Adds pictures of a folder and its sub-folders that no annotation lists.

    Args:
        found: takes the finding.
        split: name of the split.
        folder: that is looked into; links to folders are not followed.
        listed: the pictures that annotations list, of all splits.
    """
    known = {os.path.normpath(path) for path in listed}
    paths = (
        os.path.join(where, name) for where, _, names in os.walk(folder) for name in names if is_picture_name(name)
    )
    others = sorted(path for path in paths if os.path.normpath(path) not in known)
    found.add(
        NOTE,
        "pictures-not-listed",
        split,
        len(others),
        f"[picture|pictures] of '{folder}' [is|are] in no annotation file",
        "no action is needed if that is intended: [it is|they are] not used",
        (os.path.relpath(path, folder) for path in others),
    )


def first_of_each(pictures: Iterable[Picture]) -> dict[bytes, Picture]:
    """Returns the first picture of each digest."""
    first: dict[bytes, Picture] = {}
    for each in pictures:
        if each.digest:
            first.setdefault(each.digest, each)
    return first


def usual_size(sizes: Sequence[Size]) -> Size | None:
    """Returns the (height, width) of most pictures; of equally frequent ones the first."""
    return Counter(sizes).most_common(1)[0][0] if sizes else None


def attempt(function: Callable[Given, Result], *values: Given.args, **named: Given.kwargs) -> tuple[Result | None, str]:
    """Returns what a function returns for these arguments, or None and the sentence in which it refuses."""
    try:
        return function(*values, **named), ""
    except UserError as error:
        return None, str(error)
