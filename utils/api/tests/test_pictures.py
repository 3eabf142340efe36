"""What may stand for a picture, and what a sentence says of what may not."""

import io

import numpy as np
import pytest
from PIL import Image

from utils.api.pictures import is_one_picture, read_picture
from utils.images import read_image
from utils.model_utils.errors import BadValueError, MissingPathError

VALUES = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def test_a_file_an_array_and_pillow_give_the_same_pixels(tmp_path):
    Image.fromarray(VALUES).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(picture.image, VALUES)
    assert picture.path == tmp_path / "a.png"
    assert np.array_equal(read_picture(str(tmp_path / "a.png")).image, VALUES)
    assert np.array_equal(read_picture(VALUES).image, VALUES)
    assert read_picture(VALUES).path is None
    assert np.array_equal(read_picture(Image.open(tmp_path / "a.png")).image, VALUES)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "I;16"])
def test_pillow_is_converted_like_a_file(mode, tmp_path):
    image = Image.fromarray(VALUES).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(VALUES[..., 0].astype(np.uint16) * 257)
    image.save(tmp_path / "a.tif")
    assert np.array_equal(read_picture(Image.open(tmp_path / "a.tif")).image, read_image(tmp_path / "a.tif"))


def test_pillow_is_turned_like_a_file(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(VALUES).save(tmp_path / "a.png", exif=turned)
    image = read_picture(Image.open(tmp_path / "a.png")).image
    assert image.shape == (7, 5, 3)
    assert np.array_equal(image, np.rot90(VALUES, -1))
    assert np.array_equal(image, read_image(tmp_path / "a.png"))


def test_an_array_is_copied_also_one_with_negative_steps():
    mine = VALUES.copy()
    picture = read_picture(mine[:, ::-1])
    mine[:] = 0
    assert np.array_equal(picture.image, VALUES[:, ::-1])
    assert picture.image.flags.c_contiguous


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (VALUES[..., 0], r"uint8\[5, 7\], wanted RGB as uint8\[height, width, 3\]: repeat a grey picture"),
        (VALUES[..., :1], r"uint8\[5, 7, 1\].*repeat a grey picture"),
        (np.zeros((5, 7, 4), np.uint8), r"uint8\[5, 7, 4\].*image\[..., :3\]"),
        (VALUES.transpose(2, 0, 1), r"uint8\[3, 5, 7\].*transpose\(1, 2, 0\)"),
        (VALUES[None], r"uint8\[1, 5, 7, 3\].*list\(images\)"),
        (VALUES / 255, r"float64\[5, 7, 3\].*0 to 255"),
        (VALUES[:0], r"uint8\[0, 7, 3\].*another array"),
        (np.array(["a.jpg"]), r"<U5\[1\].*another array"),
        (7, "7 is of type int, wanted a picture"),
        (None, "None is of type NoneType, wanted a picture"),
        (b"GIF", "is of type bytes, wanted a picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(wrong, sentence):
    with pytest.raises(BadValueError, match=sentence):
        read_picture(wrong)


def test_a_missing_and_a_broken_file_are_named(tmp_path):
    with pytest.raises(MissingPathError, match=r"nowhere\.jpg' does not exist"):
        read_picture(tmp_path / "nowhere.jpg")
    with pytest.raises(MissingPathError, match="is a folder where an image file is wanted"):
        read_picture(tmp_path)
    buffer = io.BytesIO()
    Image.fromarray(np.repeat(VALUES, 50, axis=0)).save(buffer, "PNG")
    with pytest.raises(BadValueError, match="image 'of Pillow' is truncated or damaged"):
        read_picture(Image.open(io.BytesIO(buffer.getvalue()[: len(buffer.getvalue()) // 2])))


def test_one_picture_is_told_from_several():
    assert all(map(is_one_picture, ["a.jpg", VALUES, Image.fromarray(VALUES)]))
    assert not any(map(is_one_picture, [[VALUES], ("a.jpg",), iter([]), None]))
