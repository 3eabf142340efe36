"""Bits of MindRecord files that change on a disk or on the way: whoever opens the set sees it before it reads a row."""

import logging
import random
import shutil

import numpy as np
import pytest

from utils.detection.data.layouts.split_paths import SplitPaths
from utils.detection.data.mindrecord_places import check_contents, hold_mindrecord
from utils.detection.data.splits import open_split
from utils.detection.tests.mindrecord_sets import (
    HEIGHT,
    PREFIX,
    WIDTH,
    make_record,
    names_in,
    read,
    replace_records,
    write,
    write_without_checksums,
)
from utils.images import write_image
from utils.model_utils.errors import BadStateError, UserError
from utils.model_utils.guards.checksums import append_checksums, find_damage

ROWS = ("image", "annotation", "as_annotated", "image_id", "height", "width", "file_name")
NUM_DAMAGED = 40


def damaged_copies(folder, target, count):
    """Yields copies of a set in which one bit is another: of any byte, and of one that is not padding, by turns."""
    draw = random.Random(5)
    files = [path for path in sorted(folder.iterdir()) if path.name.startswith(PREFIX)]
    for number in range(count):
        copy = target / str(number)
        shutil.copytree(folder, copy)
        file = copy / draw.choice(files).name
        content = bytearray(file.read_bytes())
        places = np.flatnonzero(np.frombuffer(content, np.uint8)) if number % 2 else range(len(content))
        content[draw.choice(places)] ^= 1 << draw.randrange(8)
        file.write_bytes(content)
        yield copy


def contents(info):
    return [{name: np.asarray(row[name]).tobytes() for name in ROWS} for row in read(info, range(23), ROWS)]


def test_no_set_with_another_bit_is_read(dataset, folder, tmp_path):
    """Without checksums 6 of 40 are read with other pictures, 2 fail in MindSpore; 22 differ in their padding alone."""
    photos = [make_record(tmp_path / "photos", index, f"{index}.jpg") for index in range(23)]
    draws = np.random.default_rng(0)
    for photo in photos:
        write_image(photo.file_path, draws.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    dataset = replace_records(dataset, **{f"_{index}": photo for index, photo in enumerate(photos)})
    expected = contents(write(dataset, folder, shards=3))
    refused = 0
    for copy in damaged_copies(folder, tmp_path, NUM_DAMAGED):
        try:
            info = check_contents(hold_mindrecord(copy, PREFIX))
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            assert contents(info) == expected
    assert refused == NUM_DAMAGED


def flip(path, place=-5000):
    content = bytearray(path.read_bytes())
    content[place] ^= 16
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "fault"),
    [(f"{PREFIX}1", "its content does not fit its checksum"), (f"{PREFIX}2.db", f"'{PREFIX}2.db' does not fit its")],
)
def test_a_damaged_set_is_made_anew_where_its_source_is_there(name, fault, ensure, folder, caplog):
    caplog.set_level(logging.INFO)
    ensure()
    expected = contents(ensure())  # the checksums were compared in this process before
    flip(folder / name)
    assert contents(ensure()) == expected
    assert len(ensure.loads) == 2
    (said,) = [message for message in caplog.messages if "is truncated or damaged" in message]
    assert said.startswith(f"making MindRecord files '{folder / PREFIX}': MindRecord file '")
    assert fault in said
    ensure()
    assert len(ensure.loads) == 2


def test_a_damaged_set_without_its_source_is_refused(ensure, folder):
    ensure()
    flip(folder / f"{PREFIX}0")
    before = names_in(folder)
    paths = SplitPaths("coco", None, None, folder, PREFIX)
    for use in (lambda: ensure(annotation_file="nowhere.json"), lambda: open_split(paths, None)):
        with pytest.raises(BadStateError, match="0' is truncated or damaged .its content does not fit its checksum.; "):
            use()
    assert names_in(folder) == before


def test_a_set_of_an_earlier_version_has_no_checksums_and_is_used(ensure, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    with monkeypatch.context() as patch:
        write_without_checksums(patch)
        before = contents(ensure())
    info = ensure()
    assert (contents(info), info.has_checksums, len(ensure.loads)) == (before, False, 1)
    assert "checksum" not in caplog.text


def test_a_set_is_read_for_its_checksums_once_in_a_process_and_that_is_said(ensure, caplog):
    caplog.set_level(logging.INFO)
    ensure()
    assert "checksum" not in caplog.text  # it has just been made
    for _ in range(3):
        ensure()
    (said,) = [message for message in caplog.messages if "checksum" in message]
    assert said.startswith("3 MindRecord files '")
    assert " ... fit their checksums (" in said


def test_any_other_bit_of_a_file_its_companion_or_the_checksums_is_found(tmp_path):
    """Each of the 8 bits of each of the bytes, one at a time."""
    file, companion = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"123456789")
    companion.write_bytes(b"")
    append_checksums(file, companion)
    companion.write_bytes(b"")
    assert file.read_bytes() == b"123456789\ncrc32 cbf43926 00000000\n"  # the check value of CRC-32
    assert find_damage(file, companion, needs_checksums=True) == ""
    good = file.read_bytes()
    for place in range(8 * len(good)):
        content = bytearray(good)
        content[place // 8] ^= 1 << place % 8
        file.write_bytes(content)
        assert find_damage(file, companion, needs_checksums=True)
    file.write_bytes(good)
    companion.write_bytes(b"\0")
    assert find_damage(file, companion, needs_checksums=True) == "'b' does not fit its checksum"
    file.write_bytes(b"123")
    assert find_damage(file, companion, needs_checksums=True) == "its checksum is missing"
    assert find_damage(file, companion, needs_checksums=False) == ""
