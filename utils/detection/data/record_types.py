"""What a detection data set is in memory, whatever file it came from, and the repairs that its boxes go through."""

import difflib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from utils.detection.annotations.repairs import BoxRepairs
from utils.detection.boxes import clip_boxes
from utils.model_utils import near_paths
from utils.model_utils.errors import MAX_EXAMPLES, BadValueError, MissingPathError, short
from utils.words import agreed, counted

SKIP_ADVICE = ", or leave such images out with --skip_bad_images=True"
ROUNDING_PIXELS = 1.0  # annotators round outwards; a corner that far outside is clipped without a word

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """One image and its boxes.

    Attributes:
        image_id: the file's own id; for a TXT list the position in it, from 1.
        file_path: where the image lies.
        height: annotated height in pixels.
        width: annotated width in pixels.
        boxes: float32[N, 4], xyxy, absolute pixels, inside the image, with positive sides; N may be 0.
        labels: int32[N], class index from 0.
        is_crowd: bool[N], the box covers a group that is neither to be found nor background.
        as_annotated: the file's own annotations, which an evaluation counts: float64[M, 7], see `ground_truth.py`; None
            where they are not known.
    """

    image_id: int
    file_path: Path
    height: int
    width: int
    boxes: np.ndarray
    labels: np.ndarray
    is_crowd: np.ndarray
    as_annotated: np.ndarray | None = None


@dataclass(frozen=True)
class LeftOutImage:
    """An image that cannot be used: it is not trained on, and an evaluation counts it as one in which nothing is found.

    Attributes:
        image_id: as in `ImageRecord`.
        height: annotated height in pixels; where the file alone could say it, one that holds all boxes.
        width: annotated width, likewise.
        file_name: relative to the folder of the images.
        as_annotated: its annotations, rows of 7 numbers, see `ground_truth.py`.
        reason: why it cannot be used, a sentence.
        num_bytes: of its file when this was found; -1 where there was none, or nobody looked.
    """

    image_id: int
    height: int
    width: int
    file_name: str
    as_annotated: Sequence[Sequence[float]]
    reason: str
    num_bytes: int = -1


@dataclass(frozen=True, eq=False)
class DetectionDataset:
    """The records of one split.

    Attributes:
        records: one per image, images without boxes included.
        class_names: name of each class index.
        category_ids: the file's own id of each class index.
        source: the annotation file.
        image_dir: folder that file names are relative to.
        repairs: what was done to boxes.
        left_out: images that cannot be used and were to be skipped; they have no record.
    """

    records: tuple[ImageRecord, ...]
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    source: Path
    image_dir: Path
    repairs: BoxRepairs = field(default_factory=BoxRepairs)
    left_out: tuple[LeftOutImage, ...] = ()


@dataclass(frozen=True, eq=False)
class BoxTable:
    """All boxes of a file as columns, before they are handed out to their images.

    Attributes:
        image_index: int64[N], position of the box's image in the list of images.
        boxes: float64[N, 4], xyxy, absolute pixels, as annotated.
        labels: int32[N], class index from 0.
        is_crowd: bool[N].
        names: what each box is called in the log.
    """

    image_index: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    is_crowd: np.ndarray
    names: Sequence[str]


def repair_boxes(
    boxes: np.ndarray, sizes: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, BoxRepairs]:
    """Clips boxes to their images and finds those that cannot be used.

    Args:
        boxes: float64[N, 4], xyxy, absolute pixels, as annotated.
        sizes: int[N, 2], (height, width) of each box's image.
        names: what each box is called in the log.

    Returns:
        float32[N, 4] clipped boxes (those to drop included), bool[N] which to keep, and the counts.
    """
    is_finite = np.isfinite(boxes).all(axis=1)
    boxes = np.where(is_finite[:, None], boxes, 0.0)
    is_empty = is_finite & (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    clipped = clip_boxes(boxes, sizes[:, 0], sizes[:, 1]).astype(np.float32)
    is_outside = is_finite & ~is_empty & (clipped[:, 2:] <= clipped[:, :2]).any(axis=1)
    is_kept = is_finite & ~is_empty & ~is_outside
    is_clipped = is_kept & (np.abs(clipped - boxes) > ROUNDING_PIXELS).any(axis=1)
    changed = np.flatnonzero(is_clipped | ~is_kept)[:MAX_EXAMPLES]
    repairs = BoxRepairs(
        clipped=int(is_clipped.sum()),
        outside=int(is_outside.sum()),
        empty=int(is_empty.sum()),
        not_finite=int((~is_finite).sum()),
        examples=tuple(names[index] for index in changed),
    )
    return clipped, is_kept, repairs


def make_records(
    image_ids: Sequence[int], paths: Sequence[Path], sizes: np.ndarray, table: BoxTable
) -> tuple[tuple[ImageRecord, ...], BoxRepairs]:
    """Repairs the boxes and hands them out to their images, in the order of the file.

    Args:
        image_ids: id of each image.
        paths: file of each image.
        sizes: int[I, 2], (height, width) of each image.
        table: the boxes.
    """
    if not len(image_ids):
        return (), BoxRepairs()
    boxes, is_kept, repairs = repair_boxes(table.boxes, sizes[table.image_index], table.names)
    order = np.flatnonzero(is_kept)
    order = order[np.argsort(table.image_index[order], kind="stable")]
    ends = np.cumsum(np.bincount(table.image_index[order], minlength=len(image_ids)))[:-1]
    columns = (np.split(column[order], ends) for column in (boxes, table.labels, table.is_crowd))
    records = tuple(
        ImageRecord(image_id, path, int(height), int(width), *arrays)
        for image_id, path, (height, width), *arrays in zip(image_ids, paths, sizes, *columns, strict=True)
    )
    return records, repairs


def names_of_ids(wanted: Sequence[str | int], names: Sequence[str], ids: Sequence[int]) -> tuple[str | int, ...]:
    """Returns `wanted` with each category id replaced by its name; ids that are not known stay.

    Args:
        wanted: names and ids.
        names: known names.
        ids: id of each of them.
    """
    name_of = dict(zip(ids, names, strict=True))
    return tuple(name_of.get(entry, entry) if type(entry) is int else entry for entry in wanted)


def drop_background(class_names: Sequence[str | int]) -> tuple[str | int, ...]:
    """Returns the names without a leading 'background', which older configurations list as class 0."""
    names = tuple(class_names)
    if names and str(names[0]).lower() in ("background", "__background__"):
        logger.info("class names start with '%s', which is not an object class; it is left out", names[0])
        return names[1:]
    return names


def check_class_names(class_names: Sequence[str], source: Path) -> None:
    """Refuses an empty list of class names, and a name that occurs twice.

    Raises:
        BadValueError: see above.
    """
    if not class_names:
        raise BadValueError(f"'{source}' needs at least one class name, got none; name its classes")
    repeated = sorted({name for name in class_names if list(class_names).count(name) > 1})
    if repeated:
        raise BadValueError(
            f"class name '{repeated[0]}' occurs more than once for '{source}'; each class needs its own name"
        )


def near_names(name: str, known: Sequence[str]) -> str:
    """Returns how an error goes on after an unknown name: the nearest known ones, or all of them when there are few."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(each) for each in near)}?"
    shown = ", ".join(repr(each) for each in list(known)[:10])
    return f"known names are {shown}{' ...' if len(known) > 10 else ''}"


def check_files_exist(
    image_dir: Path, file_names: Sequence[str], source: Path, skip_bad_images: bool | None = False
) -> None:
    """Refuses a data set whose image files are not all there.

    Args:
        image_dir: folder of the images.
        file_names: paths relative to it.
        source: the annotations, for messages.
        skip_bad_images: some files may be missing, not all; None where there is no key of this name to advise.

    Raises:
        MissingPathError: the folder or files are missing; the first three and the count are named.
    """
    if not image_dir.is_dir():
        kind = "is not a folder" if image_dir.exists() else "does not exist"
        raise MissingPathError(f"image folder '{image_dir}' of '{source}' {kind}; check the data set path")
    present = {entry.name for entry in image_dir.iterdir()}
    missing = [name for name in file_names if not (name in present or os.path.isfile(image_dir / name))]
    if missing and (not skip_bad_images or len(missing) == len(file_names)):
        shown = ", ".join(short(name) for name in missing[:MAX_EXAMPLES])
        near = near_paths.near_names(image_dir, missing)
        raise MissingPathError(
            f"{len(missing)} of {counted(len(file_names), 'image')} of '{source}' {agreed(len(missing), 'is', 'are')} "
            f"not in '{image_dir}', first {shown}{near}; check the data set path or copy the files "
            f"there{SKIP_ADVICE if skip_bad_images is False else ''}"
        )


def finish_dataset(dataset: DetectionDataset, allow_empty: bool) -> DetectionDataset:
    """Says once what was read and repaired, and refuses a split in which nothing can be learned.

    Raises:
        BadValueError: no image, or (unless `allow_empty`) no box that is not a crowd.
    """
    if not dataset.records:
        raise BadValueError(f"'{dataset.source}' lists no images; a data set needs at least one")
    num_boxes = sum(len(record.boxes) for record in dataset.records)
    num_crowds = sum(int(record.is_crowd.sum()) for record in dataset.records)
    if num_boxes == num_crowds and not allow_empty:
        found = "no boxes" if not num_boxes else f"only crowd boxes ({num_crowds})"
        raise BadValueError(
            f"'{dataset.source}' has {found} of the classes {_shorten(dataset.class_names)} in its "
            f"{counted(len(dataset.records), 'image')}, so there is nothing to learn; check the annotation file and "
            "the class names"
        )
    background = sum(not len(record.boxes) for record in dataset.records)
    logger.info(
        "%s: %s (%d without boxes), %s (%s), %s",
        dataset.source,
        counted(len(dataset.records), "image"),
        background,
        counted(num_boxes, "box"),
        counted(num_crowds, "crowd"),
        counted(len(dataset.class_names), "class"),
    )
    if str(dataset.repairs):
        logger.warning("%s: %s", dataset.source, dataset.repairs)
    return dataset


def relative_name(path: Path, folder: Path) -> str:
    """Returns `path` relative to `folder` with forward slashes, or its last part where it lies elsewhere."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
