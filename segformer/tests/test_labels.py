"""Labels as people bring them: palettes, masks of 0 and 255, pictures of colours; and advice that can be followed."""

import logging
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segformer.src.build import build_label_coding
from segformer.src.config import load
from segformer.src.dataset import open_pairs, read_pair
from segformer.src.labels.classes import id_table, palette
from segformer.src.labels.files import read_label
from segformer.src.score import find_labels
from segformer.tests.tiny_city import draw_pair, label_path, write_city, write_png
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.guards.pixel_limit import DEFAULT_MEGAPIXELS, set_most_megapixels

SUITE = Path(__file__).resolve().parents[1]


@pytest.fixture()
def city(tmp_path):
    return write_city(tmp_path / "a city")


def write_palette(path, label, colours=256):
    """A palette of 256 colours is stored with 8 bits a pixel, one of 4 with 2."""
    picture = Image.fromarray(label, mode="P")
    picture.putpalette(palette()[:colours].reshape(-1).tolist())
    picture.save(path)


def labels_of(root, split="train", count=5):
    return [label_path(root, split, index) for index in range(count)]


def rewrite(root, change):
    for path in labels_of(root):
        write_png(path, change(read_label(path)))


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(("colours", "bits"), [(256, 8), (4, 2)])
def test_the_indexes_of_a_palette_are_the_class_numbers(city, caplog, colours, bits):
    """As Pascal VOC and LabelMe write them; the colours say nothing."""
    expected = draw_pair(48, 96, 3)[1]
    for path in labels_of(city)[1:3]:
        write_palette(path, expected, colours)
        assert path.read_bytes()[24] == bits
    with caplog.at_level(logging.INFO):
        open_pairs(city, "train", 4, 255)
    np.testing.assert_array_equal(read_label(labels_of(city)[1]), expected)
    assert caplog.text.count("2 labels have a palette: its indexes are taken as the class numbers") == 1


def test_indexes_that_are_no_classes_are_refused(city):
    write_palette(labels_of(city)[2], np.full((48, 96), 7, np.uint8))
    with pytest.raises(BadValueError, match=r"holds 7 \(4,608 pixels\), wanted 0 to 3 and 255"):
        open_pairs(city, "train", 4, 255)


# Classes that no label has


def test_masks_of_0_and_255_are_said_at_the_start(city, caplog):
    """What was class 3 is 255, the rest 0: class 1 is nowhere."""
    rewrite(city, lambda label: np.uint8(255) * (label == 3))
    open_pairs(city, "train", 2, 255, ("ground", "object"))
    share = np.mean([read_label(path) == 255 for path in labels_of(city)])
    assert warnings(caplog) == [
        "none of the 5 labels looked at has a pixel of object (1): they hold 0 and 255, and 255 is "
        f"dataset_ignore_label, whose pixels ({share:.0%}) are neither learnt from nor scored; where 255 stands for a "
        "class, say so with label_map, e.g. --label_map=binary"
    ]


def test_what_is_said_of_255_makes_a_class_of_it(city, caplog):
    rewrite(city, lambda label: np.uint8(255) * (label == 3))
    binary = build_label_coding(load(["--label_map=binary"]))
    pairs = open_pairs(city, "train", 2, 255, coding=binary)
    assert warnings(caplog) == []
    for pair in pairs:
        np.testing.assert_array_equal(read_pair(pair, 2, 255)[1], read_label(pair.label) // 255)


def test_absent_classes_are_named_once_and_nothing_is_said_where_all_are_there(city, caplog):
    open_pairs(city, "train", 4, 255)
    assert warnings(caplog) == []
    open_pairs(city, "train", 6, 255, ("a", "b", "c", "d", "wall", "fence"))
    absent = "none of the 5 labels looked at has a pixel of wall (4), fence (5)"
    assert warnings(caplog) == [absent]
    rewrite(city, lambda label: np.where(label == 0, 9, label).astype(np.uint8))
    open_pairs(city, "train", 6, 9, ("a", "b", "c", "d", "wall", "fence"))  # CamVid's 11 is given in this way
    assert warnings(caplog)[1:] == [absent.replace("of wall", "of a (0), wall")]


def test_of_many_absent_classes_the_first_ten_are_named(city, caplog):
    """ADE20K's 150 with 4 of them in the labels."""
    open_pairs(city, "train", 150, 255, tuple(f"c{number}" for number in range(150)))
    first = ", ".join(f"c{number} ({number})" for number in range(4, 14))
    assert warnings(caplog) == [f"none of the 5 labels looked at has a pixel of {first} and 136 more"]


# Advice


def follow(command):
    """Runs the command of an advice as a user types it, in any folder."""
    words = shlex.split(command)
    assert words[:2] == ["python", str(SUITE / "tools/convert_dataset.py")]
    done = subprocess.run([sys.executable, *words[1:]], cwd="/", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def refusal(root):
    with pytest.raises(BadValueError) as caught:
        open_pairs(root, "train", 19, 255)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("ids", lambda path: path.write_bytes(path.read_bytes()[:-40])),
        ("polygons", lambda path: path.write_bytes(b"")),
        ("polygons", lambda path: write_png(path, read_label(path) + np.uint8(20))),
    ],
    ids=["truncated", "empty", "ids"],
)
def test_a_label_is_to_be_deleted_where_the_converter_makes_it_again(tmp_path, kind, spoil):
    city = write_city(tmp_path / "a city", kinds=("trainIds", kind))
    path = labels_of(city)[2]
    expected = read_label(path)
    spoil(path)
    command = re.search(r"delete it and make .* with: (.*)$", refusal(city))[1]
    path.unlink()
    follow(command)
    np.testing.assert_array_equal(read_label(path), expected)
    open_pairs(city, "train", 19, 255)


def test_ids_of_a_users_own_are_renamed_and_converted(city):
    """Cityscapes' ids of road to wall under the name of train ids, and the id of train, 31, which is no train id."""
    expected = [read_label(path) for path in labels_of(city)]
    rewrite(city, lambda label: np.where(label == 3, np.uint8(31), id_table()[label]))
    said = refusal(city)
    name, command = re.search(r"rename it to (\S+) and make train ids of it with: (.*)$", said).groups()
    assert name.endswith("_gtFine_labelIds.png")
    assert "delete" not in said
    for path in labels_of(city):
        path.rename(path.with_name(path.name.replace("labelTrainIds", "labelIds")))
    follow(command)
    for path, label in zip(labels_of(city), expected, strict=True):
        np.testing.assert_array_equal(read_label(path), np.where(label == 3, 16, label))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.write_bytes(b""),
        lambda path: write_png(path, palette()[read_label(path)]),
        lambda path: write_png(path, read_label(path).astype(np.uint16)),
        lambda path: path.unlink(),
    ],
    ids=["truncated", "empty", "RGB", "16 bit", "missing"],
)
def test_no_advice_destroys_what_cannot_be_made_again(city, spoil):
    spoil(labels_of(city)[2])
    with pytest.raises((BadValueError, MissingPathError)) as caught:
        open_pairs(city, "train", 19, 255)
    assert "delete" not in str(caught.value)
    assert "convert_dataset" not in str(caught.value)


def test_colours_are_to_become_numbers_and_the_converter_leaves_them_alone(tmp_path):
    city = write_city(tmp_path / "a city", kinds=("trainIds", "polygons"))
    path = labels_of(city)[2]
    write_png(path, palette()[read_label(path)])
    drawn = path.read_bytes()
    said = refusal(city)
    assert "is a RGB PNG file" in said
    assert "say with palette what its colours stand for" in said
    assert "or save the number of each pixel's class, in place of its colour, as a grey file" in said
    command = re.search(r"or move it away and make it again with: (.*)$", said)[1]
    follow(command)
    assert path.read_bytes() == drawn
    path.rename(tmp_path / "drawn.png")
    follow(command)
    open_pairs(city, "train", 19, 255)


@pytest.mark.parametrize(("kinds", "names_it"), [((), False), (("ids",), True)])
def test_postprocess_names_the_converter_only_where_it_can_help(tmp_path, kinds, names_it):
    city = write_city(tmp_path / "a city", kinds=kinds)
    (city / "gtFine" / "val").mkdir(parents=True, exist_ok=True)
    with pytest.raises(MissingPathError) as caught:
        find_labels(city, "val", ["aachen/aachen_000000_000019_leftImg8bit.png"])
    assert ("convert_dataset" in str(caught.value)) is names_it
    assert str(caught.value).endswith("give the folder that holds them")


def test_labels_without_any_class_are_nothing_to_learn_but_may_be_evaluated(city, caplog):
    rewrite(city, lambda label: np.full_like(label, 255))
    with pytest.raises(BadValueError, match="none of the 5 labels looked at has a pixel with a class, first '"):
        open_pairs(city, "train", 4, 255, for_training=True)
    assert len(open_pairs(city, "train", 4, 255)) == 5
    assert "5 of 5 labels looked at have no pixel with a class" in caplog.text


def test_images_and_labels_above_the_limit_are_refused_by_their_headers(city):
    """48 x 96 is 4,608 pixels."""
    try:
        set_most_megapixels(0.004608)
        open_pairs(city, "train", 19, 255)
        set_most_megapixels(0.0046)
        with pytest.raises(BadValueError, match=r"image '.*' has 96 x 48 pixels, at most 0\.0046 million are decoded"):
            open_pairs(city, "train", 19, 255)
        with pytest.raises(BadValueError, match=r"label '.*' has 96 x 48 pixels, at most 0\.0046 million are decoded"):
            read_label(labels_of(city)[0])
    finally:
        set_most_megapixels(DEFAULT_MEGAPIXELS)
