"""What a network is fed, as a picture that people can look at: the normalisation undone, the padding striped."""

from collections.abc import Sequence

import numpy as np

from utils.drawing.contact_sheet import contact_sheet
from utils.drawing.panels import GAP, title_line

SHEET_WIDTH = 1920  # pixels, of a screen
STRIPE = 6  # pixels, the width of a stripe of padding
STRIPE_COLORS = (58, 74)  # two dark greys, near to each other: nobody takes them for a part of the picture
CAPTION_TEXT, HEADING_TEXT = 13, 18  # pixels (taste)


def undo_normalisation(planes: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """Returns the picture that `utils.pixels.normalize` was given, to the last level.

    Args:
        planes: float32[3, H, W].
        mean: that was subtracted from the channels, RGB, 0-255.
        std: that has divided the channels, RGB, 0-255.

    Returns:
        uint8[H, W, 3], RGB.
    """
    levels = planes.transpose(1, 2, 0) * np.asarray(std, np.float32) + np.asarray(mean, np.float32)
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def content_size(planes: np.ndarray) -> tuple[int, int]:
    """Returns (height, width) of what is not padding in float32[3, H, W]: zeros below and on the right are."""
    is_something = (planes != 0).any(axis=0)
    rows, columns = np.flatnonzero(is_something.any(axis=1)), np.flatnonzero(is_something.any(axis=0))
    return (int(rows[-1]) + 1, int(columns[-1]) + 1) if len(rows) else (0, 0)


def stripe_padding(image: np.ndarray, content: tuple[int, int]) -> np.ndarray:
    """Returns uint8[H, W, 3] with stripes below and on the right of its (height, width) `content`."""
    height, width = image.shape[:2]
    striped = image.copy()
    for top, left, bottom, right in ((content[0], 0, height, width), (0, content[1], content[0], width)):
        rows, columns = np.ogrid[top:bottom, left:right]
        stripes = np.where((rows + columns) // STRIPE % 2, *STRIPE_COLORS).astype(np.uint8)
        striped[top:bottom, left:right] = stripes[..., None]
    return striped


def columns_for(count: int) -> int:
    """Returns how many columns so many pictures stand in: as many as a screen shows well."""
    return next((columns for columns, most in ((1, 1), (2, 4), (3, 9)) if count <= most), 4)


def cell_width(columns: int) -> int:
    """Returns how wide a picture may be, in pixels, in so many columns of a sheet."""
    return (SHEET_WIDTH - GAP * (columns + 1)) // columns


def captioned_sheet(pictures: Sequence[np.ndarray], captions: Sequence[str], heading: str, columns: int) -> np.ndarray:
    """Puts pictures on a sheet, each under its caption, all under a heading.

    Args:
        pictures: uint8[H, W, 3] each, RGB, all of one size.
        captions: of each.
        heading: of the sheet.
        columns: of the sheet.

    Returns:
        uint8[H', W', 3], RGB; the pictures are not scaled.
    """
    width = pictures[0].shape[1]
    cells = [
        np.vstack([title_line(caption, width, CAPTION_TEXT), picture])
        for picture, caption in zip(pictures, captions, strict=True)
    ]
    sheet = contact_sheet(cells, columns, cell_width=width, gap=GAP)
    return np.vstack([title_line(heading, sheet.shape[1], HEADING_TEXT), sheet])
