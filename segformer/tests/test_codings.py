"""What the values and colours of label files come to, pixel by pixel, worked by hand; and what is refused."""

import re

import cv2
import numpy as np
import pytest
from PIL import Image

from segformer.src.build import build_label_coding, colours_of_classes, names_of_classes
from segformer.src.config import load
from segformer.src.dataset import read_pair
from segformer.src.labels.classes import class_colours
from segformer.src.labels.codings import coding_of_numbers
from segformer.src.labels.files import ImagePair, check_labels, read_classes
from segformer.tests.tiny_city import write_png
from utils.model_utils.errors import BadValueError

GREY = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
CAMVID = np.array([[[128, 128, 128], [192, 0, 128], [0, 0, 0]], [[0, 128, 192], [192, 0, 192], [64, 0, 128]]], np.uint8)


def coding(*arguments):
    return build_label_coding(load(list(arguments)))


def classes_of(path, *arguments):
    return read_classes(path, coding(*arguments)).tolist()


@pytest.mark.parametrize(
    ("pixels", "arguments", "expected"),
    [
        (GREY, ["--label_map=ade20k", "--class_num=2"], [[255, 0, 1], [1, 0, 255]]),
        (GREY, ["--label_map={0: ignore, 1: 1, 2: 0}"], [[255, 1, 0], [0, 1, 255]]),
        (GREY, ["--label_map={0: wall, 1: floor, 2: wall}"], [[0, 1, 0], [0, 1, 0]]),
        (GREY, ["--label_map=0:b,1:a,2:ignore", "--class_names=a,b"], [[1, 0, 255], [255, 0, 1]]),
        (GREY * np.uint8(127), ["--label_map={0: 0, 127: 1, 254: 2}"], [[0, 1, 2], [2, 1, 0]]),
        (np.uint8(255) * (GREY > 1), ["--label_map=binary"], [[0, 0, 1], [1, 0, 0]]),
        (GREY.astype(np.uint16) * 1000, ["--label_map=0:ignore,1000:0,2000:1"], [[255, 0, 1], [1, 0, 255]]),
        (np.repeat(GREY[..., None], 3, 2), ["--label_map=ade20k", "--class_num=2"], [[255, 0, 1], [1, 0, 255]]),
        (GREY, ["--class_num=2", "--unknown_labels=ignore"], [[0, 1, 255], [255, 1, 0]]),
        (GREY, ["--label_map=0:0,1:1", "--unknown_labels=ignore"], [[0, 1, 255], [255, 1, 0]]),
        (CAMVID, ["--palette=camvid"], [[0, 1, 255], [10, 10, 8]]),  # archway is building, a motorcycle a bicyclist
        (CAMVID, ["--palette=[128 128 128, 64 0 128]", "--unknown_labels=ignore"], [[0, 255, 255], [255, 255, 1]]),
        (GREY, ["--palette={a: [0, 0, 0], b: '#010101', c: [2, 2, 2]}", "--class_names=c,b,a"], [[2, 1, 0], [0, 1, 2]]),
    ],
)
def test_each_form_of_a_label(tmp_path, pixels, arguments, expected):
    write_png(tmp_path / "a.png", pixels)
    assert classes_of(tmp_path / "a.png", *arguments) == expected


def test_masks_of_one_bit_and_palettes_of_four_colours(tmp_path):
    Image.fromarray(GREY > 1).save(tmp_path / "bit.png")
    assert classes_of(tmp_path / "bit.png", "--label_map=binary") == [[0, 0, 1], [1, 0, 0]]
    picture = Image.fromarray(GREY, "P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 9, 9, 9])
    for name in ("a.png", "a.gif", "a.bmp"):
        picture.save(tmp_path / name)
        by_index = classes_of(tmp_path / name, "--label_map=0:ignore,1:0,2:1")
        by_colour = classes_of(tmp_path / name, "--palette={b: [0, 128, 0], r: [128, 0, 0], void: [0, 0, 0]}")
        assert (by_index, by_colour) == ([[255, 0, 1], [1, 0, 255]], [[255, 1, 0], [0, 1, 255]]), name
    Image.fromarray(GREY * np.uint8(85)).save(tmp_path / "two.png", bits=2)  # 85 is 1 of 3, 170 is 2
    assert (tmp_path / "two.png").read_bytes()[24] == 2
    assert classes_of(tmp_path / "two.png", "--label_map=0:ignore,1:0,2:1") == [[255, 0, 1], [1, 0, 255]]


@pytest.mark.parametrize(
    ("pixels", "arguments", "sentence"),
    [
        (
            GREY,
            ["--label_map=0:0,1:1"],
            "holds the value 2 (2 pixels), which stands for nothing; say with label_map what it stands for, a class or "
            "ignore, or set unknown_labels to ignore",
        ),
        (
            np.arange(12, dtype=np.uint8).reshape(3, 4) // 5 * 3,
            ["--label_map=binary"],
            "holds the values 3 (5 pixels) and 6 (2 pixels), which stand for nothing",
        ),
        (CAMVID, ["--palette=voc"], "holds the colours (0, 128, 192) (1 pixel)"),
        (CAMVID, ["--label_map=binary"], "has colours, wanted one value a pixel: say with palette"),
    ],
)
def test_what_stands_for_nothing_is_refused_with_its_count(tmp_path, pixels, arguments, sentence):
    path = tmp_path / "a.png"
    write_png(path, pixels)
    with pytest.raises(BadValueError, match=re.escape(sentence)) as caught:
        read_classes(path, coding(*arguments))
    assert str(caught.value).startswith(f"label '{path}' ")


def test_a_jpeg_is_no_label(tmp_path):
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), np.uint8(255) * (np.kron(GREY, np.ones((8, 8), np.uint8)) > 1))
    with pytest.raises(BadValueError, match="is a JPEG file, which does not keep values as they were drawn"):
        read_classes(path, coding("--label_map=binary"))


def test_a_coded_label_is_checked_and_read_with_its_image(tmp_path, caplog):
    write_png(tmp_path / "image.png", np.zeros((2, 3, 3), np.uint8))
    write_png(tmp_path / "label.png", CAMVID)
    pair = ImagePair(tmp_path / "image.png", tmp_path / "label.png", coding=coding("--palette=camvid"))
    check_labels([pair], 11, 255, for_training=True)
    assert "class_2 (2)" in caplog.text
    assert "dataset_ignore_label" not in caplog.text  # somebody has said what is no class
    assert read_pair(pair, 11, 255)[1].tolist() == [[0, 1, 255], [10, 10, 8]]
    write_png(tmp_path / "label.png", CAMVID[:1])
    with pytest.raises(BadValueError, match="has 1x3 pixels"):
        check_labels([pair], 11, 255)


@pytest.mark.parametrize("arguments", [["--palette=camvid"], ["--label_map=0:1,1:0,2:ignore"], ["--label_map=binary"]])
def test_an_exported_model_takes_its_coding_along(arguments):
    made = coding(*arguments)
    again = coding_of_numbers({"ignore_label": 255, **made.numbers()}, 255, "")
    assert (again.targets, again.of_colours, again.ignores_unknown) == (made.targets, made.of_colours, False)
    assert coding_of_numbers({"ignore_label": 255}, 255, "") is None
    with pytest.raises(BadValueError, match="out of range: export the model again"):
        coding_of_numbers({"label_values": [70000, 1]}, 255, "")


def test_classes_have_the_colours_of_their_palette_and_others_distinct_ones():
    config = load(["--palette={b: [1, 2, 3], a: [[4, 5, 6], [7, 8, 9]], void: [0, 0, 0]}", "--class_names=a,b"])
    assert names_of_classes(config) == ("a", "b")
    assert colours_of_classes(config)[[0, 1, 2, 255]].tolist() == [[4, 5, 6], [1, 2, 3], [0, 0, 0], [0, 0, 0]]
    colours = class_colours([f"class {number}" for number in range(30)])[:30].astype(int)
    distances = np.linalg.norm(colours[:, None] - colours, axis=-1) + 1000 * np.eye(30)
    assert distances.min() > 25
