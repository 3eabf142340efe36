"""Writes a set of MindRecord files: every image is checked first, then all is written aside and moved to its place."""

import json
import logging
import math
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from utils.detection.data.disk.mindrecord_room import check_room, needed_bytes, reason_of, row_bytes
from utils.detection.data.ground_truth import rows_of_record
from utils.detection.data.images.checks import (
    MAX_PAGE_BYTES,
    CheckedImage,
    check_images,
    ordinary_copy,
    without_bad_images,
)
from utils.detection.data.mindrecord_info import (
    FORMAT_VERSION,
    KIND,
    fingerprint_of,
    read_mindrecord_info,
    set_files,
)
from utils.detection.data.record_types import DetectionDataset, ImageRecord, relative_name
from utils.image_files import SourceImages
from utils.images import read_bytes
from utils.model_utils.errors import BadStateError
from utils.model_utils.files import free_space, umask
from utils.model_utils.guards.checksums import append_checksums
from utils.progress import track
from utils.words import agreed, counted

SCHEMA = {
    "image": {"type": "bytes"},
    "annotation": {"type": "float32", "shape": [-1, 6]},
    "as_annotated": {"type": "float64", "shape": [-1, 7]},
    "image_id": {"type": "int64"},
    "record_index": {"type": "int64"},
    "height": {"type": "int32"},
    "width": {"type": "int32"},
    "file_name": {"type": "string"},
    "source": {"type": "string"},
    "file_bytes": {"type": "int64"},
}
# What the index of a shard holds too, where it is read without the rows.
INDEXED = ("record_index", "image_id", "source", "file_bytes")
NO_BOX_ROW = np.array([[0, 0, 0, 0, -1, 0]], np.float32)
NO_ANNOTATION_ROW = np.array([[0, 0, 0, 0, 0, -1, 0]], np.float64)
HEADER_BYTES = 2**20  # holds the page table of more than 100 GB per shard
# 32 MB is MindRecord's own size; 1 MB is enough for a few small images.
MIN_PAGE_BYTES, USUAL_PAGE_BYTES = 2**20, 2**25
ROOM_ADVICE = "make room or choose another mindrecord_dir"
WRITE_CHUNK = 32  # images in memory while they are written: a few MB of COCO's photographs
BUILD_DIR_NAME = ".{prefix}.building"

logger = logging.getLogger(__name__)


def write_set(
    dataset: DetectionDataset,
    folder: Path,
    prefix: str,
    shards: int,
    parts: Mapping[str, object],
    sources: SourceImages,
    *,
    skip_bad_images: bool = False,
) -> None:
    """Checks the images, writes the set into a hidden folder and moves it to its place. The caller holds the lock.

    Args:
        dataset: the split.
        folder: of the set; made if missing.
        prefix: file name without the number of the shard.
        shards: number of files.
        parts: of the fingerprint, see `fingerprint_parts`.
        sources: names and sizes of the images of `dataset`, in the order of its records, then of `left_out`.
        skip_bad_images: leave images out that cannot be used, instead of refusing them.

    Raises:
        BadValueError: images cannot be used.
        BadStateError: the set cannot be written, or images change meanwhile.
    """
    checked = check_images(dataset, skip_bad_images=skip_bad_images)
    _refuse_changing(dataset, [image.file_bytes for image in checked], sources)
    good = [index for index, image in enumerate(checked) if not image.problem]
    dataset = without_bad_images(dataset, [image.problem for image in checked], sources)
    named = [(sources.names[index], checked[index]) for index in good]
    total_bytes = sum(image.num_bytes for _, image in named)
    shards, description = max(1, min(shards, len(named))), json.dumps(_describe(dataset, parts))
    rows = [_row_bytes(*item) for item in zip(dataset.records, named, strict=True)]
    building = folder / BUILD_DIR_NAME.format(prefix=prefix)
    shutil.rmtree(building, ignore_errors=True)  # of a process that died
    check_room(folder, needed_bytes(rows, shards, description, WRITE_CHUNK))
    try:
        building.mkdir(parents=True)
        _write_files(building / prefix, dataset, named, shards, description)
        for index in building.glob("*.db"):
            append_checksums(index.with_suffix(""), index)
        info = read_mindrecord_info(building, prefix)
        _move_into_place(building, folder, prefix)
    except OSError as error:
        raise BadStateError(
            f"MindRecord files '{folder / prefix}*' cannot be written ({error.strerror or error}, "
            f"{free_space(folder)}); {ROOM_ADVICE}"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    logger.info(
        "%s (%.1f MB) in %s '%s*'",
        counted(info.num_images, "image"),
        total_bytes / 1e6,
        counted(len(info.files), "MindRecord file"),
        folder / prefix,
    )


def _refuse_changing(dataset: DetectionDataset, file_bytes: Sequence[int], sources: SourceImages) -> None:
    """Refuses images that are written to while the set is made, whose fingerprint would be of others."""
    records = zip(dataset.records, file_bytes, sources.sizes.tolist(), strict=False)
    changed = [str(record.file_path) for record, found, expected in records if found not in (-1, expected)]
    if changed:
        raise BadStateError(
            f"{counted(len(changed), 'image')} {agreed(len(changed), 'changes', 'change')} while MindRecord files are "
            f"made of {agreed(len(changed), 'it', 'them')}, first '{changed[0]}': start again when they are all there"
        )


def _row_bytes(record: ImageRecord, named: tuple[str, CheckedImage]) -> int:
    name, image = named
    return row_bytes(image.num_bytes, max(len(record.boxes), len(rows_of_record(record))), name)


def _write_files(
    target: Path,
    dataset: DetectionDataset,
    checked: Sequence[tuple[str, CheckedImage]],
    shards: int,
    description: str,
) -> None:
    """Writes the shards and their indices under their final names; the names are stored inside."""
    import mindspore.mindrecord as mr
    from mindspore.mindrecord.common.exceptions import MindRecordException

    writer = mr.FileWriter(str(target), shards)
    writer.set_header_size(_header_bytes(description))
    writer.set_page_size(_page_bytes([image.num_bytes for _, image in checked], shards))
    writer.add_schema(SCHEMA, description)
    writer.add_index(list(INDEXED))
    chunk: list[dict] = []
    try:
        rows = enumerate(zip(dataset.records, checked, strict=True))
        for index, (record, (name, image)) in track(rows, len(checked), "writing MindRecord"):
            row = _make_row(record, image, dataset.image_dir)
            chunk.append({**row, "record_index": index, "source": name})
            if len(chunk) == WRITE_CHUNK or index == len(checked) - 1:
                writer.write_raw_data(chunk)
                chunk = []
        writer.commit()
    except (RuntimeError, MindRecordException) as error:
        reason, place = reason_of(error, target.parent), target.parent.parent / target.name
        raise BadStateError(f"MindRecord files '{place}*' cannot be written ({reason}); {ROOM_ADVICE}") from error


def _describe(dataset: DetectionDataset, parts: Mapping[str, object]) -> dict[str, object]:
    """Returns the facts that are stored in every shard; `build` tells shards of two builds apart.

    `made_at` is when the writing began: whatever waits for the set had begun before.
    """
    class_counts = _class_counts(dataset)
    return {
        "kind": KIND,
        "format": FORMAT_VERSION,
        "build": uuid.uuid4().hex,
        "made_at": time.time(),
        "has_checksums": True,
        "num_images": len(dataset.records),
        "class_names": dataset.class_names,
        "category_ids": dataset.category_ids,
        "fingerprint": fingerprint_of(parts),
        "made_from": parts,
        "box_counts": Counter(len(record.boxes) for record in dataset.records),
        "num_objects": sum(class_counts),
        "class_counts": class_counts,
        "left_out": [asdict(image) for image in dataset.left_out],
    }


def _class_counts(dataset: DetectionDataset) -> list[int]:
    """Returns how many boxes each class index has that are not crowds."""
    labels = [record.labels[~record.is_crowd] for record in dataset.records]
    return np.bincount(np.concatenate([np.zeros(0, np.int64), *labels]), minlength=len(dataset.class_names)).tolist()


def _header_bytes(description: str) -> int:
    """Returns a size, a power of two, that holds the page table and the description, written as JSON once more."""
    return HEADER_BYTES * 2 ** math.ceil(math.log2(1 + 2 * len(description) / HEADER_BYTES))


def _page_bytes(sizes: Sequence[int], shards: int) -> int:
    """Returns a page size, a power of two, that holds the largest row and does not blow up a small data set."""
    wanted = max(max(sizes) * 1.25 + 2**16, min(1.5 * sum(sizes) / shards, USUAL_PAGE_BYTES))
    return int(np.clip(2 ** np.ceil(np.log2(wanted)), MIN_PAGE_BYTES, MAX_PAGE_BYTES))


def _make_row(record: ImageRecord, image: CheckedImage, image_dir: Path) -> dict[str, object]:
    data = read_bytes(record.file_path)
    if len(data) != image.file_bytes:
        raise BadStateError(
            f"image '{record.file_path}' changes while MindRecord files are made of it: start again when it is all "
            "there"
        )
    if not image.is_ordinary:
        data = ordinary_copy(data, record)
    annotation = np.column_stack([record.boxes, record.labels, record.is_crowd]).astype(np.float32)
    as_annotated = rows_of_record(record)
    return {
        "image": data,
        "annotation": annotation if len(annotation) else NO_BOX_ROW,
        "as_annotated": as_annotated if len(as_annotated) else NO_ANNOTATION_ROW,
        "image_id": record.image_id,
        "height": record.height,
        "width": record.width,
        "file_name": relative_name(record.file_path, image_dir),
        "file_bytes": image.file_bytes,
    }


def _move_into_place(building: Path, folder: Path, prefix: str) -> None:
    """Replaces the old set. A crash in between leaves shards of two builds, which are recognised and made again."""
    for path in set_files(folder, prefix)[0]:
        path.unlink()
    mode = 0o666 & ~umask()  # MindRecord makes its files for their owner alone
    for path in sorted(building.iterdir()):
        path.chmod(mode)
        os.replace(path, folder / path.name)
