"""Writes a set of MindRecord files: every image is checked first, then all is written aside and moved to its place."""

import json
import logging
import math
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from utils.detection.data.ground_truth import rows_of_record
from utils.detection.data.mindrecord_info import (
    FORMAT_VERSION,
    KIND,
    MindRecordInfo,
    fingerprint_of,
    read_mindrecord_info,
    set_file_pattern,
)
from utils.detection.data.record_types import SKIP_ADVICE, DetectionDataset, ImageRecord, LeftOutImage, relative_name
from utils.images import decode_image, decode_ordinary, encode_png, read_bytes, read_header
from utils.model_utils.device_adapter import available_cores
from utils.model_utils.errors import MAX_EXAMPLES, BadStateError, BadValueError, MissingPathError
from utils.model_utils.files import umask
from utils.progress import track

SCHEMA = {
    "image": {"type": "bytes"},
    "annotation": {"type": "float32", "shape": [-1, 6]},
    "as_annotated": {"type": "float64", "shape": [-1, 7]},
    "image_id": {"type": "int64"},
    "record_index": {"type": "int64"},
    "height": {"type": "int32"},
    "width": {"type": "int32"},
    "file_name": {"type": "string"},
}
NO_BOX_ROW = np.array([[0, 0, 0, 0, -1, 0]], np.float32)
NO_ANNOTATION_ROW = np.array([[0, 0, 0, 0, 0, -1, 0]], np.float64)
HEADER_BYTES = 2**20  # holds the page table of more than 100 GB per shard
# 32 MB is MindRecord's own size and 256 MB the highest that it takes; 1 MB is enough for a few small images.
MIN_PAGE_BYTES, USUAL_PAGE_BYTES, MAX_PAGE_BYTES = 2**20, 2**25, 2**28
WRITE_CHUNK = 32  # images in memory while they are written: a few MB of COCO's photographs
BUILD_DIR_NAME = ".{prefix}.building"
MAX_CHECK_THREADS = 8  # each holds a decoded image, up to hundreds of megabytes of one photograph

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckedImage:
    """What the check of one image found.

    Attributes:
        num_bytes: at most so many bytes are stored; 0 where there is a problem.
        is_ordinary: the file's own bytes are stored, not a copy as PNG.
        problem: why the image cannot be used, "" where it can.
        lies: its EXIF orientation would set it upright and is not applied, since its annotated size is that of the
            stored pixels.
    """

    num_bytes: int
    is_ordinary: bool
    problem: str = ""
    lies: bool = False


def write_set(
    dataset: DetectionDataset,
    folder: Path,
    prefix: str,
    shards: int,
    parts: Mapping[str, object],
    *,
    skip_bad_images: bool = False,
) -> MindRecordInfo:
    """Checks the images, writes the set into a hidden folder and moves it to its place. The caller holds the lock."""
    checked = _check_images(dataset, skip_bad_images=skip_bad_images)
    dataset = _without_bad_images(dataset, [image.problem for image in checked])
    checked = [image for image in checked if not image.problem]
    total_bytes = sum(image.num_bytes for image in checked)
    _check_disk(folder, total_bytes)
    building = folder / BUILD_DIR_NAME.format(prefix=prefix)
    shutil.rmtree(building, ignore_errors=True)  # of a process that died
    try:
        building.mkdir()
        _write_files(building / prefix, dataset, checked, max(1, min(shards, len(checked))), parts)
        info = read_mindrecord_info(building, prefix)
        _move_into_place(building, folder, prefix)
    except OSError as error:
        raise BadStateError(
            f"MindRecord files '{folder / prefix}*' cannot be written ({error}); check the disk"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    logger.info(
        "%d images (%.1f MB) in %d MindRecord files '%s*'",
        info.num_images,
        total_bytes / 1e6,
        len(info.files),
        folder / prefix,
    )
    return read_mindrecord_info(folder, prefix)


def _check_images(dataset: DetectionDataset, *, skip_bad_images: bool) -> list[CheckedImage]:
    """Decodes every image once and returns what was found; an image that cannot be used is an error, unless skipped."""
    with ThreadPoolExecutor(min(MAX_CHECK_THREADS, available_cores())) as pool:
        found = list(track(pool.map(_check_image, dataset.records), len(dataset.records), "checking images"))
    problems = [image.problem for image in found if image.problem]
    if problems and not (skip_bad_images and len(problems) < len(found)):
        shown = "; ".join(problems[:MAX_EXAMPLES])
        more = f"; and {len(problems) - MAX_EXAMPLES} more" if len(problems) > MAX_EXAMPLES else ""
        raise BadValueError(
            f"{len(problems)} of {len(found)} images of '{dataset.source}' cannot be used: {shown}{more}; repair them, "
            f"or remove them from the annotations{'' if skip_bad_images else SKIP_ADVICE}"
        )
    _warn_of_lying_images([record for record, image in zip(dataset.records, found, strict=True) if image.lies], dataset)
    return found


def _without_bad_images(dataset: DetectionDataset, problems: Sequence[str]) -> DetectionDataset:
    """Returns the data set without the images that have a problem."""
    bad = [(record, problem) for record, problem in zip(dataset.records, problems, strict=True) if problem]
    left_out = tuple(
        LeftOutImage(
            record.image_id,
            record.height,
            record.width,
            relative_name(record.file_path, dataset.image_dir),
            rows_of_record(record).tolist(),
            problem,
        )
        for record, problem in bad
    )
    kept = tuple(record for record, problem in zip(dataset.records, problems, strict=True) if not problem)
    return replace(dataset, records=kept, left_out=(*dataset.left_out, *left_out))


def _warn_of_lying_images(lying: Sequence[ImageRecord], dataset: DetectionDataset) -> None:
    """Says which images are taken unturned: some programs write the stored size to boxes drawn on the upright image."""
    if lying:
        logger.warning(
            "%d of %d images have an EXIF orientation that is not applied, first '%s', because '%s' has the size of "
            "their stored pixels; if boxes were drawn on the upright images, exchange their height and width there",
            len(lying),
            len(dataset.records),
            lying[0].file_path,
            dataset.source,
        )


def _check_image(record: ImageRecord) -> CheckedImage:
    name = str(record.file_path)
    try:
        data = read_bytes(record.file_path)
        header = read_header(data, name)
        pixels = decode_image(data, name, (record.height, record.width))
    except (BadValueError, MissingPathError) as error:
        return CheckedImage(0, False, str(error))
    if pixels.shape[:2] != (record.height, record.width):
        found, wanted = (f"{height} x {width}" for height, width in (pixels.shape[:2], (record.height, record.width)))
        return CheckedImage(0, False, f"image '{name}' is {found} (height x width) but annotated as {wanted}")
    is_ordinary = header.is_ordinary and _is_read_fast(data, pixels)
    num_bytes = len(data) if is_ordinary else pixels.size + 2**16  # a PNG is hardly larger than its pixels
    if num_bytes > MAX_PAGE_BYTES * 3 // 4:
        return CheckedImage(0, False, f"image '{name}' needs {num_bytes / 1e6:.0f} MB, more than a page holds")
    lies = header.is_rotated and (header.height, header.width) != (record.height, record.width)
    return CheckedImage(num_bytes, is_ordinary, lies=lies)


def _is_read_fast(data: bytes, pixels: np.ndarray) -> bool:
    """Returns whether the fast decoder, which reads the rows later, gives the same pixels; it is stricter."""
    try:
        return np.array_equal(decode_ordinary(data, ""), pixels)
    except BadValueError:
        return False


def _check_disk(folder: Path, total_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if total_bytes * 1.02 + HEADER_BYTES > free:
        raise BadStateError(
            f"MindRecord files need about {total_bytes / 1e6:.0f} MB but the disk of '{folder}' has {free / 1e6:.0f} "
            "MB free; make room or choose another mindrecord_dir"
        )


def _write_files(
    target: Path,
    dataset: DetectionDataset,
    checked: Sequence[CheckedImage],
    shards: int,
    parts: Mapping[str, object],
) -> None:
    """Writes the shards and their indices under their final names; the names are stored inside."""
    import mindspore.mindrecord as mr
    from mindspore.mindrecord.common.exceptions import MindRecordException

    writer = mr.FileWriter(str(target), shards)
    description = json.dumps(_describe(dataset, parts))
    writer.set_header_size(_header_bytes(description))
    writer.set_page_size(_page_bytes([image.num_bytes for image in checked], shards))
    writer.add_schema(SCHEMA, description)
    writer.add_index(["record_index", "image_id"])
    chunk: list[dict] = []
    try:
        rows = enumerate(zip(dataset.records, checked, strict=True))
        for index, (record, image) in track(rows, len(checked), "writing MindRecord"):
            chunk.append(_make_row(index, record, image.is_ordinary, dataset.image_dir))
            if len(chunk) == WRITE_CHUNK or index == len(checked) - 1:
                writer.write_raw_data(chunk)
                chunk = []
        writer.commit()
    except (RuntimeError, MindRecordException) as error:
        first_line = str(error).strip().split("\n")[0]
        raise BadStateError(f"MindRecord files '{target}*' cannot be written ({first_line}); check the disk") from error


def _describe(dataset: DetectionDataset, parts: Mapping[str, object]) -> dict[str, object]:
    """Returns the facts that are stored in every shard; `build` tells shards of two builds apart."""
    class_counts = _class_counts(dataset)
    return {
        "kind": KIND,
        "format": FORMAT_VERSION,
        "build": uuid.uuid4().hex,
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


def _make_row(index: int, record: ImageRecord, is_ordinary: bool, image_dir: Path) -> dict[str, object]:
    data = read_bytes(record.file_path)
    if not is_ordinary:
        data = encode_png(decode_image(data, str(record.file_path), (record.height, record.width)))
    annotation = np.column_stack([record.boxes, record.labels, record.is_crowd]).astype(np.float32)
    as_annotated = rows_of_record(record)
    return {
        "image": data,
        "annotation": annotation if len(annotation) else NO_BOX_ROW,
        "as_annotated": as_annotated if len(as_annotated) else NO_ANNOTATION_ROW,
        "image_id": record.image_id,
        "record_index": index,
        "height": record.height,
        "width": record.width,
        "file_name": relative_name(record.file_path, image_dir),
    }


def _move_into_place(building: Path, folder: Path, prefix: str) -> None:
    """Replaces the old set. A crash in between leaves shards of two builds, which are recognised and made again."""
    pattern = set_file_pattern(prefix)
    for path in folder.iterdir():
        if pattern.fullmatch(path.name) and path.is_file():
            path.unlink()
    mode = 0o666 & ~umask()  # MindRecord makes its files for their owner alone
    for path in sorted(building.iterdir()):
        path.chmod(mode)
        os.replace(path, folder / path.name)
