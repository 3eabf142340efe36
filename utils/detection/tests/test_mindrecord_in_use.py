"""A set that somebody reads stays as it is, and another one goes beside it and is found there again."""

import dataclasses
import logging
import multiprocessing
import re
import shutil

import pytest

from utils.detection.data import mindrecord as mr
from utils.detection.data.mindrecord_places import hold_mindrecord, locked, places
from utils.detection.data.mindrecord_writer import BUILD_DIR_NAME
from utils.detection.tests.edited_coco import annotations_of, change
from utils.detection.tests.mindrecord_sets import PREFIX, names_in, read, shard
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import open_coco
from utils.model_utils.errors import BadStateError, BadValueError


def ids_in(info) -> list[int]:
    return [int(row["image_id"]) for row in read(info, range(info.num_images), ["image_id"])]


def kept_in(folder) -> dict[str, tuple[int, int]]:
    return {name: ((folder / name).stat().st_ino, (folder / name).stat().st_mtime_ns) for name in names_in(folder)}


def test_a_set_in_use_stays_and_the_other_is_found_beside_it(ensure, folder, caplog):
    caplog.set_level(logging.INFO)
    first = ensure()
    before = kept_in(folder)
    other = ensure(options={"other": 1})
    beside = folder / other.fingerprint[:8]
    assert other.files[0].parent == beside
    assert ids_in(first) == ids_in(other) == list(range(100, 123))
    assert {name: times for name, times in kept_in(folder).items() if name != beside.name} == before
    assert f"'{folder / PREFIX}*' are in use and stay as they are: the new ones go to '{beside}'" in caplog.text
    (line,) = [message for message in caplog.messages if message.startswith("2 sets of MindRecord files")]
    sizes = [
        sum(path.stat().st_size for path in place.iterdir() if not path.name.startswith(".") and path.is_file())
        for place in (folder, beside)
    ]
    assert f"take {sum(sizes) / 1e6:.1f} MB in '{folder}': {sizes[0] / 1e6:.1f} MB in '{folder}', " in line
    del first, other
    assert ensure(options={"other": 1}).files[0].parent == beside
    assert ensure().files[0].parent == folder
    assert len(ensure.loads) == 2


def test_the_set_beside_is_found_without_the_annotations_too(ensure, folder, dataset):
    """Where the folder was copied to a machine that has nothing else; there the classes tell."""
    first = ensure()
    renamed = dataclasses.replace(dataset, class_names=("one", "two"))
    other = mr.ensure_mindrecord(
        lambda: renamed, annotation_file=dataset.source, class_names=("one", "two"), folder=folder, prefix=PREFIX
    )
    assert other.files[0].parent != folder
    for classes, wanted in ((("cat", "dog"), first), (("one", "two"), other)):
        found = ensure(annotation_file="nowhere.json", class_names=classes)
        assert (found.build, found.files) == (wanted.build, wanted.files)
    found = ensure(annotation_file="nowhere.json", class_names=("one", 70))  # 70 is the id of both "dog" and "two"
    assert found.build == other.build
    with pytest.raises(BadValueError, match="have the classes .'cat', 'dog'.*, wanted .'red'"):
        ensure(annotation_file="nowhere.json", class_names=("red",))


def test_a_set_that_nobody_reads_any_more_is_replaced_under_its_name(ensure, folder):
    first = ensure()
    other = ensure(options={"other": 1}).files[0].parent
    del first
    third = ensure(options={"other": 2})
    assert third.files[0].parent == folder
    assert places(folder) == [folder, other]
    assert ensure(options={"other": 1}).files[0].parent == other  # kept, and not made anew
    assert len(ensure.loads) == 3


def test_where_both_places_are_in_use_it_is_said(ensure, folder):
    first = ensure()
    other = ensure(options={"other": 1})
    shard(other.files[0].parent, 1).write_bytes(b"")  # so that the set beside has to be made again
    with pytest.raises(BadStateError, match=f"'{re.escape(str(folder / PREFIX))}.*' and '.*' are both in use: wait"):
        ensure(options={"other": 1})
    assert ids_in(first) == list(range(100, 123))


def test_the_set_of_a_writer_that_fails_leaves_nothing_beside_the_other(ensure, folder, dataset):
    first = ensure()
    dataset.records[0].file_path.write_bytes(b"")
    before = kept_in(folder)
    with pytest.raises(ValueError, match="1 of 23 images .* cannot be used"):
        ensure(options={"other": 1})
    assert kept_in(folder) == before
    assert ids_in(first) == list(range(100, 123))


def test_what_a_killed_writer_left_beside_is_removed(ensure, folder):
    beside = folder / "0123abcd"
    for name in ("mine", "theirs"):
        (beside / BUILD_DIR_NAME.format(prefix=name)).mkdir(parents=True)
    left = beside / BUILD_DIR_NAME.format(prefix=PREFIX)
    left.mkdir()
    (left / "half").write_bytes(b"x")
    with locked(beside, PREFIX, 1):  # by a writer that lives
        ensure()
        assert left.exists()
    ensure(options={"other": 1})
    assert not left.exists()
    assert sorted(path.name for path in beside.iterdir() if path.is_dir()) == [".mine.building", ".theirs.building"]


def hold_in_process(folder, taken, ended):
    held = hold_mindrecord(folder, PREFIX)
    taken.set()
    ended.wait(60)
    assert held


def test_another_process_may_be_the_one_that_reads(ensure, folder):
    ensure()
    context = multiprocessing.get_context("fork")
    taken, ended = context.Event(), context.Event()
    process = context.Process(target=hold_in_process, args=(folder, taken, ended))
    process.start()
    assert taken.wait(60)
    beside = ensure(options={"other": 1}).files[0].parent
    ended.set()
    process.join(60)
    assert beside != folder
    assert ensure(options={"other": 2}).files[0].parent == folder


def test_reading_leaves_the_folder_as_it_was(ensure, folder):
    """It may be one that cannot be written to."""
    ensure()
    (folder / f".{PREFIX}.lock").unlink(missing_ok=True)
    before = sorted(folder.iterdir()), folder.stat().st_mtime_ns
    assert ids_in(ensure()) == list(range(100, 123))
    assert (sorted(folder.iterdir()), folder.stat().st_mtime_ns) == before


def test_files_that_were_replaced_all_the_same_are_refused(ensure, folder, tmp_path):
    """By hand, by an earlier version, or where nothing can be locked; a copy of the same set is fine."""
    info = ensure()
    other = ensure(options={"other": 1}, folder=tmp_path / "other")
    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.copytree(copy, folder, dirs_exist_ok=True, copy_function=shutil.copy)
    assert ids_in(info) == list(range(100, 123))
    shutil.copytree(other.files[0].parent, folder, dirs_exist_ok=True)
    with pytest.raises(BadStateError, match="were replaced by others while this process reads them: start again"):
        read(info, [0])
    shard(folder, 2).unlink()
    with pytest.raises(BadStateError, match="were replaced while this process reads them .*2' .* is missing.*: start"):
        read(info, [0])


def test_a_prefix_with_digits_is_checked_too(ensure):
    info = ensure(prefix="set2017", shards=12)
    assert len(info.files) == 12
    info = dataclasses.replace(info, stamps=())
    assert ids_in(info) == list(range(100, 123))


@pytest.mark.parametrize(
    ("one", "shards", "other"), [("set1", 8, "set"), ("set1", 1, "set"), ("set", 12, "set1"), ("set0", 8, "set")]
)
def test_a_set_whose_names_could_be_of_the_other_prefix_stays(ensure, folder, caplog, one, shards, other):
    """`set1` in 8 files begins with `set10`."""
    caplog.set_level(logging.INFO)
    first = ensure(prefix=one, shards=shards)
    before = kept_in(folder)
    second = ensure(prefix=other, shards=8, options={"other": 1})
    beside = folder / second.fingerprint[:8]
    assert second.files[0].parent == beside
    assert {name: times for name, times in kept_in(folder).items() if name != beside.name} == before
    assert ids_in(first) == ids_in(second) == list(range(100, 123))
    assert f" stay as they are: the new ones go to '{beside}'" in caplog.text
    del first, second
    assert ensure(prefix=other, options={"other": 1}).files[0].parent == beside
    assert ensure(prefix=one).files[0].parent == folder
    assert len(ensure.loads) == 2
    ensure(prefix=one, options={"other": 2})  # replaces its own
    assert ensure(prefix=other, options={"other": 1}).files[0].parent == beside
    assert len(ensure.loads) == 3


def test_annotations_that_change_while_they_are_read_are_refused(dataset, folder):
    def load():
        dataset.source.write_text("other content")
        return dataset

    with pytest.raises(BadStateError, match="has changed while it was read: start again"):
        mr.ensure_mindrecord(load, annotation_file=dataset.source, class_names=None, folder=folder, prefix=PREFIX)
    assert not folder.exists()


def test_annotations_that_change_before_they_are_evaluated_are_refused(tmp_path):
    """The images are those of the first content."""
    data = write_coco(tmp_path / "data")
    split = open_coco(data)
    counted = len(split.ground_truth["annotations"])
    assert counted == 6
    change(data, lambda content: content["annotations"].pop())
    with pytest.raises(BadStateError, match=f"'{re.escape(str(annotations_of(data)))}' has changed since this command"):
        assert split.ground_truth
    assert len(open_coco(data).ground_truth["annotations"]) == counted - 1
