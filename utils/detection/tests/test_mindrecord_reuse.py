"""MindRecord files that are there already: used where they are whole and of this data set, made again otherwise."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from utils.detection.data.mindrecord_info import read_mindrecord_info
from utils.detection.tests.mindrecord_sets import PREFIX, cut, is_whole, names_in, read, shard, write_without_checksums
from utils.images import decode_ordinary
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError


def test_a_fitting_set_is_used_again(ensure):
    first = ensure()
    assert ensure().fingerprint == first.fingerprint
    assert len(ensure.loads) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"options": {"min_side": 3}}, "the options changed since the old ones were made"),
        ({"class_names": ("dog", "cat")}, "the class names changed"),
        ({}, "the annotation file changed"),
    ],
)
def test_a_set_made_from_something_else_is_made_again(ensure, dataset, caplog, changes, reason):
    caplog.set_level(logging.INFO)
    first = ensure()
    if not changes:
        dataset.source.write_text("other content")
    assert ensure(**changes).fingerprint != first.fingerprint
    assert len(ensure.loads) == 2
    assert caplog.text.count("making MindRecord files") == 2
    assert reason in caplog.text


def test_fewer_shards_leave_nothing_of_the_old_set(ensure, folder):
    ensure(shards=5)
    ensure(shards=1, options={"other": 1})
    assert names_in(folder) == [PREFIX, f"{PREFIX}.db"]


def drop_index_rows(folder: Path) -> None:
    with closing(sqlite3.connect(f"{shard(folder, 1)}.db")) as connection:
        connection.execute("DELETE FROM INDEXES WHERE ROW_ID = 0")
        connection.commit()


DAMAGES = {
    "truncated data": (
        lambda folder: cut(shard(folder, 1), shard(folder, 1).stat().st_size - 10),
        "truncated or damaged",
    ),
    "truncated header": (lambda folder: cut(shard(folder, 0), 100), "its header is broken"),
    "empty file": (lambda folder: cut(shard(folder, 2), 0), "it has no MindRecord header"),
    "garbage": (lambda folder: shard(folder, 0).write_bytes(b"x" * 5000), "it has no MindRecord header"),
    "index without data": (
        lambda folder: [shard(folder, n).unlink() for n in range(3)],
        "the index of .* but not its data",
    ),
    "one shard missing": (lambda folder: shard(folder, 1).unlink(), "of the set of 'boxes.mindrecord0' is missing"),
    "index missing": (lambda folder: Path(f"{shard(folder, 1)}.db").unlink(), "index '.*' is missing"),
    "index empty": (lambda folder: cut(Path(f"{shard(folder, 1)}.db"), 0), "its index cannot be read"),
    "index garbage": (
        lambda folder: Path(f"{shard(folder, 1)}.db").write_bytes(b"x" * 9999),
        "its index cannot be read",
    ),
    "rows missing in index": (drop_index_rows, "its index has (7 of 8|6 of 7) rows"),
    "renamed": (lambda folder: shard(folder, 0).rename(folder / PREFIX), "was renamed from 'boxes.mindrecord0'"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_sets_are_named_and_made_again(ensure, folder, caplog, damage):
    caplog.set_level(logging.INFO)
    do_damage, sentence = DAMAGES[damage]
    ensure()
    do_damage(folder)
    assert not is_whole(folder)
    with pytest.raises(BadStateError, match=sentence):
        read_mindrecord_info(folder, PREFIX)
    assert ensure().num_images == 23
    assert len(ensure.loads) == 2
    assert len(read(read_mindrecord_info(folder, PREFIX), range(23))) == 23


def test_shards_of_two_builds_are_recognised(ensure, folder, tmp_path):
    """What a crash between two renames leaves behind."""
    ensure()
    shutil.copy(shard(folder, 1), tmp_path / "old")
    ensure(options={"other": 1})
    shutil.copy(tmp_path / "old", shard(folder, 1))
    with pytest.raises(BadStateError, match="is of another set than 'boxes.mindrecord0'"):
        read_mindrecord_info(folder, PREFIX)


def test_files_of_another_program_are_never_replaced(ensure, folder):
    from mindspore.mindrecord import FileWriter

    folder.mkdir()
    writer = FileWriter(str(shard(folder, 0)).removesuffix("0"), 2)
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "int32"}}, "segmentation")
    writer.write_raw_data([{"image": b"1", "label": 1}, {"image": b"2", "label": 2}])
    writer.commit()
    before = names_in(folder)
    sentence = (
        r"'.*boxes\.mindrecord0' was written by another program \(its columns are \['image', 'label'\]\); "
        "choose another mindrecord_dir"
    )
    with pytest.raises(BadStateError, match=sentence):
        ensure()
    assert names_in(folder) == before
    assert not ensure.loads
    for name in (shard(folder, 0), Path(f"{shard(folder, 0)}.db")):  # its first shard alone is moved away
        name.rename(folder.parent / name.name)
    with pytest.raises(BadStateError, match=r"'.*boxes\.mindrecord1' was written by another program"):
        ensure()
    assert names_in(folder) == before[2:]


def test_what_a_damaged_set_advises_works(ensure, folder, tmp_path, caplog):
    """It may be all that its user has: nothing is said of deleting, and nothing is lost."""
    ensure()
    shutil.copytree(folder, tmp_path / "copy")
    cut(shard(folder, 1), 1000)
    before = names_in(folder)
    for _ in range(2):
        with pytest.raises(
            BadStateError, match="is truncated or damaged .*; copy the set again, or give its ann"
        ) as got:
            ensure(annotation_file="nowhere.json")
        assert "delete" not in str(got.value)
        assert names_in(folder) == before
    caplog.set_level(logging.INFO)
    assert ensure().num_images == 23  # its annotations are given
    assert "is truncated or damaged" in caplog.text
    assert "copy the set again" not in caplog.text
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)  # or it is copied again
    assert ensure(annotation_file="nowhere.json").num_images == 23


def test_what_a_damaged_row_advises_works(ensure, tmp_path, monkeypatch):
    """The files are as long as they should be and have no checksums, so that only who reads the row sees it."""
    write_without_checksums(monkeypatch)
    info = ensure()
    for path in info.files:
        path.write_bytes(path.read_bytes().replace(b"\x89PNG", b"\0\0\0\0"))
    (row,) = read(ensure(), [4])
    with pytest.raises(BadValueError, match="cannot be decoded, .*, or have others made in another mindrecord_dir$"):
        decode_ordinary(row["image"], "image 104")
    (row,) = read(ensure(folder=tmp_path / "another"), [4])
    assert decode_ordinary(row["image"], "image 104").shape == (24, 32, 3)


def test_a_renamed_set_can_get_its_old_name_back(ensure, folder):
    ensure()
    for name in names_in(folder):
        (folder / name).rename(folder / name.replace("boxes", "others"))
    with pytest.raises(BadStateError, match="was renamed from 'boxes.mindrecord0'; give it its old name$"):
        read_mindrecord_info(folder, PREFIX.replace("boxes", "others"))
    for name in names_in(folder):
        (folder / name).rename(folder / name.replace("others", "boxes"))
    assert read_mindrecord_info(folder, PREFIX).num_images == 23


def test_a_whole_set_serves_without_its_annotations(ensure, dataset, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(MissingPathError, match="does not exist.*, and there are no MindRecord files"):
        ensure(annotation_file="nowhere.json")
    ensure()
    assert ensure(annotation_file="nowhere.json").num_images == 23
    assert "used as they are" in caplog.text
    with pytest.raises(BadValueError, match=r"have the classes \['cat', 'dog'\], wanted \['cow'\]"):
        ensure(annotation_file="nowhere.json", class_names=["cow"])


def test_paths_that_cannot_be_used(ensure, tmp_path):
    with pytest.raises(MissingPathError, match="there are no MindRecord files"):
        read_mindrecord_info(tmp_path / "none", PREFIX)
    (tmp_path / "file").write_text("x")
    with pytest.raises(MissingPathError, match="mindrecord_dir '.*file' is a file, wanted a folder"):
        ensure(folder=tmp_path / "file")
    with pytest.raises(BadValueError, match="prefix 'a:b' is not a plain file name"):
        ensure(prefix="a:b")
