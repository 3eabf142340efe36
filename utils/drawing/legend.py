"""A patch of colour and a name for each class, as lines below a picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from utils.drawing.fonts import letter_names, load_font
from utils.drawing.panels import GAP, GROUND, TEXT_COLOR

TEXT = 16  # pixels; reads well below pictures of a few hundred (taste)


def draw_legend(names: Sequence[str], colours: np.ndarray, width: int) -> np.ndarray:
    """Draws a legend in as many lines as its entries need.

    Args:
        names: of the entries, any script.
        colours: uint8[N, 3], RGB, of each.
        width: in pixels; an entry that is longer stands in a line of its own, cut at the end.

    Returns:
        uint8[H, width, 3], RGB.
    """
    line, entries, left, top = TEXT + 10, [], GAP, 0
    for name, colour in zip(letter_names(names), colours.tolist(), strict=True):
        font = load_font(name.font, TEXT)
        length = line + round(font.getlength(name.text)) + TEXT
        if left + length > width and left > GAP:
            left, top = GAP, top + line
        entries.append((left, top, colour, name.text, font))
        left += length
    picture = Image.new("RGB", (width, top + line + GAP), (GROUND,) * 3)
    pen = ImageDraw.Draw(picture)
    for left, top, colour, text, font in entries:
        pen.rectangle((left, top + 5, left + TEXT, top + 5 + TEXT), fill=tuple(colour), outline=(130, 130, 130))
        pen.text((left + line, top + 5 + TEXT / 2), text, font=font, fill=TEXT_COLOR, anchor="lm")
    return np.array(picture)
