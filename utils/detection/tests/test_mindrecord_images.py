"""Image files that have changed since MindRecord files were made of them, while the annotations have not."""

import dataclasses
import logging
import os
import time

import numpy as np
import pytest
from PIL import Image

from utils.detection.data import mindrecord as mr
from utils.detection.data import mindrecord_writer
from utils.detection.data.splits import open_split
from utils.detection.tests.mindrecord_sets import HEIGHT, WIDTH, names_in, read, write_as_before
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import paths_of
from utils.image_files import ImageFolder, SourceImages
from utils.images import EXIF_ORIENTATION, encode_png, write_image
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError


@pytest.fixture
def images(dataset):
    return lambda: ImageFolder(dataset.image_dir)


def grey(value: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


def age(dataset, info) -> None:
    """Makes all image files older than the set."""
    for record in dataset.records:
        os.utime(record.file_path, ns=(0, info.stamps[0][-1] - 10**9))


def rewrite(path) -> None:
    """Writes other pixels, and leaves the file's size as it was."""
    size = path.stat().st_size
    contents = (encode_png(grey(value)) for value in range(100, 250))
    path.write_bytes(next(content for content in contents if len(content) == size))


def test_sizes_are_part_of_the_fingerprint_and_times_are_not(ensure, dataset, images, caplog):
    caplog.set_level(logging.INFO)
    first = ensure(images=images())
    sizes = [record.file_path.stat().st_size for record in dataset.records]
    assert first.sources.names == tuple(f"bild ü {index}.png" for index in range(23))
    assert first.sources.sizes.tolist() == sizes
    assert first.made_from["images"] == first.sources.digest()
    for record in dataset.records:
        os.utime(record.file_path)
    assert ensure(images=images()).build == first.build
    changed = dataset.records[3].file_path, dataset.records[20].file_path
    for path in changed:
        write_image(path, np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    del first
    again = ensure(images=images())
    assert f"2 of 23 images have another size than when the old ones were made, first '{changed[0]}'" in caplog.text
    assert again.sources.sizes[[3, 20]].tolist() == [path.stat().st_size for path in changed]
    (row,) = read(again, [20])
    assert row["image"].tobytes() == changed[1].read_bytes()
    assert len(ensure.loads) == 2


def test_the_digest_is_of_names_and_sizes_whatever_their_order():
    def digest(names, sizes):
        return SourceImages(tuple(names), np.array(sizes)).digest()

    assert digest("ab", [1, 2]) == digest("ba", [2, 1])
    assert len({digest("ab", [1, 2]), digest("ab", [2, 1]), digest("ab", [1, 3]), digest("ac", [1, 2])}) == 4


def test_images_that_are_not_here_are_not_looked_at(ensure, dataset, images, caplog):
    caplog.set_level(logging.WARNING)
    first = ensure(images=images())
    for record in dataset.records[2:]:
        record.file_path.unlink()
    assert ensure(images=images()).build == first.build
    dataset.image_dir.rename(dataset.image_dir.with_name("elsewhere"))
    again = ensure(images=images())
    mr.warn_of_changed_images(again, images())
    assert again.build == first.build
    assert not caplog.text


def test_images_newer_than_the_set_are_counted_and_the_key_is_named(ensure, dataset, images, caplog):
    """Of 23 images 0, 3, 6, 9, 12, 15, 18 and 22 are looked at, and those that are newer. An odd file is its copy."""
    caplog.set_level(logging.WARNING)
    turned = Image.Exif()
    turned[EXIF_ORIENTATION] = 3
    odd = dataset.records[0].file_path
    Image.new("RGBA", (WIDTH, HEIGHT), (1, 2, 3, 4)).save(odd, exif=turned)
    info = ensure(images=images())
    age(dataset, info)
    mr.warn_of_changed_images(info, images())
    assert not caplog.text
    rewrite(dataset.records[10].file_path)
    os.utime(dataset.records[11].file_path, ns=(0, time.time_ns() + 10**9))
    info = ensure(images=images())
    mr.warn_of_changed_images(info, images())
    (said,) = caplog.messages
    assert said == (
        "2 of 23 images are newer than their MindRecord files; 1 of 10 images looked at is not what MindRecord files "
        f"'{str(info.files[0]).removesuffix('0')}*' hold, first '{dataset.records[10].file_path}': "
        "--remake_mindrecord=True makes them anew"
    )
    assert len(ensure.loads) == 1


def test_other_images_with_old_times_are_found_among_those_looked_at(ensure, dataset, images, caplog):
    caplog.set_level(logging.WARNING)
    info = ensure(images=images())
    rewrite(dataset.records[6].file_path)
    rewrite(dataset.records[7].file_path)
    age(dataset, info)
    mr.warn_of_changed_images(info, images())
    (said,) = caplog.messages
    assert said.startswith("1 of 8 images looked at is not what MindRecord files ")
    assert f"hold, first '{dataset.records[6].file_path}'" in said


def test_a_set_of_an_earlier_version_is_read_as_it_is_with_one_line(ensure, dataset, images, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    with monkeypatch.context() as patch:
        write_as_before(patch)
        before = ensure(images=images())
    assert before.sources is None
    assert "images" not in before.made_from
    assert not {"source", "file_bytes"} & set(before.columns)
    write_image(dataset.records[6].file_path, grey(200))
    again = ensure(images=images())
    assert again.build == before.build
    assert len(ensure.loads) == 1
    caplog.clear()
    mr.warn_of_changed_images(again, images())
    lines = [message for message in caplog.messages if "did not store the sizes of the images" in message]
    assert len(lines) == 1
    assert "1 of 8 images looked at is not what MindRecord files" in caplog.text  # as before
    made = time.time()
    assert ensure(images=images(), remake_before=made).sources is not None
    assert len(ensure.loads) == 2


def test_a_set_is_made_anew_once_where_that_is_asked_for(ensure, images, caplog):
    caplog.set_level(logging.INFO)
    first = ensure(images=images())
    began = time.time()
    again = ensure(images=images(), remake_before=began)  # beside the first, which is in use
    assert again.build != first.build
    assert again.fingerprint == first.fingerprint
    assert "remake_mindrecord is set" in caplog.text
    assert ensure(images=images(), remake_before=began).build == again.build  # another process of the same job
    assert ensure(images=images()).build == again.build  # the newer of two that fit
    assert len(ensure.loads) == 2


def test_what_cannot_be_made_anew_is_said(ensure, dataset, tmp_path):
    ensure()
    with pytest.raises(MissingPathError, match="remake_mindrecord is set, but annotation file 'no' does not exist"):
        ensure(annotation_file="no", remake_before=time.time())
    root = write_coco(tmp_path / "coco")
    folder = open_split(paths_of(root), None).records.files[0].parent
    with pytest.raises(BadValueError, match="remake_mindrecord is set, but not what MindRecord files are made of"):
        open_split(paths_of(None, folder=folder), None, remake_before=time.time())


def test_images_that_change_while_the_set_is_made_are_refused(ensure, dataset, folder, monkeypatch):
    path = dataset.records[5].file_path
    make_row = mindrecord_writer._make_row

    def change_first(record, *given):
        path.write_bytes(path.read_bytes() + b"more")
        return make_row(record, *given)

    with monkeypatch.context() as patch:
        patch.setattr(mindrecord_writer, "_make_row", change_first)
        with pytest.raises(BadStateError, match="5.png' changes while MindRecord files are made of it: start again"):
            ensure()
    sources = mr.sources_of(dataset)
    other = dataclasses.replace(sources, sizes=sources.sizes + (np.arange(23) == 7))
    monkeypatch.setattr(mr, "sources_of", lambda _: other)
    with pytest.raises(BadStateError, match="1 image changes while MindRecord files are made of it, first '.*7.png'"):
        ensure()
    assert not folder.exists() or names_in(folder) == []


def test_images_that_lie_elsewhere_count_too(ensure, dataset, tmp_path, images):
    """Their annotations name them by whole paths."""
    path = tmp_path / "elsewhere.png"
    dataset.records[4].file_path.rename(path)
    object.__setattr__(dataset.records[4], "file_path", path)
    first = ensure(images=images())
    assert first.sources.names[4] == str(path)
    write_image(path, np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    assert ensure(images=images()).build != first.build
