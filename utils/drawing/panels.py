"""Pictures beside each other on one ground, each under a title that says what it shows."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from utils.drawing.fonts import base_font, load_font

GROUND = 24  # dark grey, as on a contact sheet: it does not compete with the pictures
TEXT_COLOR = (235, 235, 235)  # nearly white: pure white glares on the dark ground
GAP = 6  # pixels between panels; enough to tell where one ends (taste)
TEXT_SHARE = 1 / 26  # of a panel's shorter side, as high as a title: 18 pixels of COCO's 480 (taste)
MIN_TEXT, MAX_TEXT = 13, 30  # pixels: below, letters run together; above, a title looks like a part of the picture
SMALLEST_TEXT = 8  # pixels, of a title that is longer than its panel is wide; a still longer one is cut


def side_by_side(panels: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Puts pictures into a row, each under its title.

    Args:
        panels: uint8[H, W, 3] each, RGB, all of the same height.
        titles: one for each panel.

    Returns:
        uint8[H', W', 3], RGB: the panels with `GAP` pixels between them, under a line of titles.
    """
    shorter = min(min(panel.shape[:2]) for panel in panels)
    size = round(float(np.clip(shorter * TEXT_SHARE, MIN_TEXT, MAX_TEXT)))
    columns: list[np.ndarray] = []
    for panel, title in zip(panels, titles, strict=True):
        if columns:
            columns.append(np.full((columns[0].shape[0], GAP, 3), GROUND, np.uint8))
        columns.append(np.vstack([title_line(title, panel.shape[1], size), panel]))
    return np.hstack(columns)


def title_line(text: str, width: int, size: int) -> np.ndarray:
    """Writes a line of text on the dark ground.

    Args:
        text: smaller where it is too long for the line, and cut where it is far too long.
        width: of the line in pixels.
        size: of the text in pixels; the line is as high whatever the text.

    Returns:
        uint8[H, width, 3].
    """
    pad = max(3, size // 3)
    picture = Image.new("RGB", (width, size + 2 * pad), (GROUND,) * 3)
    font = _fitting_font(text, width - 2 * pad, size)
    while text and font.getlength(text) > width - 2 * pad:
        text = text[:-1]
    middle = size / 2 + pad
    ImageDraw.Draw(picture).text((pad, middle), text, font=font, fill=TEXT_COLOR, anchor="lm")
    return np.array(picture)


def _fitting_font(text: str, width: int, size: int) -> ImageFont.FreeTypeFont:
    """Returns the base font in `size`, or as small as a text needs to fit into `width` pixels."""
    font = load_font(base_font(), size)
    needed = font.getlength(text)
    if needed <= width:
        return font
    return load_font(base_font(), max(SMALLEST_TEXT, int(size * max(width, 0) / needed)))
