"""Label files of any kind that keeps values as they were drawn: to one number a pixel, or to colours."""

import io
import struct
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
_STRETCHED = {2: 85, 4: 17}  # Pillow shows grey of so many bits as 8: 0 to 3 as 0 to 255
SAVE_AS_PNG = "save it as a PNG file"


def is_png(data: bytes) -> bool:
    """Tells whether a file begins as a PNG file does, header included."""
    return data.startswith(SIGNATURE) and data[12:16] == b"IHDR" and len(data) >= PNG_HEAD_BYTES


def label_size(data: bytes, path: Path) -> tuple[int, int]:
    """Returns height and width by the first bytes of a file.

    Raises:
        BadValueError: it is no picture, of a kind that changes values, or too large.
    """
    if is_png(data):
        width, height = struct.unpack(">II", data[16:24])
        check_pixels(height, width, f"label '{path}'")
        return height, width
    if not data:
        raise BadValueError(f"label '{path}' is empty (0 bytes); get the file anew")
    header = read_header(data, str(path))
    if header.file_format not in LABEL_FORMATS:
        raise BadValueError(
            f"label '{path}' is a {header.file_format} file, which does not keep values as they were drawn; wanted "
            f"one of {', '.join(LABEL_FORMATS)}: {SAVE_AS_PNG} where it was drawn"
        )
    return header.height, header.width


def may_be_label(data: bytes) -> bool:
    """Tells by its first bytes whether a file is a picture of a kind that keeps values as they are."""
    try:
        return read_header(data, "").file_format in LABEL_FORMATS
    except BadValueError:
        return False


def label_values(data: bytes, path: Path) -> np.ndarray:
    """Returns the value of each pixel: levels of grey, or indexes of a palette.

    Returns:
        uint8[H, W] or uint16[H, W].

    Raises:
        BadValueError: the file is damaged, of another kind, or has colours.
    """
    image = _open(data, path)
    if image.mode in ("RGB", "RGBA", "RGBX"):
        channels = np.asarray(image)[..., :3]
        if (channels != channels[..., :1]).any():
            raise BadValueError(
                f"label '{path}' has colours, wanted one value a pixel: say with palette what its colours stand for"
            )
        return channels[..., 0]
    if image.mode == "LA":
        return np.asarray(image)[..., 0]
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode not in ("L", "P") and not image.mode.startswith("I;16"):
        raise BadValueError(
            f"label '{path}' has pixels of the kind {image.mode}, wanted whole numbers of 8 or 16 bits: {SAVE_AS_PNG}"
        )
    pixels = np.asarray(image)
    is_stretched = is_png(data) and data[25] == GREY and data[24] in _STRETCHED
    return pixels // _STRETCHED[data[24]] if is_stretched else pixels


def label_colours(data: bytes, path: Path) -> np.ndarray:
    """Returns the colour of each pixel, uint8[H, W, 3] RGB; what is transparent keeps its colour.

    Raises:
        BadValueError: the file is damaged, or has more than 8 bits a channel.
    """
    image = _open(data, path)
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX") or (is_png(data) and data[24] == 16):
        raise BadValueError(f"label '{path}' has pixels of the kind {image.mode}, wanted 8 bits: {SAVE_AS_PNG}")
    return np.asarray(image.convert("RGB"))


def _open(data: bytes, path: Path) -> Image.Image:
    label_size(data, path)
    try:
        if is_png(data):
            check_png(data)
        image = Image.open(io.BytesIO(data), formats=LABEL_FORMATS)
        image.load()
    except DECODER_ERRORS as error:
        raise BadValueError(f"label '{path}' is truncated or damaged ({error}); get the file anew") from error
    return image
