"""MindRecord files: what goes in comes out in the order asked for; a set that is not whole is never taken for one."""

import dataclasses
import logging
import multiprocessing
import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import filelock
import numpy as np
import pytest
from PIL import Image

from utils.detection import mindrecord as mr
from utils.detection import mindrecord_info as info_module
from utils.detection import mindrecord_writer as writer_module
from utils.detection.records import DetectionDataset, ImageRecord, load_coco
from utils.images import EXIF_ORIENTATION, decode_ordinary, encode_jpeg, encode_png, write_image
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError

PREFIX = "boxes.mindrecord"
HEIGHT, WIDTH = 24, 32


def make_record(folder: Path, index: int, name: str | None = None) -> ImageRecord:
    """Image `index` has the grey value `index` and `index % 3` boxes."""
    path = folder / (name or f"bild ü {index}.png")
    write_image(path, np.full((HEIGHT, WIDTH, 3), index, np.uint8))
    boxes = np.array([[box, 1.5, box + 2, 3] for box in range(index % 3)], np.float32).reshape(-1, 4)
    labels = np.arange(index % 3, dtype=np.int32)
    return ImageRecord(100 + index, path, HEIGHT, WIDTH, boxes, labels, labels == 1)


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


def read(info, indices, columns=("image_id", "image", "annotation", "height", "width", "file_name"), workers=1):
    data = mr.open_mindrecord(info, indices, columns, workers)
    return list(data.create_dict_iterator(output_numpy=True, num_epochs=1))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def replace_records(dataset, **records_at):
    records = list(dataset.records)
    for key, record in records_at.items():
        records[int(key[1:])] = record
    return dataclasses.replace(dataset, records=tuple(records))


@pytest.mark.parametrize("shards", [1, 3, 12])
def test_rows_come_back_in_the_order_asked_for(dataset, folder, shards):
    info = mr.write_mindrecord(dataset, folder, PREFIX, shards=shards)
    assert len(info.files) == shards
    assert info.image_ids.tolist() == [100 + index for index in range(23)]
    for workers in (1, 2):
        order = np.random.default_rng(workers).permutation(23)
        for index, row in zip(order, read(info, order, workers=workers), strict=True):
            record = dataset.records[index]
            assert row["image_id"] == record.image_id
            assert (decode_ordinary(row["image"], "x") == index).all()
            boxes, labels, is_crowd = mr.unpack_annotation(row["annotation"])
            assert boxes.tolist() == record.boxes.tolist()
            assert (labels.tolist(), is_crowd.tolist()) == (record.labels.tolist(), record.is_crowd.tolist())
            assert (boxes.dtype, labels.dtype, is_crowd.dtype) == (np.float32, np.int32, bool)
            assert (row["height"], row["width"], str(row["file_name"])) == (HEIGHT, WIDTH, record.file_path.name)


def test_a_part_and_a_repeated_index_can_be_read(dataset, folder):
    info = mr.write_mindrecord(dataset, folder, PREFIX)
    assert [int(row["image_id"]) for row in read(info, [4, 2, 4], ["image_id"])] == [104, 102, 104]
    for indices in ([], [0] * 24):
        with pytest.raises(ValueError, match="one pass reads 1 to 23 images"):
            mr.open_mindrecord(info, indices, ["image_id"])


def test_one_image_in_more_shards_than_images(dataset, folder):
    info = mr.write_mindrecord(dataclasses.replace(dataset, records=dataset.records[:1]), folder, PREFIX, shards=8)
    assert len(info.files) == 1
    assert int(read(info, [0])[0]["image_id"]) == 100


def test_facts_are_stored_inside(dataset, folder):
    mr.write_mindrecord(dataset, folder, PREFIX, shards=2)
    info = mr.read_mindrecord_info(folder, PREFIX)
    assert (info.num_images, info.class_names, info.category_ids) == (23, ("cat", "dog"), (3, 70))
    assert dict(info.box_counts) == {0: 8, 1: 8, 2: 7}  # 23 images with index % 3 boxes
    assert names_in(folder) == [f"{PREFIX}0", f"{PREFIX}0.db", f"{PREFIX}1", f"{PREFIX}1.db"]


def test_cut_boxes_are_counted():
    counts = {0: 5, 3: 2, 9: 4}
    assert info_module.describe_cut_boxes(counts, 9) is None
    assert info_module.describe_cut_boxes(counts, 2) == (
        "6 of 11 images have more than 2 boxes (num_gts), up to 9; the largest 2 of each are kept"
    )


def test_a_fitting_set_is_used_again(ensure):
    first = ensure()
    assert ensure().fingerprint == first.fingerprint
    assert len(ensure.loads) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"options": {"min_side": 3}}, "the options changed since the old ones were made"),
        ({"class_names": ("dog", "cat")}, "the class names changed"),
        ({"skip_bad_images": True}, "the options changed"),
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


def shard(folder: Path, number: int) -> Path:
    return folder / f"{PREFIX}{number}"


def cut(path: Path, size: int) -> None:
    os.truncate(path, size)


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
    assert mr.find_mindrecord(folder, PREFIX) is None
    with pytest.raises(BadStateError, match=sentence):
        mr.read_mindrecord_info(folder, PREFIX)
    assert ensure().num_images == 23
    assert len(ensure.loads) == 2
    assert len(read(mr.read_mindrecord_info(folder, PREFIX), range(23))) == 23


def test_shards_of_two_builds_are_recognised(ensure, folder, tmp_path):
    """What a crash between two renames leaves behind."""
    ensure()
    shutil.copy(shard(folder, 1), tmp_path / "old")
    ensure(options={"other": 1})
    shutil.copy(tmp_path / "old", shard(folder, 1))
    with pytest.raises(BadStateError, match="is of another set than 'boxes.mindrecord0'"):
        mr.read_mindrecord_info(folder, PREFIX)


def test_files_of_another_program_are_never_replaced(ensure, folder, dataset):
    from mindspore.mindrecord import FileWriter

    folder.mkdir()
    writer = FileWriter(str(shard(folder, 0)).removesuffix("0"), 2)
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "int32"}}, "segmentation")
    writer.write_raw_data([{"image": b"1", "label": 1}, {"image": b"2", "label": 2}])
    writer.commit()
    before = names_in(folder)
    sentence = (
        r"'.*boxes\.mindrecord0' was written by another program \(its columns are \['image', 'label'\]\); move it away"
    )
    with pytest.raises(BadStateError, match=sentence):
        ensure()
    with pytest.raises(BadStateError, match=sentence):
        mr.write_mindrecord(dataset, folder, PREFIX)
    assert names_in(folder) == before
    assert not ensure.loads


def test_odd_images_are_stored_so_that_the_fast_decoder_reads_them(dataset, folder):
    photos = dataset.image_dir
    grey = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH)
    Image.fromarray(grey * 80).save(photos / "deep.png")
    Image.new("RGBA", (WIDTH, HEIGHT), (1, 2, 3, 4)).save(photos / "alpha.png")
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    Image.new("RGB", (HEIGHT, WIDTH), (9, 9, 9)).save(photos / "turned.jpg", exif=exif)  # a viewer shows HEIGHT x WIDTH
    records = {
        f"r{index}": dataclasses.replace(dataset.records[index], file_path=photos / name)
        for index, name in enumerate(["deep.png", "alpha.png", "turned.jpg"])
    }
    info = mr.write_mindrecord(replace_records(dataset, **records), folder, PREFIX)
    deep, alpha, turned = (decode_ordinary(row["image"], "x") for row in read(info, [0, 1, 2]))
    assert np.array_equal(deep[..., 0], (grey.astype(np.uint32) * 80 + 128) // 257)
    assert (alpha == (1, 2, 3)).all()
    assert turned.shape == (HEIGHT, WIDTH, 3)


def test_ordinary_files_are_stored_byte_for_byte(dataset, folder):
    content = encode_jpeg(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (dataset.image_dir / "plain.jpg").write_bytes(content)
    record = dataclasses.replace(dataset.records[5], file_path=dataset.image_dir / "plain.jpg")
    info = mr.write_mindrecord(replace_records(dataset, r5=record), folder, PREFIX)
    assert read(info, [5])[0]["image"].tobytes() == content


def test_files_that_only_the_careful_decoder_reads_are_stored_anew(dataset, folder):
    """A PNG without its end marker has all its pixels; Pillow reads it and OpenCV need not."""
    content = encode_png(np.full((HEIGHT, WIDTH, 3), 7, np.uint8))
    dataset.records[0].file_path.write_bytes(content[:-12])
    row = read(mr.write_mindrecord(dataset, folder, PREFIX), [0])[0]
    assert (decode_ordinary(row["image"], "x") == 7).all()


@pytest.fixture
def damaged(dataset):
    """Five bad images: empty, truncated, no image, missing, of another size."""
    contents = [b"", encode_png(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))[:600], b"text"]
    for index, content in enumerate(contents):
        dataset.records[index].file_path.write_bytes(content)
    dataset.records[3].file_path.unlink()
    write_image(dataset.records[4].file_path, np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    return dataset


def test_bad_images_are_refused_before_anything_is_written(damaged, folder):
    sentence = (
        r"5 of 23 images of '.*annotations\.json' cannot be used: image '.*bild ü 0\.png' is empty .*; "
        r"image '.*1\.png' .* damaged .*; image '.*2\.png' is not an image .*; and 2 more; repair them, or set skip_b"
    )
    with pytest.raises(BadValueError, match=sentence):
        mr.write_mindrecord(damaged, folder, PREFIX)
    assert names_in(folder) == []


def test_bad_images_are_left_out_where_asked(damaged, folder, caplog):
    caplog.set_level(logging.WARNING)
    info = mr.write_mindrecord(damaged, folder, PREFIX, skip_bad_images=True)
    assert info.image_ids.tolist() == [100 + index for index in range(5, 23)]
    assert caplog.text.count("5 of 23 images") == 1
    assert [int(row["image_id"]) for row in read(info, [17, 0], ["image_id"])] == [122, 105]


def test_size_that_differs_from_the_annotation_is_named(dataset, folder):
    write_image(dataset.records[0].file_path, np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    with pytest.raises(BadValueError, match=r"bild ü 0\.png' is 32 x 24 \(height x width\) but annotated as 24 x 32"):
        mr.write_mindrecord(dataset, folder, PREFIX)


def test_all_images_bad_is_refused_even_when_skipping(dataset, folder):
    for record in dataset.records:
        record.file_path.write_bytes(b"")
    with pytest.raises(BadValueError, match="23 of 23 images"):
        mr.write_mindrecord(dataset, folder, PREFIX, skip_bad_images=True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("No space left on device\nC++ stack")])
def test_an_interrupted_writer_leaves_the_old_set_and_nothing_else(ensure, folder, monkeypatch, error):
    ensure()
    before = names_in(folder)

    def fail(*_):
        raise error

    monkeypatch.setattr(writer_module, "_make_row", fail)
    expected = KeyboardInterrupt if error is KeyboardInterrupt else BadStateError
    with pytest.raises(
        expected, match=r"\(No space left on device\); check the disk" if expected is BadStateError else None
    ):
        ensure(options={"other": 1})
    assert names_in(folder) == before
    assert mr.find_mindrecord(folder, PREFIX) is not None


def test_full_disk_is_refused_before_writing(dataset, folder, monkeypatch):
    monkeypatch.setattr(writer_module.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))
    with pytest.raises(
        BadStateError, match="MindRecord files need about .* MB but the disk of .* has 0 MB free; make room"
    ):
        mr.write_mindrecord(dataset, folder, PREFIX)


def test_leftovers_of_a_killed_writer_are_removed(ensure, folder):
    leftover = folder / writer_module.BUILD_DIR_NAME.format(prefix=PREFIX)
    leftover.mkdir(parents=True)
    (leftover / f"{PREFIX}0").write_bytes(b"half")
    ensure()
    assert not leftover.exists()


def test_waiting_for_another_writer_has_a_limit(ensure, folder, caplog):
    caplog.set_level(logging.INFO)
    folder.mkdir()
    with filelock.FileLock(folder / f".{PREFIX}.lock"):
        start = time.monotonic()
        with pytest.raises(
            BadStateError, match="another process has been writing MindRecord files .* for more than 1 s"
        ):
            ensure(timeout_s=1)
        assert time.monotonic() - start < 5
    assert "another process is writing" in caplog.text
    assert ensure(timeout_s=1).num_images == 23


def write_forever(arguments, started):
    while True:
        started.set()
        mr.write_mindrecord(*arguments)


@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.1])
def test_a_killed_writer_blocks_nobody_and_leaves_no_half_set(ensure, dataset, folder, delay_s):
    """SIGKILL at some moment of writing or moving; the next process makes or finds a whole set at once."""
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=write_forever, args=((dataset, folder, PREFIX), started))
    process.start()
    assert started.wait(30)
    time.sleep(delay_s)
    process.kill()
    process.join(30)
    info = ensure(timeout_s=5)
    assert sorted(int(row["image_id"]) for row in read(info, range(23), ["image_id"])) == list(range(100, 123))
    assert not (folder / writer_module.BUILD_DIR_NAME.format(prefix=PREFIX)).exists() or not ensure.loads


def ensure_in_process(arguments, queue):
    loads = []

    def load():
        loads.append(1)
        time.sleep(0.5)
        return load_coco(*arguments["load"])

    info = mr.ensure_mindrecord(load, **arguments["ensure"])
    queue.put((len(loads), info.num_images))


def test_of_three_processes_one_writes(shared_data, folder):
    bccd = shared_data / "bccd"
    source = bccd / "annotations" / "instances_val2017.json"
    arguments = {
        "load": (source, bccd / "val2017"),
        "ensure": {"annotation_file": source, "class_names": None, "folder": folder, "prefix": PREFIX, "shards": 2},
    }
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=ensure_in_process, args=(arguments, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    results = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    assert sorted(loads for loads, _ in results) == [0, 0, 1]
    assert len({num_images for _, num_images in results}) == 1


def test_a_whole_set_serves_without_its_annotations(ensure, dataset, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(MissingPathError, match="does not exist and there are no MindRecord files"):
        ensure(annotation_file="nowhere.json")
    ensure()
    assert ensure(annotation_file="nowhere.json").num_images == 23
    assert "used as they are" in caplog.text
    with pytest.raises(BadValueError, match=r"have the classes \['cat', 'dog'\], wanted \['cow'\]"):
        ensure(annotation_file="nowhere.json", class_names=["cow"])


def test_paths_that_cannot_be_used(ensure, tmp_path):
    with pytest.raises(MissingPathError, match="there are no MindRecord files"):
        mr.read_mindrecord_info(tmp_path / "none", PREFIX)
    (tmp_path / "file").write_text("x")
    with pytest.raises(MissingPathError, match="mindrecord_dir '.*file' is a file, wanted a folder"):
        ensure(folder=tmp_path / "file")
    with pytest.raises(BadValueError, match="prefix 'a:b' is not a plain file name"):
        ensure(prefix="a:b")


def test_a_large_image_gets_a_large_page(dataset, folder):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)  # 6.75 MB as PNG
    write_image(dataset.image_dir / "large.png", noise)
    record = dataclasses.replace(dataset.records[0], file_path=dataset.image_dir / "large.png", height=1500, width=1500)
    info = mr.write_mindrecord(replace_records(dataset, r0=record), folder, PREFIX, shards=2)
    assert np.array_equal(decode_ordinary(read(info, [0])[0]["image"], "x"), noise)
