"""Image files to arrays and back, for all suites: what a camera or an annotator hands over becomes uint8 RGB.

Training, evaluation and inference of all suites decode here, so that a damaged picture gives the same sentence
everywhere. What its format can tell is noticed: a PNG has checksums, a JPEG of which a bit has changed mostly decodes
to other colours.

Arrays are uint8[H, W, 3], RGB, row 0 on top. What is converted: greyscale is repeated, alpha is dropped (the colour
stored under a transparent pixel stays), a palette is looked up, CMYK goes through Pillow's formula, 16-bit greyscale
keeps the scale 65535 to 255.
"""

import functools
import io
import logging
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.files import write_file
from utils.model_utils.guards.pixel_limit import check_pixels
from utils.model_utils.near_paths import near_path
from utils.png_chunks import SIGNATURE, check_png

# Pillow could call outside programs for others (EPS); these are decoded inside the process. MPO (two JPEGs) is a JPEG
# here.
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000")
LABEL_FORMATS = ("PNG", "BMP", "TIFF", "GIF")  # keep values as they were drawn; JPEG blurs the borders of classes
LABEL_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif")
# In any case, what every command takes for a picture; utils/cpp_infer/src/paths.cc has the same.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".jp2")
EXIF_ORIENTATION = 0x0112  # number of the tag
_TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 322, 323  # likewise
JPEG_QUALITY = 92  # artefacts around edges are not seen; above, files grow much faster than they look better (by eye)
PNG_LEVEL = 4  # of 9: higher ones take several times as long for a few percent
PNG_BIT_DEPTH_OFFSET = 24  # after signature (8), length and name of IHDR (8), width and height (8)
PNG_GREY, PNG_RGB = 0, 2  # colour types, in the byte after it
EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "La", "RGBa", "HSV")
# What Pillow's readers raise on broken content; each is the file's fault, not the program's.
DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError, OverflowError,
                  RuntimeError, struct.error, zlib.error)  # fmt: skip


FAINT = 2**12  # values of a 12-bit camera, which fill a sixteenth of 16 bits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageHeader:
    """What an image file says about itself before it is decoded.

    Attributes:
        height: rows of the picture as a viewer shows it, i.e. after the EXIF orientation.
        width: columns, likewise.
        file_format: Pillow's name, e.g. "JPEG".
        mode: Pillow's mode, e.g. "RGB", "L", "I;16".
        is_rotated: the EXIF orientation turns or mirrors the stored pixels.
        is_ordinary: an 8-bit RGB or grey JPEG or PNG without rotation, which `decode_ordinary` reads.
    """

    height: int
    width: int
    file_format: str
    mode: str
    is_rotated: bool
    is_ordinary: bool


def read_bytes(path: str | os.PathLike) -> bytes:
    """Returns a file's content.

    Raises:
        MissingPathError: there is no such file, it is a folder, or it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        near = near_path(Path(path))
        raise MissingPathError(
            f"image '{path}' does not exist{near}; check the image folder and the file name"
        ) from error
    except IsADirectoryError as error:
        raise MissingPathError(f"'{path}' is a folder where an image file is wanted") from error
    except OSError as error:
        raise MissingPathError(f"image '{path}' cannot be read ({error.strerror}); check its permissions") from error


def read_image(path: str | os.PathLike, expected_size: tuple[int, int] | None = None) -> np.ndarray:
    """Reads an image file; see `decode_image`.

    Returns:
        uint8[H, W, 3], RGB.

    Raises:
        MissingPathError: there is no such file, or it cannot be read.
        BadValueError: the content is not a readable image.
    """
    return decode_image(read_bytes(path), str(path), expected_size)


def decode_image(data: bytes, name: str, expected_size: tuple[int, int] | None = None) -> np.ndarray:
    """Decodes the content of an image file, whatever its suffix says.

    Args:
        data: the file's bytes.
        name: what error sentences call the file.
        expected_size: annotated (height, width). The EXIF orientation is applied when this is None, as a viewer does,
            and otherwise only where it makes the image that size. The size itself is not enforced.

    Returns:
        uint8[H, W, 3], RGB; it may be read-only.

    Raises:
        BadValueError: empty, truncated, damaged, not an image of a known format, too large, or without a defined 8-bit
            meaning.
    """
    image = _open(data, name)
    try:
        if image.format == "PNG" and check_png(data) and _has_fast_pixels(data):
            fast = _decode_fast(np.frombuffer(data, np.uint8))  # 20 % faster than Pillow, same pixels
            if fast is not None:
                return fast
        image.load()
        _warn_of_more_pictures(image, name)
        if _applies_orientation(image, expected_size):
            image = ImageOps.exif_transpose(image)
    except DECODER_ERRORS as error:
        raise BadValueError(f"image '{name}' is truncated or damaged ({error}); replace the file") from error
    return _to_rgb(image, name)


def rgb_of_pillow(image: Image.Image, name: str) -> np.ndarray:
    """Returns what `decode_image` returns for the file of an image of Pillow: turned as a viewer shows it.

    Args:
        image: of any mode that has a meaning in 8 bits; it may still have to be read from its file.
        name: what error sentences call it.

    Returns:
        uint8[H, W, 3], RGB.

    Raises:
        BadValueError: too large, damaged, or without a defined 8-bit meaning.
    """
    check_pixels(image.height, image.width, f"image '{name}'")
    try:
        image.load()
        turned = ImageOps.exif_transpose(image) if _applies_orientation(image, None) else image
    except DECODER_ERRORS as error:
        raise BadValueError(f"image '{name}' is truncated or damaged ({error}); replace it") from error
    return _to_rgb(turned, name)


def decode_ordinary(data: bytes | np.ndarray, name: str) -> np.ndarray:
    """Decodes bytes that `decode_image` has accepted and `read_header` called ordinary; 2.5 times faster, same pixels.

    Args:
        data: the file's bytes, or uint8[n].
        name: what the error sentence calls the file.

    Returns:
        uint8[H, W, 3], RGB.

    Raises:
        BadValueError: the bytes are damaged.
    """
    buffer = np.frombuffer(data, np.uint8)
    size = _size_of_row(buffer)
    if size is not None:
        check_pixels(*size, f"image '{name}'")
    image = None if size is None or not _fits_checksums(buffer) else _decode_fast(buffer)
    if image is None:
        raise BadValueError(
            f"image '{name}' of the MindRecord files cannot be decoded, {buffer.size} bytes are empty or damaged; copy "
            "the files again, or have others made in another mindrecord_dir"
        )
    return image


def read_header(data: bytes, name: str) -> ImageHeader:
    """Reads size and kind without decoding the pixels.

    Args:
        data: the file's bytes.
        name: what error sentences call the file.

    Raises:
        BadValueError: empty, not an image, or too large.
    """
    image = _open(data, name)
    orientation = _orientation(image)
    height, width = _shown_size(image)
    is_eight_bit = image.format in ("JPEG", "MPO") or (image.format == "PNG" and data[PNG_BIT_DEPTH_OFFSET] == 8)
    return ImageHeader(
        height=height,
        width=width,
        file_format=image.format or "",
        mode=image.mode,
        is_rotated=orientation > 1,
        is_ordinary=is_eight_bit and image.mode in ("RGB", "L") and orientation <= 1,
    )


def read_size(path: str | os.PathLike) -> tuple[int, int] | None:
    """Returns the (height, width) that `read_image` will return, from the header alone; None where it will fail.

    A header can be whole where the pixels are not: then `read_image` fails nevertheless.
    """
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path, formats=FORMATS) as image:
            check_pixels(image.height, image.width, str(path))
            return _shown_size(image)
    except DECODER_ERRORS:  # a size above the limit is a ValueError too
        return None


def encode_jpeg(image: np.ndarray) -> bytes:
    """Returns uint8[H, W, 3] RGB as the bytes of a JPEG file."""
    return _encode(image, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def encode_png(image: np.ndarray) -> bytes:
    """Returns uint8[H, W, 3] RGB as the bytes of a PNG file, without loss."""
    return _encode(image, "PNG", compress_level=PNG_LEVEL)


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes a picture as PNG or JPEG, as the suffix says, under a temporary name and then renamed; folders are made.

    Args:
        path: ends in .png, .jpg or .jpeg.
        image: uint8[H, W, 3], RGB.

    Raises:
        BadValueError: another suffix.
        BadStateError: the folder cannot be written to.
    """
    path = Path(path)
    encoders = {".png": encode_png, ".jpg": encode_jpeg, ".jpeg": encode_jpeg}
    if path.suffix.lower() not in encoders:
        raise BadValueError(
            f"pictures are written as .png, .jpg or .jpeg, got '{path.name}'; choose one of these suffixes"
        )
    write_file(path, encoders[path.suffix.lower()](image), what="picture")


def _encode(image: np.ndarray, file_format: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, file_format, **options)
    return buffer.getvalue()


def _open(data: bytes, name: str) -> Image.Image:
    """Parses the header and checks the size; the pixels are still to be read."""
    if not data:
        raise BadValueError(f"image '{name}' is empty (0 bytes); replace the file")
    Image.MAX_IMAGE_PIXELS = None  # Pillow warns of, and refuses, other sizes than the key does
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise BadValueError(
            f"image '{name}' is not an image of a known format ({', '.join(FORMATS)}), its first bytes are "
            f"{data[:8]!r}; replace the file"
        ) from error
    except DECODER_ERRORS as error:
        raise BadValueError(f"image '{name}' has a damaged header ({error}); replace the file") from error
    check_pixels(image.height, image.width, f"image '{name}'")
    _check_tiles(image, name)
    return image


def _check_tiles(image: Image.Image, name: str) -> None:
    """Refuses a TIFF file whose tiles are above the limit: they are decoded whole, however small the picture is."""
    tags = getattr(image, "tag_v2", {})
    height, width = tags.get(_TIFF_TILE_HEIGHT, 0), tags.get(_TIFF_TILE_WIDTH, 0)
    if isinstance(height, int) and isinstance(width, int):
        check_pixels(height, width, f"a tile of image '{name}'")


def _size_of_row(buffer: np.ndarray) -> tuple[int, int] | None:
    """Returns height and width by the header, None where there is none; the files may have been made elsewhere.

    It takes 20 to 50 microseconds, a hundredth of what decoding takes.
    """
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(buffer.data), formats=("JPEG", "PNG"))
    except DECODER_ERRORS:
        return None
    return image.height, image.width


def _fits_checksums(buffer: np.ndarray) -> bool:
    """Returns whether the bytes of a row, uint8[n], are as they were written, as far as their format tells."""
    if buffer[: len(SIGNATURE)].tobytes() == SIGNATURE:
        try:
            check_png(buffer.data)
        except ValueError:
            return False
    return True


def _has_fast_pixels(data: bytes) -> bool:
    """Returns whether a PNG has 8 bits of grey or of each colour."""
    depth, colour_type = data[PNG_BIT_DEPTH_OFFSET : PNG_BIT_DEPTH_OFFSET + 2]
    return depth == 8 and colour_type in (PNG_GREY, PNG_RGB)


def _decode_fast(buffer: np.ndarray) -> np.ndarray | None:
    """Decodes uint8[n] to uint8[H, W, 3] with OpenCV; None where it cannot."""
    return cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 to 8; 1 where there is none or the EXIF block cannot be parsed."""
    try:
        value = image.getexif().get(EXIF_ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _shown_size(image: Image.Image) -> tuple[int, int]:
    """Returns the (height, width) after the EXIF orientation, four of whose values exchange the sides."""
    return image.size if _orientation(image) >= 5 else image.size[::-1]


def _applies_orientation(image: Image.Image, expected_size: tuple[int, int] | None) -> bool:
    if _orientation(image) == 1 or expected_size is None:
        return _orientation(image) != 1
    return _shown_size(image) == tuple(expected_size)


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    """Converts any decoded picture to uint8[H, W, 3]."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32)
        if 0 < values.max() < FAINT:
            _warn_of_faint_image(name, int(values.max()))
        return np.repeat(((values + 128) // 257).astype(np.uint8)[..., None], 3, axis=-1)  # 65535 / 255 = 257
    if image.mode not in EIGHT_BIT_MODES:
        raise BadValueError(
            f"image '{name}' has pixels of mode '{image.mode}', whose range is not defined; save it with 8 bits per "
            "channel"
        )
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))  # a copy would cost half of decoding


def _warn_of_faint_image(name: str, highest: int) -> None:
    """Says, of the first such image of the process, that it is nearly black once 65535 is 255."""
    said = _faint_images()
    if not said:
        said.append(name)
        logger.warning(
            "image '%s' has 16 bits and no value above %d, so that it is nearly black at 8 bits (0 to %d of 255): "
            "scale the values of such images to the full range; others like it are not named",
            name,
            highest,
            (highest + 128) // 257,
        )


@functools.cache
def _faint_images() -> list[str]:
    return []


def _warn_of_more_pictures(image: Image.Image, name: str) -> None:
    """Says, of the first such file of the process, that a TIFF, GIF, PNG or WebP file has more pictures than the first.

    An MPO file, a photograph of a phone, has others too, but they are the same picture at another size or depth.
    """
    count = getattr(image, "n_frames", 1)
    if image.format != "MPO" and count > 1 and not _files_of_several():
        _files_of_several().append(name)
        logger.warning(
            "image '%s' has %d pictures, of which the first is read; others like it are not named", name, count
        )


@functools.cache
def _files_of_several() -> list[str]:
    return []
