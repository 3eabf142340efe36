"""A small data set in memory, and what tests of its MindRecord files ask of them."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from utils.detection.data import mindrecord as mr
from utils.detection.data import mindrecord_writer
from utils.detection.data.mindrecord_info import (
    MindRecordInfo,
    fingerprint_of,
    fingerprint_parts,
    read_mindrecord_info,
)
from utils.detection.data.mindrecord_places import locked
from utils.detection.data.mindrecord_writer import write_set
from utils.detection.data.record_types import DetectionDataset, ImageRecord
from utils.images import write_image
from utils.model_utils.errors import UserError

PREFIX = "boxes.mindrecord"
HEIGHT, WIDTH = 24, 32


def make_record(folder: Path, index: int, name: str | None = None) -> ImageRecord:
    """Image `index` has the grey value `index` and `index % 3` boxes."""
    path = folder / (name or f"bild ü {index}.png")
    write_image(path, np.full((HEIGHT, WIDTH, 3), index, np.uint8))
    boxes = np.array([[box, 1.5, box + 2, 3] for box in range(index % 3)], np.float32).reshape(-1, 4)
    labels = np.arange(index % 3, dtype=np.int32)
    return ImageRecord(100 + index, path, HEIGHT, WIDTH, boxes, labels, labels == 1)


def write(dataset: DetectionDataset, folder: Path, *, shards: int = 8) -> MindRecordInfo:
    """Writes the files in place of those that are there, whether these fit or not."""
    parts = fingerprint_parts(dataset.source, dataset.class_names, {"skip_bad_images": False})
    with locked(folder, PREFIX, timeout_seconds=60):
        write_set(dataset, folder, PREFIX, shards, parts, mr.sources_of(dataset))
    return read_mindrecord_info(folder, PREFIX)


def write_as_before(patch: pytest.MonkeyPatch) -> None:
    """From here on sets are written as versions did that knew nothing of the images' sizes and of checksums."""
    write_without_checksums(patch)
    new = ("source", "file_bytes")
    make_row, describe = mindrecord_writer._make_row, mindrecord_writer._describe

    def describe_as_before(dataset, parts):
        parts = {key: value for key, value in parts.items() if key != "images"}
        facts = {**describe(dataset, parts), "made_from": parts, "fingerprint": fingerprint_of(parts)}
        return {key: value for key, value in facts.items() if key != "made_at"}

    schema = {name: kind for name, kind in mindrecord_writer.SCHEMA.items() if name not in new}
    patch.setattr(mindrecord_writer, "SCHEMA", schema)
    patch.setattr(mindrecord_writer, "INDEXED", ("record_index", "image_id"))
    patch.setattr(
        mindrecord_writer,
        "_make_row",
        lambda *given: {name: value for name, value in make_row(*given).items() if name not in new},
    )
    patch.setattr(mindrecord_writer, "_describe", describe_as_before)


def write_without_checksums(patch: pytest.MonkeyPatch) -> None:
    """From here on sets are written as versions did that knew nothing of checksums."""
    describe = mindrecord_writer._describe
    patch.setattr(mindrecord_writer, "append_checksums", lambda *_: None)
    patch.setattr(
        mindrecord_writer,
        "_describe",
        lambda *given: {key: value for key, value in describe(*given).items() if key != "has_checksums"},
    )


def is_whole(folder: Path) -> bool:
    """Whether there is a set that can be used."""
    try:
        return read_mindrecord_info(folder, PREFIX).num_images > 0
    except UserError:
        return False


def read(info, indices, columns=("image_id", "image", "annotation", "height", "width", "file_name"), num_loaders=1):
    data = mr.open_mindrecord(info, indices, columns, num_loaders)
    return list(data.create_dict_iterator(output_numpy=True, num_epochs=1))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def replace_records(dataset, **records_at):
    records = list(dataset.records)
    for key, record in records_at.items():
        records[int(key[1:])] = record
    return dataclasses.replace(dataset, records=tuple(records))


def shard(folder: Path, number: int) -> Path:
    return folder / f"{PREFIX}{number}"


def cut(path: Path, size: int) -> None:
    os.truncate(path, size)
