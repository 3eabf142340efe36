"""What several test files of this room start from."""

from pathlib import Path

import pytest

from utils.detection.data import mindrecord as mr
from utils.detection.data.record_types import DetectionDataset
from utils.detection.tests.mindrecord_sets import PREFIX, make_record


@pytest.fixture
def dataset(tmp_path) -> DetectionDataset:
    folder = tmp_path / "photos"
    source = tmp_path / "annotations.json"
    source.write_text("any content, the hash counts")
    records = tuple(make_record(folder, index) for index in range(23))
    return DetectionDataset(records, ("cat", "dog"), (3, 70), source, folder)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "record dir ä"


@pytest.fixture
def ensure(dataset, folder):
    """Calls ensure_mindrecord and counts how often it loads the data set."""
    loads = []

    def load():
        loads.append(1)
        return dataset

    def call(**changes):
        arguments = {
            "annotation_file": dataset.source,
            "class_names": ("cat", "dog"),
            "folder": folder,
            "prefix": PREFIX,
            "shards": 3,
            **changes,
        }
        return mr.ensure_mindrecord(load, **arguments)

    call.loads = loads
    return call
