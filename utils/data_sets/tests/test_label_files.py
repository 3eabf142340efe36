"""What label files of every depth hold: files of few bits are written here bit by bit."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from utils.data_sets.label_files import decode_label
from utils.model_utils.errors import BadValueError

LEVELS = np.array([[0, 1, 2, 3], [3, 2, 1, 0]], np.uint8)


def packed(values, bits):
    """Returns the bytes of each row, bits of one pixel after those of the one before it."""
    shifts = np.arange(bits - 1, -1, -1)
    return np.packbits((values[..., None] >> shifts & 1).reshape(len(values), -1), axis=1)


def grey_png(values, bits):
    def part(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"".join(b"\0" + row.tobytes() for row in packed(values, bits))
    head = struct.pack(">IIBBBBB", values.shape[1], len(values), bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")


def grey_tiff(values, bits):
    """Width, height, bits, no compression, black is 0, where the one strip begins, rows and bytes of it."""
    rows = packed(values, bits).tobytes()
    height, width = values.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 278: height, 279: len(rows)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = 8 + len(rows)
    return b"II*\0" + struct.pack("<I", start) + rows + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"


def saved(image, file_format="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


@pytest.mark.parametrize("write", [grey_png, grey_tiff])
@pytest.mark.parametrize(("bits", "step"), [(1, 255), (2, 85), (4, 17), (8, 1)])
def test_a_level_of_few_bits_is_its_number_and_is_shown_as_grey(write, bits, step):
    values = np.minimum(LEVELS, 2**bits - 1)
    label = decode_label(write(values, bits), "a")
    np.testing.assert_array_equal(label.values, values)
    assert (label.values.dtype, label.bits, label.is_coloured, label.size) == (np.uint8, bits, False, (2, 4))
    np.testing.assert_array_equal(label.colours(), np.repeat(values[..., None] * step, 3, axis=2))


def test_indexes_colours_alpha_and_deep_levels():
    indexed = Image.fromarray(LEVELS, "P")
    indexed.putpalette([0, 0, 0, 9, 8, 7, 0, 0, 0])
    label = decode_label(saved(indexed), "a")
    np.testing.assert_array_equal(label.values, LEVELS)
    assert label.colours()[0].tolist()[:2] == [[0, 0, 0], [9, 8, 7]]
    rgba = np.repeat(LEVELS[..., None], 4, axis=2)
    label = decode_label(saved(Image.fromarray(rgba)), "a")
    assert label.is_coloured and label.alpha.tolist() == LEVELS.tolist() == label.simplified().values.tolist()
    rgba[0, 0, 1] = 7
    assert decode_label(saved(Image.fromarray(rgba)), "a").simplified().is_coloured
    deep = LEVELS.astype(np.uint16) * 1000
    for image, file_format in ((Image.fromarray(deep), "PNG"), (Image.fromarray(deep.astype(np.float32)), "TIFF")):
        label = decode_label(saved(image, file_format), "a")
        assert (label.values.tolist(), label.values.dtype, label.bits) == (deep.tolist(), np.uint16, 16)


def test_what_does_not_keep_values_is_refused():
    whole = saved(Image.fromarray(LEVELS))
    deep_colours = bytearray(saved(Image.fromarray(np.zeros((2, 4, 3), np.uint8))))
    deep_colours[24] = 16
    deep_colours[29:33] = struct.pack(">I", zlib.crc32(deep_colours[12:29]))
    at = deep_colours.index(b"IDAT")
    pixels = zlib.compress((b"\0" + b"\0\7" * 12) * 2)  # Pillow would make 0 of 7
    part = b"IDAT" + pixels
    deep_colours = bytes(deep_colours[: at - 4]) + struct.pack(">I", len(pixels)) + part
    deep_colours += struct.pack(">I", zlib.crc32(part)) + whole[-12:]
    for data, sentence in (
        (b"", "label 'a' is empty"),
        (whole[:60], "label 'a' is truncated or damaged"),
        (whole[:45] + bytes([whole[45] ^ 1]) + whole[46:], "label 'a' is truncated or damaged"),
        (saved(Image.fromarray(LEVELS), "JPEG"), "label 'a' is a JPEG file, which does not keep values as they were"),
        (saved(Image.fromarray(LEVELS / np.float32(2)), "TIFF"), "pixels of the kind F, wanted whole numbers of 8 or"),
        (saved(Image.fromarray(LEVELS - np.float32(np.nan)), "TIFF"), "pixels of the kind F, wanted whole numbers"),
        (deep_colours, "pixels of the kind RGB with 16 bits, wanted 8 bits"),
    ):
        with pytest.raises(BadValueError, match=sentence):
            decode_label(data, "a")
