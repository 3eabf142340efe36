"""MindRecord files of a detection data set: written whole or not at all, and made again when they no longer fit.

A row holds `image` (the bytes of an ordinary JPEG or PNG, read with `utils.images.decode_ordinary`), `image_id`,
`annotation` float32[N, 6] (x1, y1, x2, y2, label, is_crowd; an image without boxes has one row with label -1, because
MindRecord reads an empty array back as a scalar), `as_annotated` float64[N, 7] (the file's own annotations, see
`ground_truth.py`, likewise; sets of earlier versions lack it), `height`, `width`, `file_name` and `record_index`, the
position of the image in the annotation file; `source` and `file_bytes`, path and size of the image file that it was
made of (sets of earlier versions lack them).
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.detection.data.images.checks import sources_of
from utils.detection.data.mindrecord_info import (
    MindRecordInfo,
    UnusableSetError,
    digest_of,
    explain_difference,
    fingerprint_of,
    fingerprint_parts,
    read_mindrecord_info,
    refuse_foreign,
    set_prefix,
    stamps_of,
)
from utils.detection.data.mindrecord_places import (
    check_contents,
    hold_mindrecord,
    locked,
    place_for,
    places,
    remove_leftovers,
    say_disk_use,
)
from utils.detection.data.mindrecord_writer import write_set
from utils.detection.data.record_types import DetectionDataset, drop_background, names_of_ids
from utils.image_files import ImageFolder, evenly_spread
from utils.images import decode_image, decode_ordinary, read_bytes
from utils.installation import console_command
from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.near_paths import others_of_kind
from utils.words import agreed, counted

if TYPE_CHECKING:
    from mindspore.dataset import Dataset

LOCK_SECONDS = 7200.0  # two hours: the writer reads and copies every image of the split, 118,287 in COCO's training
LOOKED_AT = 8  # images that are compared with their files, a few hundredths of a second; new exports change all of them
NAME_ADVICE = (
    "of COCO, name the file with --instance_set, in which {} stands for the split, and the splits with "
    "--train_data_type and --val_data_type; if there are no images to evaluate on, --val_share=0.2 keeps a fifth of "
    "the training images for evaluation, and --run_eval=False trains without"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SetRequest:
    """What a set of MindRecord files has to be.

    Attributes:
        parts: of its fingerprint, but for the images.
        images: folder of the images; None where they are not to be looked at.
        remake_before: a set that was made before this time is of no use, seconds since 1970; None: whenever it was.
    """

    parts: Mapping[str, object]
    images: ImageFolder | None = None
    remake_before: float | None = None

    def why_not(self, info: MindRecordInfo) -> str:
        """Returns why a set is not the one that is asked for, "" where it is."""
        images = {"images": info.made_from.get("images")} if info.sources is not None else {}
        parts = {**self.parts, **images}
        if info.fingerprint != fingerprint_of(parts):
            return f"{explain_difference(info.made_from, parts)} since the old ones were made"
        changed = self.images.changed_since(info.sources) if self.images is not None else []
        if self.images is not None and changed:
            count = counted(info.num_images + len(info.left_out), "image")
            return (
                f"{len(changed)} of {count} {agreed(len(changed), 'has', 'have')} another size than when the old "
                f"ones were made, first '{self.images.folder / changed[0]}'"
            )
        if self.remake_before is not None and info.made_at < self.remake_before:
            return "remake_mindrecord is set"
        return ""


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
    images: ImageFolder | None = None,
    remake_before: float | None = None,
    make_in: Path | None = None,
    timeout_seconds: float = LOCK_SECONDS,
) -> MindRecordInfo:
    """Returns the MindRecord files of a split, making them where they are missing, damaged or of other data.

    Safe to call from several processes: one writes, the others wait for it. Nobody replaces a set as long as somebody
    has what this returns: where another set is in use in `folder`, this one is made in a folder in it that is named
    after its fingerprint. A whole set is used as it is when the annotation file is not on this machine.

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
        images: folder of the images, whose sizes have to be those that a set was made of; None: they are not looked at.
        remake_before: a set from before this time is made anew, seconds since 1970.
        make_in: where a set is made that `folder` has not, which stays as it is then; None: in `folder`.
        timeout_seconds: how long to wait for another process that is writing.

    Raises:
        MissingPathError: a path is missing.
        BadValueError: images cannot be used.
        BadStateError: the files are another program's, or another process does not finish, or the disk is full.
    """
    folder = Path(folder)
    if not Path(annotation_file).exists():
        if remake_before is not None:
            raise MissingPathError(
                f"remake_mindrecord is set, but annotation file '{annotation_file}' does not exist: check the data set "
                "path, or leave it out"
            )
        return _use_without_annotations(folder, prefix, annotation_file, class_names, may_lack_classes)
    options = {**(options or {}), "skip_bad_images": skip_bad_images}
    parts = fingerprint_parts(annotation_file, class_names, options)
    request = SetRequest(parts, images, remake_before)
    info = _find(folder, prefix, request)
    if info is not None:
        return info
    folder = make_in or folder
    with locked(folder, prefix, timeout_seconds):
        info = _find(folder, prefix, request)
        if info is not None:  # another process has made them while this one waited
            return info
        reason = _why_not_usable(folder, prefix, request)
        logger.info("making MindRecord files '%s': %s", folder / prefix, reason)
        remove_leftovers(folder, prefix)
        dataset = load_dataset()
        if digest_of(annotation_file) != parts["annotations"]:
            raise BadStateError(f"annotation file '{annotation_file}' has changed while it was read: start again")
        sources = sources_of(dataset)
        parts["images"] = sources.digest()
        with place_for(folder, prefix, fingerprint_of(parts), timeout_seconds) as place:
            write_set(dataset, place, prefix, shards, parts, sources, skip_bad_images=skip_bad_images)
        info = hold_mindrecord(place, prefix)
        say_disk_use(folder, prefix)
        return info


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

    Raises:
        BadStateError: the files are others than when `info` was read.
    """
    import mindspore.dataset as ds

    rows = np.asarray(indices, np.int64)
    if not len(rows):
        raise ValueError("no indices: wanted those of the images to read")
    _refuse_replaced(info)
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


def _refuse_replaced(info: MindRecordInfo) -> None:
    """Refuses files that somebody has put in the place of those that were opened; a copy of the same ones is fine."""
    if stamps_of(info.files) == info.stamps:
        return
    first = info.files[0]
    try:
        found = read_mindrecord_info(first.parent, set_prefix(info.files))
    except (BadStateError, MissingPathError) as error:
        raise BadStateError(
            f"MindRecord files '{first}' ... were replaced while this process reads them ({error}): start again"
        ) from error
    if found.build != info.build:
        raise BadStateError(
            f"MindRecord files '{first}' ... were replaced by others while this process reads them: start again when "
            "nobody writes to them"
        )


def warn_of_changed_images(info: MindRecordInfo, images: ImageFolder) -> None:
    """Says when image files may not be what the set holds: they are newer than it, or a few looked at are others.

    Their sizes are part of the fingerprint; that of a set of earlier versions has the annotations alone, which is said.

    Args:
        info: a set that was made before.
        images: folder of the images; those that are not there are not looked at.
    """
    if not images.folder.is_dir():
        return
    files = str(info.files[0]).removesuffix("0") + "*"
    newer = np.zeros(0, np.int64)
    if info.sources is None:
        logger.info(
            "MindRecord files '%s' are of an earlier version, which did not store the sizes of the images: they are "
            "used as they are; remake_mindrecord makes them anew",
            files,
        )
    else:
        written = max(stamp[-1] for stamp in info.stamps)
        newer = np.flatnonzero(images.times(info.sources.names) > written)
    rows = range(info.num_images), newer[newer < info.num_images].tolist()
    chosen = sorted({index for each in rows for index in evenly_spread(each, LOOKED_AT)})
    changed = _changed_rows(info, images.folder, chosen)
    if changed:
        found = f"{len(changed)} of {counted(len(chosen), 'image')} looked at {agreed(len(changed), 'is', 'are')} not"
        others = f"{found} what MindRecord files '{files}' hold, first '{changed[0]}'"
    else:
        looked_at, are = counted(len(chosen), "image"), agreed(len(chosen), "is", "are")
        others = f"the {looked_at} looked at {are} what MindRecord files '{files}' hold"
    if len(newer):
        count = counted(info.num_images + len(info.left_out), "image")
        newer_than = agreed(len(newer), "is newer than its", "are newer than their")
        others = f"{len(newer)} of {count} {newer_than} MindRecord files; {others}"
    if changed or len(newer):
        logger.warning("%s: --remake_mindrecord=True makes them anew", others)


def _changed_rows(info: MindRecordInfo, folder: Path, chosen: Sequence[int]) -> list[Path]:
    """Returns which image files are not what their rows hold."""
    column = "file_name" if info.sources is None else "source"
    rows = open_mindrecord(info, chosen, ("image", column, "height", "width"))
    found = rows.create_dict_iterator(num_epochs=1, output_numpy=True)
    return [folder / str(row[column]) for row in found if _has_changed(row, folder / str(row[column]))]


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
    """Returns the set that is there although it cannot be compared with its source: the folder's, or one in it."""

    def fits(info: MindRecordInfo) -> bool:
        wanted = wanted_of(info)
        return wanted == info.class_names or (may_lack_classes and set(wanted) >= set(info.class_names))

    def wanted_of(info: MindRecordInfo) -> tuple[str | int, ...]:
        asked = info.class_names if class_names is None else class_names
        return drop_background(names_of_ids(asked, info.class_names, info.category_ids))

    try:
        info = hold_mindrecord(folder, prefix)
    except MissingPathError as error:
        file = Path(annotation_file)
        convert = f"`{console_command('data', 'convert')}` converts Pascal VOC, YOLO, LabelMe and other forms to COCO"
        advice = f"{convert}; {NAME_ADVICE}" if file.suffix == ".json" else "check the data set path"
        raise MissingPathError(
            f"annotation file '{file}' does not exist{others_of_kind(file)}, and there are no MindRecord files "
            f"'{folder / prefix}*' to use instead; {advice}"
        ) from error
    if not fits(info):
        beside = _fitting(places(folder)[1:], prefix, fits)
        if not beside:
            raise BadValueError(
                f"MindRecord files '{folder / prefix}*' have the classes {list(info.class_names)[:5]}, wanted "
                f"{list(wanted_of(info))[:5]}; make them again where '{annotation_file}' is"
            )
        info = beside[0]
    check_contents(info)
    logger.info(
        "annotation file '%s' is not here; MindRecord files '%s*' are used as they are",
        annotation_file,
        info.files[0].parent / prefix,
    )
    return info


def _fitting(folders: Sequence[Path], prefix: str, fits: Callable[[MindRecordInfo], bool]) -> list[MindRecordInfo]:
    """Returns the sets in these folders that are whole and fit, held, the newest first."""
    found = []
    for folder in folders:
        with contextlib.suppress(BadStateError, MissingPathError):
            info = hold_mindrecord(folder, prefix)
            if fits(info):
                found.append(info)
    return sorted(found, key=lambda info: info.made_at, reverse=True)


def _find(folder: Path, prefix: str, request: SetRequest) -> MindRecordInfo | None:
    """Returns the newest set that is the one asked for, held; None where there is none."""
    for info in _fitting(places(folder), prefix, lambda info: not request.why_not(info)):
        with contextlib.suppress(BadStateError, MissingPathError):
            return check_contents(info)
    return None


def _why_not_usable(folder: Path, prefix: str, request: SetRequest) -> str:
    """Returns why a set must be made."""
    try:
        refuse_foreign(folder, prefix)
        info = read_mindrecord_info(folder, prefix)
        reason = request.why_not(info)
        if not reason:
            check_contents(info)
    except MissingPathError:
        return "there are none yet"
    except UnusableSetError as error:
        return error.fault
    return reason
