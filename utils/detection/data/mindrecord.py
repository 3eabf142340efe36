"""MindRecord files of a detection data set: written whole or not at all, and made again when they no longer fit.

A row holds `image` (the bytes of an ordinary JPEG or PNG, read with `utils.images.decode_ordinary`), `image_id`,
`annotation` float32[N, 6] (x1, y1, x2, y2, label, is_crowd; an image without boxes has one row with label -1, because
MindRecord reads an empty array back as a scalar), `as_annotated` float64[N, 7] (the file's own annotations, see
`ground_truth.py`, likewise; sets of earlier versions lack it), `height`, `width`, `file_name` and `record_index`, the
position of the image in the annotation file.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import numpy as np

from utils.detection.data.mindrecord_info import (
    MindRecordInfo,
    UnusableSetError,
    explain_difference,
    find_mindrecord,
    fingerprint_of,
    fingerprint_parts,
    read_mindrecord_info,
    refuse_foreign,
)
from utils.detection.data.mindrecord_writer import write_set
from utils.detection.data.record_types import DetectionDataset, drop_background, names_of_ids
from utils.images import decode_image, decode_ordinary, read_bytes
from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError

if TYPE_CHECKING:
    from mindspore.dataset import Dataset

LOCK_SECONDS = 7200.0  # two hours: the writer reads and copies every image of the split, 118,287 in COCO's training
LOOKED_AT = 8  # images that are compared with their files, a few hundredths of a second; new exports change all of them
FORBIDDEN_IN_PREFIX = set("\\/:*?\"<>|`&';")

logger = logging.getLogger(__name__)


def ensure_mindrecord(
    load_dataset: Callable[[], DetectionDataset],
    *,
    annotation_file: Path | str,
    class_names: Sequence[str | int] | None,
    folder: Path | str,
    prefix: str,
    shards: int = 8,
    options: Mapping[str, object] | None = None,
    may_lack_classes: bool = False,
    skip_bad_images: bool = False,
    timeout_seconds: float = LOCK_SECONDS,
) -> MindRecordInfo:
    """Returns the MindRecord files of a split, making them where they are missing, damaged or of other annotations.

    Safe to call from several processes: one writes, the others wait for it. A whole set is used as it is when the
    annotation file is not on this machine.

    Args:
        load_dataset: loads the split; called only where files have to be made.
        annotation_file: the file that `load_dataset` reads; its content is part of the fingerprint.
        class_names: the names and ids that `load_dataset` asks for, None for all.
        folder: where the files lie or are to lie; made if missing.
        prefix: file name without the number of the shard, e.g. "FasterRcnn.mindrecord".
        shards: number of files; an existing set may have another.
        options: whatever else changes what is stored; JSON values.
        may_lack_classes: a set without some of `class_names` is fine.
        skip_bad_images: leave images out that cannot be used, instead of refusing them.
        timeout_seconds: how long to wait for another process that is writing.

    Raises:
        MissingPathError: a path is missing.
        BadValueError: images cannot be used.
        BadStateError: the files are another program's, or another process does not finish, or the disk is full.
    """
    folder = Path(folder)
    if not Path(annotation_file).exists():
        return _use_without_annotations(folder, prefix, annotation_file, class_names, may_lack_classes)
    options = {**(options or {}), "skip_bad_images": skip_bad_images}
    parts = fingerprint_parts(annotation_file, class_names, options)
    info = find_mindrecord(folder, prefix, fingerprint_of(parts))
    if info is not None:
        return info
    with _locked(folder, prefix, timeout_seconds):
        reason = _why_not_usable(folder, prefix, parts)
        if not reason:  # another process made them while this one waited
            return read_mindrecord_info(folder, prefix)
        logger.info("making MindRecord files '%s': %s", folder / prefix, reason)
        return write_set(load_dataset(), folder, prefix, shards, parts, skip_bad_images=skip_bad_images)


def open_mindrecord(
    info: MindRecordInfo, indices: Sequence[int], columns: Sequence[str], num_loaders: int = 1
) -> "Dataset":
    """Opens a set to read chosen images in a given order.

    Args:
        info: the set.
        indices: positions in the annotation file (as `info.image_ids`), at least one, in the order wanted; repeated
            ones are read again.
        columns: columns to read, e.g. ("image", "annotation", "image_id").
        num_loaders: threads that read; clamped to the cores present.

    Returns:
        A data set that yields exactly these rows in exactly this order, whatever `num_loaders` is.
    """
    import mindspore.dataset as ds

    indices = np.asarray(indices, np.int64)
    if not len(indices):
        raise ValueError("no indices: wanted those of the images to read")
    # A sampler may not name more rows than the files have.
    passes = [
        ds.MindDataset(
            [str(path) for path in info.files],
            columns_list=list(columns),
            sampler=ds.SubsetSampler(info.rows[indices[start : start + info.num_images]].tolist()),
            num_parallel_workers=clamp_loaders(num_loaders),
        )
        for start in range(0, len(indices), info.num_images)
    ]
    return functools.reduce(ds.MindDataset.concat, passes)


def warn_of_changed_images(info: MindRecordInfo, image_dir: Path) -> None:
    """Says when image files are not what the set holds: its fingerprint is of the annotations alone.

    Args:
        info: a set that was made before.
        image_dir: folder of the images; those that are not there are not looked at.
    """
    chosen = np.unique(np.linspace(0, info.num_images - 1, LOOKED_AT).astype(int))
    rows = open_mindrecord(info, chosen, ("image", "file_name", "height", "width"))
    changed = [
        str(row["file_name"])
        for row in rows.create_dict_iterator(num_epochs=1, output_numpy=True)
        if _has_changed(row, image_dir / str(row["file_name"]))
    ]
    if changed:
        logger.warning(
            "%d of %d images looked at are not what MindRecord files '%s' hold, first '%s': they have changed since "
            "these were made; delete these files to have them made again",
            len(changed),
            len(chosen),
            str(info.files[0]).removesuffix("0") + "*",
            image_dir / changed[0],
        )


def _has_changed(row: Mapping[str, np.ndarray], path: Path) -> bool:
    """Compares a file with its row: their bytes, else their pixels, as an odd file is stored anew."""
    if not path.is_file():
        return False
    stored = row["image"].tobytes()
    try:
        data = read_bytes(path)
        if data == stored:
            return False
        size = int(row["height"]), int(row["width"])
        return not np.array_equal(decode_image(data, str(path), size), decode_ordinary(stored, path.name))
    except (BadValueError, MissingPathError):
        return True


def unpack_annotation(annotation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Takes the column `annotation` apart.

    Args:
        annotation: float32[N, 6] as stored.

    Returns:
        float32[M, 4] boxes xyxy in pixels, int32[M] labels and bool[M] crowd flags; M is 0 for an image without boxes.
    """
    rows = annotation[annotation[:, 4] >= 0]
    return rows[:, :4].copy(), rows[:, 4].astype(np.int32), rows[:, 5] > 0


def unpack_as_annotated(rows: np.ndarray) -> np.ndarray:
    """Returns the column `as_annotated`, float64[N, 7], without the row that stands for none."""
    return rows[rows[:, 5] >= 0]


def _use_without_annotations(
    folder: Path,
    prefix: str,
    annotation_file: Path | str,
    class_names: Sequence[str | int] | None,
    may_lack_classes: bool,
) -> MindRecordInfo:
    """Returns the set that is there although it cannot be compared with its source."""
    try:
        info = read_mindrecord_info(folder, prefix)
    except MissingPathError as error:
        raise MissingPathError(
            f"annotation file '{annotation_file}' does not exist and there are no MindRecord files "
            f"'{folder / prefix}*' to use instead; check the data set path"
        ) from error
    asked = info.class_names if class_names is None else class_names
    wanted = drop_background(names_of_ids(asked, info.class_names, info.category_ids))
    if wanted != info.class_names and not (may_lack_classes and set(wanted) >= set(info.class_names)):
        raise BadValueError(
            f"MindRecord files '{folder / prefix}*' have the classes {list(info.class_names)[:5]}, wanted "
            f"{list(wanted)[:5]}; make them again where '{annotation_file}' is"
        )
    logger.info(
        "annotation file '%s' is not here; MindRecord files '%s*' are used as they are",
        annotation_file,
        folder / prefix,
    )
    return info


def _why_not_usable(folder: Path, prefix: str, parts: Mapping[str, object]) -> str:
    """Returns why a set must be made, "" where the one that is there fits."""
    try:
        refuse_foreign(folder, prefix)
        info = read_mindrecord_info(folder, prefix)
    except MissingPathError:
        return "there are none yet"
    except UnusableSetError as error:
        return error.fault
    if info.fingerprint == fingerprint_of(parts):
        return ""
    return f"{explain_difference(info.made_from, parts)} since the old ones were made"


@contextlib.contextmanager
def _locked(folder: Path, prefix: str, timeout_seconds: float) -> Iterator[None]:
    """Holds the right to write this set; the operating system takes it back when the process dies."""
    if set(prefix) & FORBIDDEN_IN_PREFIX or prefix != prefix.strip() or not prefix:
        raise BadValueError(
            f"MindRecord prefix {prefix!r} is not a plain file name; leave out {sorted(FORBIDDEN_IN_PREFIX)}"
        )
    lock = filelock.FileLock(folder / f".{prefix}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _acquire(lock, folder / prefix, timeout_seconds)
    except (FileExistsError, NotADirectoryError) as error:
        raise MissingPathError(f"mindrecord_dir '{folder}' is a file, wanted a folder; choose another path") from error
    except OSError as error:
        raise BadStateError(
            f"mindrecord_dir '{folder}' cannot be written to ({error.strerror}); check its permissions or choose "
            "another"
        ) from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # nothing was made, so nothing stays; the folder does where it is in use
            Path(lock.lock_file).unlink(missing_ok=True)
            folder.rmdir()
        raise
    finally:
        lock.release()


def _acquire(lock: filelock.BaseFileLock, target: Path, timeout_seconds: float) -> None:
    with contextlib.suppress(filelock.Timeout):
        lock.acquire(timeout=0)
        return
    logger.info("another process is writing '%s'; waiting for it, at most %.0f s", target, timeout_seconds)
    try:
        lock.acquire(timeout=timeout_seconds, poll_interval=0.5)  # nobody notices half a second after a wait of minutes
    except filelock.Timeout as error:
        raise BadStateError(
            f"another process has been writing MindRecord files '{target}*' for more than {timeout_seconds:.0f} s; "
            "wait for it or end it, then start again"
        ) from error
