"""What a set of MindRecord files needs: counted beforehand, and held against real disks of that size."""

import dataclasses
import os

import numpy as np
import pytest

from utils.detection.data import mindrecord_writer
from utils.detection.data.disk.mindrecord_room import SPARE_BYTES, needed_bytes, row_bytes
from utils.detection.tests.mindrecord_sets import is_whole, write
from utils.detection.tests.test_mindrecord_writing import names_in
from utils.images import write_image
from utils.model_utils.errors import BadStateError
from utils.tools.small_disk import small_disk


def test_the_need_is_worked_by_hand():
    """Three rows of 5, 6 and 7 MB, two at a time, in two files: the last is begun when 11 MB are written."""
    rows = [5_000_000, 6_000_000, 7_000_000]
    files = 2 * (65536 + 2 * 3)
    assert needed_bytes(rows, 2, "abc", 2) == files + 11_000_000 + SPARE_BYTES
    assert needed_bytes(rows, 2, "abc", 3) == files + 18_000_000
    assert needed_bytes([1000] * 6, 1, "abc", 32) == 65536 + 6 + 10 * 2**20
    assert row_bytes(1000, 2, "ü.jpg") == 1000 + 400 + 160 + 3 * 6


@pytest.fixture
def pictures(dataset, tmp_path):
    """The data set with one picture of noise, of 600 kB, so that its bytes count too."""
    records = list(dataset.records)
    noise = np.random.default_rng(0).integers(0, 256, (400, 500, 3), np.uint8)
    write_image(records[0].file_path, noise)
    records[0] = dataclasses.replace(records[0], height=400, width=500)
    return dataclasses.replace(dataset, records=tuple(records))


def need_of(monkeypatch, pictures, folder, shards):
    asked = []
    monkeypatch.setattr(mindrecord_writer, "check_room", lambda _, needed: asked.append(needed))
    write(pictures, folder, shards=shards)
    monkeypatch.undo()
    return asked[0]


@pytest.mark.parametrize("shards", [1, 4])
def test_a_disk_with_what_is_counted_is_enough_and_one_with_less_is_refused_by_name(
    pictures, disk, tmp_path, monkeypatch, shards
):
    need = -(-need_of(monkeypatch, pictures, tmp_path / "measured", shards) // 1024) + 8  # folder and lock take pages
    used = sum((tmp_path / "measured" / name).stat().st_blocks * 512 for name in os.listdir(tmp_path / "measured"))
    assert need - 10 * 1024 - 100 * shards < used / 1024 < need
    with small_disk(disk, need):
        write(pictures, disk, shards=shards)
        assert is_whole(disk)
    for kilobytes in (64, 4 * 1024, need - 64):
        with small_disk(disk, kilobytes):
            with pytest.raises(BadStateError, match=r"MindRecord files need 1\d\.\d MB but the disk of .* MB free"):
                write(pictures, disk, shards=shards)
            assert names_in(disk) == []


@pytest.mark.parametrize("kilobytes", [1024, 4 * 1024, 10 * 1024 - 64])
def test_mindrecord_on_a_full_disk_names_the_reason(pictures, disk, monkeypatch, kilobytes):
    """Another process has taken the room that was counted."""
    monkeypatch.setattr(mindrecord_writer, "check_room", lambda *_: None)
    with small_disk(disk, kilobytes):
        with pytest.raises(BadStateError) as caught:
            write(pictures, disk)
        assert "cannot be written (No space left on device, " in str(caught.value)
        assert "MindRecord wants 10.5 MB); make room or choose another mindrecord_dir" in str(caught.value)
        assert names_in(disk) == []
