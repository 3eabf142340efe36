"""Writing MindRecord files: all images are good or nothing is written; no accident leaves half a set behind."""

import logging
import multiprocessing
import os
import re
import shutil
import stat
import time

import filelock
import numpy as np
import pytest

from utils.detection.data import mindrecord as mr
from utils.detection.data import mindrecord_writer as writer_module
from utils.detection.data.coco_file import load_coco
from utils.detection.tests.mindrecord_sets import HEIGHT, PREFIX, WIDTH, is_whole, names_in, read, write
from utils.images import encode_png, write_image
from utils.model_utils.errors import BadStateError, BadValueError


@pytest.mark.parametrize(("mask", "mode"), [(0o027, 0o640), (0o002, 0o664)])
def test_files_have_the_permissions_that_the_user_has_chosen(dataset, folder, mask, mode):
    before = os.umask(mask)
    try:
        write(dataset, folder)
        write_image(folder / "picture.png", np.zeros((2, 2, 3), np.uint8))
    finally:
        os.umask(before)
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in names_in(folder)} == {mode}


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
        r"image '.*1\.png' .* damaged .*; image '.*2\.png' is not an image .*; and 2 more; repair them, or remove them"
    )
    with pytest.raises(BadValueError, match=sentence):
        write(damaged, folder)
    assert not folder.exists()


def test_size_that_differs_from_the_annotation_is_named(dataset, folder):
    write_image(dataset.records[0].file_path, np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    with pytest.raises(BadValueError, match=r"bild ü 0\.png' is 32 x 24 \(height x width\) but annotated as 24 x 32"):
        write(dataset, folder)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("a frame\n[ERROR] It failed.\nC++ stack")])
def test_an_interrupted_writer_leaves_the_old_set_and_nothing_else(ensure, folder, monkeypatch, error):
    ensure()
    before = names_in(folder)

    def fail(*_):
        raise error

    monkeypatch.setattr(writer_module, "_make_row", fail)
    with pytest.raises((KeyboardInterrupt, BadStateError)) as caught:
        ensure(options={"other": 1})
    sentence = r"\(It failed\.\); make room or choose another mindrecord_dir"
    assert caught.type is KeyboardInterrupt or re.search(sentence, str(caught.value))
    assert names_in(folder) == before
    assert is_whole(folder)


def test_full_disk_is_refused_before_writing(dataset, folder, monkeypatch):
    """23 pictures of some kilobytes: MindRecord wants 10 MiB for them all the same."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**30, 2**30 - 10**7, 10**7))
    with pytest.raises(
        BadStateError, match=r"MindRecord files need 1[0-9]\.\d MB but the disk of .* has 10\.0 MB free .*; make room"
    ):
        write(dataset, folder)


def test_a_disk_that_fills_up_meanwhile_is_named_as_the_reason(dataset, folder, monkeypatch):
    def fill(*_):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**30, 2**30, 0))
        raise RuntimeError("a frame\n[ERROR] [Internal ERROR] Failed to seekp file.")

    monkeypatch.setattr(writer_module, "_make_row", fill)
    with pytest.raises(BadStateError, match=r"cannot be written \(No space left on device, 0\.0 MB are free and Mind"):
        write(dataset, folder)
    assert not folder.exists()


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
            ensure(timeout_seconds=1)
        assert time.monotonic() - start < 5
    assert "another process is writing" in caplog.text
    assert ensure(timeout_seconds=1).num_images == 23


def write_forever(arguments, started):
    while True:
        started.set()
        write(*arguments)


@pytest.mark.parametrize("delay_seconds", [0.0, 0.03, 0.1])
def test_a_killed_writer_blocks_nobody_and_leaves_no_half_set(ensure, dataset, folder, delay_seconds):
    """SIGKILL at some moment of writing or moving; the next process makes or finds a whole set at once."""
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=write_forever, args=((dataset, folder), started))
    process.start()
    assert started.wait(30)
    time.sleep(delay_seconds)
    process.kill()
    process.join(30)
    info = ensure(timeout_seconds=5)
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
