"""PNG files of which a bit has changed are refused, those of which none has give Pillow's pixels."""

import io
import random

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from utils import images
from utils.model_utils.errors import BadValueError
from utils.png_chunks import check_png

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)


def png(pixels=PIXELS, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


def texts(**parts):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a")
    for name, content in parts.items():
        info.add(name.encode(), content)
    return info


ROTATED = Image.Exif()
ROTATED[images.EXIF_ORIENTATION] = 1
FILES = {
    "RGB": (png(), True),
    "grey": (png(PIXELS[..., 0]), True),
    "texts, gamma and resolution": (png(pnginfo=texts(gAMA=b"\0\0\x50\0"), dpi=(72, 72)), True),
    "orientation": (png(exif=ROTATED), False),
    "a transparent colour": (png(transparency=(1, 2, 3)), False),
    "something after its end": (png() + b"\0", False),
    "alpha": (png(np.dstack([PIXELS, PIXELS[..., :1]])), True),
    "16 bits": (png(PIXELS[..., 0].astype(np.uint16) * 257), True),
}


@pytest.mark.parametrize("name", FILES)
def test_whole_files_give_the_pixels_that_pillow_reads(name):
    data, is_plain = FILES[name]
    assert check_png(data) == is_plain
    expected = PIXELS if name not in ("grey", "16 bits") else np.repeat(PIXELS[..., :1], 3, -1)
    np.testing.assert_array_equal(images.decode_image(data, "x"), expected)


@pytest.mark.parametrize("name", ["RGB", "grey", "texts, gamma and resolution", "alpha"])
def test_a_picture_with_any_bit_changed_is_refused_or_has_the_same_pixels(name):
    """Every bit of the file in turn, in a file and in a row; without the checksums some give other colours."""
    data = FILES[name][0]
    expected = images.decode_image(data, "x")
    refused = 0
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        for decode in (images.decode_image, images.decode_ordinary):
            try:
                np.testing.assert_array_equal(decode(bytes(changed), "x"), expected)
            except BadValueError:
                refused += 1
    assert refused > 2 * 8 * len(data) * 0.8  # what is left lies in parts that say nothing of the pixels


def test_the_sentence_names_the_part():
    data = bytearray(png())
    data[data.index(b"IDAT") + 10] ^= 1
    with pytest.raises(
        BadValueError, match=r"'a\.png' is truncated or damaged \(its part b'IDAT' of \d+ bytes does not"
    ):
        images.decode_image(bytes(data), "a.png")
    with pytest.raises(ValueError, match="b'IEND' of 0 bytes"):
        check_png(png()[:-1])


def test_lengths_of_any_size_take_no_time_and_no_memory():
    draw = random.Random(0)
    data = png()
    for _ in range(2000):
        changed = bytearray(data)
        changed[draw.randrange(8, len(data))] = draw.choice((0, 255, draw.randrange(256)))
        try:
            check_png(bytes(changed))
        except ValueError as error:
            assert "does not fit its checksum" in str(error)
    assert not check_png(data[:8])
