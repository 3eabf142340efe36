"""Label files of the kinds that keep values as they were drawn: one number a pixel, or colours.

`data convert` and SegFormer both read them here, so that a file has the same values for both.
"""

import io
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from utils.images import DECODER_ERRORS, LABEL_FORMATS, read_header
from utils.model_utils.errors import BadValueError
from utils.model_utils.guards.pixel_limit import check_pixels
from utils.png_chunks import SIGNATURE, check_png

PNG_HEAD_BYTES = 26  # signature, length and name of IHDR, width, height, bit depth, colour type
COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey and alpha", 6: "RGBA"}
GREY, PALETTE = 0, 3
SAVE_AS_PNG = "save it as a PNG file"
LARGEST_BYTE, LARGEST_VALUE = 255, 65535
_STRETCHED = {2: 85, 4: 17}  # Pillow shows grey of so many bits as 8: 0 to 3 as 0 to 255
_TIFF_BITS = 258  # number of the tag


@dataclass(frozen=True, eq=False)
class LabelPixels:
    """A label as it stands in its file.

    Attributes:
        values: uint8[H, W] or uint16[H, W], levels or palette indexes, or uint8[H, W, 3], RGB.
        palette: uint8[N, 3], RGB, where the values are indexes into it.
        alpha: uint8[H, W], where there is one.
        bits: of a level: 1, 2, 4, 8 or 16; of 4 bits, 15 is white.
    """

    values: np.ndarray
    palette: np.ndarray | None = None
    alpha: np.ndarray | None = None
    bits: int = 8

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def is_coloured(self) -> bool:
        """Whether it has colours in the place of numbers."""
        return self.values.ndim == 3

    def simplified(self) -> "LabelPixels":
        """Returns the same with one level a pixel, where it has colours that are all grey."""
        if not self.is_coloured or (self.values != self.values[..., :1]).any():
            return self
        return replace(self, values=self.values[..., 0])

    def colours(self) -> np.ndarray:
        """Returns the colour of each pixel, uint8[H, W, 3] RGB; of 16 bits there is none.

        An index that the palette does not have is black; what is transparent keeps its colour.
        """
        if self.is_coloured:
            return self.values
        colours = np.repeat((np.arange(256) * LARGEST_BYTE // (2**self.bits - 1))[:, None], 3, axis=1).astype(np.uint8)
        if self.palette is not None:
            colours = np.zeros((256, 3), np.uint8)
            colours[: len(self.palette)] = self.palette
        return colours[self.values]


def is_png(data: bytes) -> bool:
    """Tells whether a file begins as a PNG file does, header included."""
    return data.startswith(SIGNATURE) and data[12:16] == b"IHDR" and len(data) >= PNG_HEAD_BYTES


def label_size(data: bytes, name: str | Path) -> tuple[int, int]:
    """Returns height and width by the first bytes of a file.

    Args:
        data: of the file.
        name: what sentences call it.

    Raises:
        BadValueError: it is no picture, of a kind that changes values, or too large.
    """
    if is_png(data):
        width, height = struct.unpack(">II", data[16:24])
        check_pixels(height, width, f"label '{name}'")
        return height, width
    if not data:
        raise BadValueError(f"label '{name}' is empty (0 bytes); get the file anew")
    header = read_header(data, str(name))
    if header.file_format not in LABEL_FORMATS:
        raise BadValueError(
            f"label '{name}' is a {header.file_format} file, which does not keep values as they were drawn; wanted "
            f"one of {', '.join(LABEL_FORMATS)}: {SAVE_AS_PNG} where it was drawn"
        )
    return header.height, header.width


def may_be_label(data: bytes) -> bool:
    """Tells by its first bytes whether a file is a picture of a kind that keeps values as they are."""
    try:
        return read_header(data, "").file_format in LABEL_FORMATS
    except BadValueError:
        return False


def decode_label(data: bytes, name: str | Path) -> LabelPixels:
    """Decodes the content of a label.

    Args:
        data: of the file.
        name: what sentences call it.

    Raises:
        BadValueError: it is no picture of a kind that keeps values, damaged or too large, has values that are no whole
            numbers of 16 bits, or colours of more than 8 bits.
    """
    label_size(data, name)
    try:
        if is_png(data):
            check_png(data)
        image = Image.open(io.BytesIO(data), formats=LABEL_FORMATS)
        image.load()
    except DECODER_ERRORS as error:
        raise BadValueError(f"label '{name}' is truncated or damaged ({error}); get the file anew") from error
    return _pixels(image, _bits(data, image), name)


def _bits(data: bytes, image: Image.Image) -> int:
    """Returns the bits of a level that the file has; 8 where Pillow does not stretch them."""
    if image.mode == "1":
        return 1
    if is_png(data):
        return data[24] if data[24] in (*_STRETCHED, 16) else 8
    bits = getattr(image, "tag_v2", {}).get(_TIFF_BITS, (8,))
    return bits[0] if isinstance(bits, tuple) and bits and bits[0] in (*_STRETCHED, 16) else 8


def _pixels(image: Image.Image, bits: int, name: str | Path) -> LabelPixels:
    mode = image.mode
    if mode in ("P", "PA"):
        palette = np.array(image.getpalette() or [], np.uint8).reshape(-1, 3)
        pixels = np.asarray(image)
        return LabelPixels(pixels, palette) if mode == "P" else LabelPixels(pixels[..., 0], palette, pixels[..., 1])
    if mode == "1":
        return LabelPixels(np.asarray(image).astype(np.uint8), bits=1)
    if mode == "L":
        pixels = np.asarray(image)
        return LabelPixels(pixels // _STRETCHED[bits], bits=bits) if bits in _STRETCHED else LabelPixels(pixels)
    if mode in ("I", "F") or mode.startswith("I;16"):
        values = np.asarray(image)
        if mode in ("I", "F") and not _are_whole(values):
            raise BadValueError(
                f"label '{name}' has pixels of the kind {mode}, wanted whole numbers of 8 or 16 bits: {SAVE_AS_PNG}"
            )
        return LabelPixels(values.astype(np.uint16), bits=16)
    if bits == 16 or mode not in ("LA", "RGB", "RGBA", "RGBX"):  # of 16 bits Pillow keeps the upper 8 of a colour
        kind = f"{mode} with 16 bits" if bits == 16 else mode
        raise BadValueError(f"label '{name}' has pixels of the kind {kind}, wanted 8 bits: {SAVE_AS_PNG}")
    pixels = np.asarray(image)
    alpha = pixels[..., -1] if mode in ("LA", "RGBA") else None
    return LabelPixels(pixels[..., 0] if mode == "LA" else pixels[..., :3], alpha=alpha)


def _are_whole(values: np.ndarray) -> bool:
    """Whether int32[H, W] or float32[H, W] has whole numbers of 16 bits alone; NaN is none."""
    return bool(((values >= 0) & (values <= LARGEST_VALUE) & (values % 1 == 0)).all())
