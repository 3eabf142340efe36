"""Pairs, their checks, and what training and evaluation read from a tiny Cityscapes."""

import logging
import shlex
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from segformer.src import dataset
from segformer.src.base_dataset import AugmentSettings
from segformer.src.config import SUITE_DIR
from segformer.src.dataset import (
    CityscapesSource,
    evaluation_images,
    find_pairs,
    keep_scale,
    open_pairs,
    read_pair,
)
from segformer.src.image_cache import ImageCache
from segformer.src.labels.classes import CITYSCAPES_CLASS_NAMES, class_names, id_table, palette, train_id_table
from segformer.src.labels.files import check_labels
from segformer.tests.tiny_city import draw_pair, image_path, label_path, write_city, write_png
from utils.data_sets.reading_ahead import map_ahead
from utils.images import read_image
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.workers import Workers
from utils.randomness import epoch_order, generator
from utils.sharding import ShardedEpochs

AUGMENT = AugmentSettings(
    (48, 96), (32, 48), (0.5, 2.0), 0.75, 0.5, True, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
)
RATES = np.array([0.0, 0.0, 0.25, 0.5])


@pytest.fixture()
def city(tmp_path):
    return write_city(tmp_path / "a city")


def _source(city, num_loaders=1, batch_size=2, seed=1, pairs=None, cached_bytes=0, **sharding):
    pairs = find_pairs(city, "train") if pairs is None else pairs
    epochs = ShardedEpochs(len(pairs), batch_size, seed, **sharding)
    images = ImageCache(pairs, lambda pair: read_pair(pair, 19, 255), cached_bytes)
    return CityscapesSource(epochs, images, AUGMENT, RATES, 8, 0.1, num_loaders)


def _equal(first, second):
    pairs = [pair for batches in zip(first, second, strict=True) for pair in zip(*batches, strict=True)]
    return all(np.array_equal(one, other) for one, other in pairs)


# classes


def test_tables_are_those_of_cityscapes():
    assert len(CITYSCAPES_CLASS_NAMES) == 19
    assert [CITYSCAPES_CLASS_NAMES[index] for index in (0, 13, 18)] == ["road", "car", "bicycle"]
    assert (id_table()[0], id_table()[13], id_table()[18], id_table()[255]) == (7, 26, 33, 0)
    assert train_id_table()[[7, 26, 33, 0, 29, 255]].tolist() == [0, 13, 18, 255, 255, 255]
    np.testing.assert_array_equal(train_id_table()[id_table()[:19]], np.arange(19))
    assert palette()[[0, 13, 18, 255]].tolist() == [[128, 64, 128], [0, 0, 142], [119, 11, 32], [0, 0, 0]]


def test_other_numbers_of_classes_have_names_and_colours():
    assert class_names(19)[13] == "car"
    assert class_names(2) == ("class_0", "class_1")
    assert class_names(2, ("sky", "ground")) == ("sky", "ground")
    colours = palette(21)
    assert len(np.unique(colours[:21], axis=0)) == 21
    assert (colours[21:] == 0).all()
    assert len(np.unique(palette(255)[:255], axis=0)) > 240


# pairs


def test_pairs_are_sorted_and_images_may_be_jpegs_in_any_case(city):
    first = image_path(city, "train", 0)
    jpeg = first.with_suffix(".JPEG")
    cv2.imwrite(str(jpeg.with_suffix(".jpg")), cv2.imread(str(first)))
    jpeg.with_suffix(".jpg").rename(jpeg)
    first.unlink()
    (jpeg.parent / f"._{jpeg.name}").write_bytes(b"a desktop's own file")
    pairs = find_pairs(city, "train")
    assert [pair.image for pair in pairs] == sorted(pair.image for pair in pairs)
    assert [pair.image.parent.name for pair in pairs] == ["aachen"] * 3 + ["bochum"] * 2
    assert pairs[0].image == jpeg
    assert pairs[0].label == label_path(city, "train", 0)


def test_a_root_whose_name_holds_leftimg8bit_works(tmp_path):
    root = write_city(tmp_path / "leftImg8bit" / "my_leftImg8bit data")
    assert find_pairs(root, "val")[0].label == label_path(root, "val", 0)


@pytest.mark.parametrize(
    ("kinds", "advice"),
    [
        ((), "; put a grey PNG file of its class numbers there for each"),
        (
            ("ids", "polygons"),
            "; make the labels with: python {}/tools/convert_dataset.py '{}'",
        ),  # the path has a space
    ],
)
def test_missing_labels_are_counted_and_the_converter_named_where_it_can_make_them(tmp_path, kinds, advice):
    city = write_city(tmp_path / "a city", kinds=("trainIds", *kinds))
    for index in (0, 3):
        label_path(city, "train", index).unlink()
    with pytest.raises(MissingPathError) as caught:
        find_pairs(city, "train")
    assert str(caught.value).startswith("2 of 5 images")
    assert str(label_path(city, "train", 0)) in str(caught.value)
    assert str(caught.value).endswith(advice.format(shlex.quote(str(SUITE_DIR)), city))


def test_images_may_be_of_every_kind_that_the_other_suites_take(city, caplog):
    """... and what is no image by its name is counted."""
    caplog.set_level("INFO")
    first, second = image_path(city, "train", 0), image_path(city, "train", 1)
    for path, suffix in ((first, ".webp"), (second, ".TIF")):
        Image.open(path).save(path.with_suffix(suffix), lossless=True)
        path.unlink()
    (first.parent / "notes.txt").touch()
    pairs = find_pairs(city, "train")
    assert sorted(pair.image.suffix for pair in pairs) == [".TIF", ".png", ".png", ".png", ".webp"]
    image, label = read_pair(pairs[0], 19, 255)
    assert image.shape[:2] == label.shape
    folder = city / "leftImg8bit" / "train"
    wanted = f"passed over in {folder}, no pictures by their names: 1, namely aachen/notes.txt"
    assert wanted in caplog.messages


def test_a_label_in_another_case_is_named(city):
    label = label_path(city, "train", 0)
    label.rename(label.with_suffix(".PNG"))
    with pytest.raises(MissingPathError, match=r"labelTrainIds\.png', but '.*labelTrainIds\.PNG' is there; put a"):
        find_pairs(city, "train")


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda root: shutil.rmtree(root), "is not a folder; set --data_path"),
        (lambda root: shutil.rmtree(root / "leftImg8bit"), "holds no folder leftImg8bit"),
        (lambda root: shutil.rmtree(root / "leftImg8bit" / "train"), "splits that are there: val"),
        (lambda root: [path.unlink() for path in root.glob("leftImg8bit/train/*/*")], "holds no image"),
        (
            lambda root: shutil.copy(image_path(root, "train", 0), image_path(root, "train", 0).with_suffix(".jpg")),
            "share the label",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_a_sentence(city, break_it, words):
    break_it(city)
    with pytest.raises((MissingPathError, BadValueError), match=words):
        find_pairs(city, "train")


# checks of labels


def _truncate(path, _label):
    path.write_bytes(path.read_bytes()[:-40])


WRONG_LABELS = {
    "size": (lambda path, label: write_png(path, label[:-1]), "has 47x96 pixels .* 48x96; they must be equal"),
    "labelIds": (lambda path, label: write_png(path, id_table()[label + 8]), "like the ids of a labelIds file"),
    "too many classes": (lambda path, label: write_png(path, label + 60), "set class_num to the number of classes"),
    "RGB": (lambda path, label: write_png(path, palette()[label]), "is a RGB PNG file with 8 bits, wanted a grey one"),
    "16 bit": (lambda path, label: write_png(path, label.astype(np.uint16)), "is a grey PNG file with 16 bits"),
    "truncated": (_truncate, "truncated or damaged .* make it again from your annotation"),
    "empty": (lambda path, label: path.write_bytes(b""), "is empty"),
    "text": (lambda path, label: path.write_text("a label"), "is no PNG file; get the file anew"),
    "TIFF": (lambda path, label: Image.fromarray(label).save(path, "TIFF"), "is no PNG file; say with label_map or"),
}


@pytest.mark.parametrize("kind", WRONG_LABELS)
def test_a_wrong_label_is_named_at_the_start(city, kind):
    write, words = WRONG_LABELS[kind]
    path = label_path(city, "train", 3)
    write(path, draw_pair(48, 96, 3)[1])
    with pytest.raises(BadValueError, match=words) as caught:
        open_pairs(city, "train", 19, 255)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", WRONG_LABELS)
def test_a_wrong_label_is_named_in_training_too(city, kind):
    source = _source(city)
    write, words = WRONG_LABELS[kind]
    for index in range(5):
        write(label_path(city, "train", index), draw_pair(48, 96, 3)[1])
    with pytest.raises(BadValueError, match=words):
        next(source.batches(1))


def test_a_class_beyond_class_num_is_named(city):
    with pytest.raises(BadValueError, match=r"holds 3 \([0-9,]+ pixels\), wanted 0 to 2 and 255: set class_num"):
        open_pairs(city, "train", 3, 255)


def test_values_are_looked_at_in_an_even_sample_and_labels_without_classes_are_said(city, caplog):
    pairs = find_pairs(city, "train")
    write_png(pairs[2].label, np.full((48, 96), 255, np.uint8))
    write_png(pairs[1].label, np.full((48, 96), 77, np.uint8))  # not in the sample: 0, 2 and 4 of 5
    with caplog.at_level(logging.INFO):
        check_labels(pairs, 19, 255, sample=3)
    assert "5 pairs of image and label; sizes of all and values of 3 labels checked" in caplog.text
    assert f"1 of 3 labels looked at has no pixel with a class, first '{pairs[2].label}'" in caplog.text
    with pytest.raises(BadValueError, match="holds 77"):
        check_labels(pairs, 19, 255)


@pytest.mark.parametrize(("content", "words"), [(b"", "is empty"), (b"not an image at all", "not an image")])
def test_an_image_that_is_none_is_named_at_the_start(city, content, words):
    path = image_path(city, "train", 2)
    path.write_bytes(content)
    with pytest.raises(BadValueError, match=words) as caught:
        open_pairs(city, "train", 19, 255)
    assert str(path) in str(caught.value)


# images


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_truncated_image_is_named_in_training(city, suffix):
    for index in range(5):
        path = image_path(city, "train", index)
        cv2.imwrite(str(path.with_suffix(suffix)), cv2.imread(str(path)))
        if suffix != ".png":
            path.unlink()
        content = path.with_suffix(suffix).read_bytes()
        path.with_suffix(suffix).write_bytes(content[:-60])
    source = _source(city, num_loaders=2)
    with pytest.raises(BadValueError, match=rf"leftImg8bit\{suffix}' is truncated or damaged"):
        next(source.batches(1))


def test_an_image_that_went_away_is_named_in_training(city):
    source = _source(city)
    shutil.rmtree(city / "leftImg8bit")
    with pytest.raises(MissingPathError, match="does not exist"):
        next(source.batches(1))


def test_grey_alpha_and_16_bit_images_become_rgb(tmp_path):
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    write_png(tmp_path / "grey.png", grey)
    Image.fromarray(np.dstack([grey, grey, grey, 255 - grey])).save(tmp_path / "alpha.png")
    write_png(tmp_path / "deep.png", grey.astype(np.uint16) * 257)
    for name in ("grey.png", "alpha.png", "deep.png"):
        np.testing.assert_array_equal(read_image(tmp_path / name), np.dstack([grey] * 3))


def test_a_rotated_photograph_fits_its_label_either_way(city):
    """EXIF 6: stored 48x96, shown 96x48. A label of either size is taken, and the image turned where it has to be."""
    path = image_path(city, "train", 0).with_suffix(".jpg")
    picture = Image.open(image_path(city, "train", 0))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(path, exif=exif)
    image_path(city, "train", 0).unlink()
    for shape in ((48, 96), (96, 48)):
        write_png(label_path(city, "train", 0), np.zeros(shape, np.uint8))
        pair = open_pairs(city, "train", 19, 255)[0]
        image, label = read_pair(pair, 19, 255)
        assert image.shape[:2] == label.shape == shape


# the training source


def test_batches_have_static_shapes(city):
    batches = list(_source(city).batches(1))
    assert len(batches) == 2 == _source(city).steps_per_epoch
    for images, labels, path_scale, channel_scale in batches:
        assert (images.shape, images.dtype) == ((2, 3, 32, 48), np.float32)
        assert (labels.shape, labels.dtype) == ((2, 32, 48), np.int32)
        assert (path_scale.shape, path_scale.dtype) == ((2, 4), np.float32)
        assert (channel_scale.shape, channel_scale.dtype) == ((2, 8), np.float32)
        assert set(np.unique(labels)) <= {0, 1, 2, 3, 255}


def test_the_documented_number_of_steps(city):
    """2975 images in batches of 2 are 1487 steps: the last image of the epoch's order is left out."""
    pairs = find_pairs(city, "train") * 595
    assert len(pairs) == 2975
    assert _source(city, pairs=pairs).steps_per_epoch == 1487


def test_batches_depend_on_seed_and_epoch_only(city):
    first = list(_source(city).batches(1))
    assert _equal(first, list(_source(city, num_loaders=3).batches(1)))
    assert not _equal(first, list(_source(city).batches(2)))
    assert not _equal(first, list(_source(city, seed=2).batches(1)))


@pytest.mark.parametrize(("kept", "spare_bytes"), [(0, 0), (2, 1000), (5, 0)])
def test_cached_images_are_read_once_and_change_no_batch(city, monkeypatch, kept, spare_bytes):
    plain = [list(_source(city, batch_size=1).batches(epoch)) for epoch in (1, 2, 3)]
    reads = []
    monkeypatch.setattr(dataset, "read_image", lambda *args: reads.append(args[0]) or read_image(*args))
    room = kept * 48 * 96 * 4 + spare_bytes  # a pixel of an image and its label has 4 bytes
    source = _source(city, batch_size=1, num_loaders=3, cached_bytes=room)
    counts = []
    for epoch, batches in enumerate(plain, start=1):
        assert _equal(batches, list(source.batches(epoch)))
        counts.append(len(reads))
        reads.clear()
    assert counts == [5, 5 - kept, 5 - kept]
    assert not any(array.flags.writeable for array in source.images[0])


def test_an_image_is_prepared_alike_in_every_batch_size(city):
    alone = {index: _source(city).sample(1, index) for index in range(5)}
    order = epoch_order(1, 1, 5)
    batch = next(_source(city, batch_size=5).batches(1))
    for row, index in enumerate(order):
        assert all(np.array_equal(column[row], one) for column, one in zip(batch, alone[int(index)], strict=True))


def test_an_epoch_reads_every_image_at_most_once_and_another_order_next_time(city, monkeypatch):
    seen = []
    noted = lambda _self, epoch, index, _is_filler: (np.array([seen.append((epoch, index))]),)  # noqa: E731
    monkeypatch.setattr(CityscapesSource, "sample", noted)
    for epoch in range(1, 9):
        list(_source(city).batches(epoch))
    orders = [[index for of, index in seen if of == epoch] for epoch in range(1, 9)]
    assert all(len(order) == len(set(order)) == 4 for order in orders)
    assert set().union(*orders) == set(range(5))
    assert len({tuple(order) for order in orders}) > 1


def test_starting_in_mid_epoch_gives_the_rest_and_reads_no_more(city, monkeypatch):
    whole = list(_source(city, batch_size=1).batches(3))
    reads = []
    monkeypatch.setattr(dataset, "read_image", lambda *args: reads.append(args[0]) or read_image(*args))
    assert _equal(whole[3:], list(_source(city, batch_size=1).batches(3, 3)))
    assert len(reads) == 2
    assert list(_source(city, batch_size=1).batches(3, 5)) == []


def test_fewer_images_than_a_batch_have_no_step(city):
    source = _source(city, batch_size=6)
    assert source.steps_per_epoch == 0
    assert list(source.batches(1)) == []


@pytest.mark.parametrize("accumulate_steps", [1, 2])
def test_the_batches_of_two_workers_are_the_batches_of_one(city, accumulate_steps):
    """Micro batch by micro batch, worker by worker: 5 images are 2 steps of 4, or 3 of 2."""
    common = {"accumulate_steps": accumulate_steps, "drop_remainder": False}
    whole = list(_source(city, batch_size=2, **common).batches(1))
    shares = [list(_source(city, batch_size=1, workers=Workers(rank, 2), **common).batches(1)) for rank in (0, 1)]
    for columns, *of_workers in zip(whole, *shares, strict=True):
        for column, *parts in zip(columns, *of_workers, strict=True):
            joined = np.stack([np.split(part, accumulate_steps) for part in parts], axis=1)  # [A, W, B, ...]
            np.testing.assert_array_equal(joined.reshape(column.shape), column)


def test_every_image_has_its_labels_exactly_once_in_an_epoch_of_which_nothing_is_left_out(city):
    """5 images for 3 workers with batches of 2 and 2 micro batches: one step of 12, 7 of them fillers."""
    shares = [
        _source(city, batch_size=2, accumulate_steps=2, workers=Workers(rank, 3), drop_remainder=False)
        for rank in range(3)
    ]
    assert [(share.steps_per_epoch, share.images_per_step) for share in shares] == [(1, 12)] * 3
    order = epoch_order(1, 4, 5).tolist()
    labels = np.concatenate([next(share.batches(4))[1].reshape(2, 2, 32, 48) for share in shares], axis=1)
    labels = labels.reshape(12, 32, 48)  # in the order of the epoch
    assert (labels[5:] == 255).all()
    for index, label in zip(order, labels, strict=False):
        np.testing.assert_array_equal(label, shares[0].sample(4, index)[1])
        assert (label != 255).any()


def test_closing_the_iterator_ends_its_threads(city):
    import threading

    batches = _source(city, num_loaders=2).batches(1)
    next(batches)
    assert any(thread.name.startswith("data") for thread in threading.enumerate())
    batches.close()
    assert not any(thread.name.startswith("data") for thread in threading.enumerate())


def test_scales_are_zero_with_the_drop_rate_and_keep_the_mean():
    draws = np.stack([keep_scale(RATES, generator(1, 1, item)) for item in range(4000)])
    assert set(np.unique(draws)) == {np.float32(0), np.float32(1), np.float32(4 / 3), np.float32(2)}
    np.testing.assert_array_equal(draws[:, :2], 1)
    np.testing.assert_allclose((draws == 0).mean(axis=0), RATES, atol=0.03)
    np.testing.assert_allclose(draws.mean(axis=0), 1, atol=0.06)


# reading ahead, evaluation


def test_reading_ahead_keeps_the_order_and_is_bounded():
    taken = []

    def items():
        for item in range(50):
            taken.append(item)
            yield item

    results = []
    for result in map_ahead(lambda item: item * item, items(), num_loaders=2, extra=3):
        results.append(result)
        assert len(taken) <= len(results) + 5
    assert results == [item * item for item in range(50)]


def test_evaluation_reads_every_pair_once_as_it_is_stored(city):
    pairs = open_pairs(city, "val", 19, 255)
    read = list(evaluation_images(pairs, 19, 255, num_loaders=2))
    assert [one.pair for one in read] == list(pairs)
    for one, seed in zip(read, (300, 301), strict=True):
        image, label = draw_pair(48, 96, seed)
        np.testing.assert_array_equal(one.image, image)
        np.testing.assert_array_equal(one.label, label)
