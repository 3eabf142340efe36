"""Label pictures as they stand in their files: levels, palette indexes or colours."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from utils.images import DECODER_ERRORS, LABEL_FORMATS
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.guards.pixel_limit import check_pixels

SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif")
LARGEST = 255


@dataclass(frozen=True, eq=False)
class LabelPixels:
    """A label.

    Attributes:
        values: uint8[H, W], levels or palette indexes, or uint8[H, W, 3], RGB.
        palette: uint8[N, 3], RGB, where the values are indexes into it.
        alpha: uint8[H, W], where there is one.
    """

    values: np.ndarray
    palette: np.ndarray | None = None
    alpha: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def is_coloured(self) -> bool:
        """Whether it has colours in the place of numbers."""
        return self.values.ndim == 3


def read_label(path: Path, name: str) -> LabelPixels:
    """Reads a label; see `decode_label`.

    Raises:
        MissingPathError: it cannot be read.
        BadValueError: see `decode_label`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingPathError(f"label '{name}' cannot be read ({error.strerror}); check its permissions") from error
    return decode_label(data, name)


def decode_label(data: bytes, name: str) -> LabelPixels:
    """Decodes the content of a label; colours whose channels are all alike are levels of grey.

    Args:
        data: of the file.
        name: what error sentences call it.

    Raises:
        BadValueError: it is no picture of these formats, is damaged or too large, or has values above 255.
    """
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(data), formats=LABEL_FORMATS)
        check_pixels(image.height, image.width, f"label '{name}'")
        image.load()
        return _pixels(image, name)
    except BadValueError:
        raise
    except DECODER_ERRORS as error:
        raise BadValueError(f"label '{name}' is no whole picture of {', '.join(LABEL_FORMATS)} ({error})") from error


def _pixels(image: Image.Image, name: str) -> LabelPixels:
    if image.mode == "P":
        colours = np.array(image.getpalette() or [], np.uint8).reshape(-1, 3)
        return LabelPixels(np.array(image), palette=colours)
    if image.mode == "1":
        return LabelPixels(np.array(image.convert("L")))
    if image.mode in ("L", "I", "F") or image.mode.startswith("I;16"):
        values = np.array(image)
        if values.min(initial=0) < 0 or values.max(initial=0) > LARGEST or (values % 1).any():
            raise BadValueError(
                f"label '{name}' has values up to {values.max():g}, wanted whole numbers up to {LARGEST}"
            )
        return LabelPixels(values.astype(np.uint8))
    alpha = np.array(image.getchannel("A")) if "A" in image.getbands() else None
    if image.mode == "LA":
        return LabelPixels(np.array(image.getchannel("L")), alpha=alpha)
    colours = np.array(image.convert("RGB"))
    is_grey = (colours == colours[..., :1]).all()
    return LabelPixels(colours[..., 0] if is_grey else colours, alpha=alpha)
