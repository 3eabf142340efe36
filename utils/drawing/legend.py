"""A patch of colour and a name for each class, as lines below a picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from utils.drawing.fonts import Lettering, load_font
from utils.drawing.panels import GAP, GROUND, TEXT_COLOR

TEXT = 16  # pixels; reads well below pictures of a few hundred (taste)
PATCH_RIM = (130, 130, 130)  # around a patch, which may be as dark as the ground


def draw_legend(names: Sequence[Lettering], colours: np.ndarray, width: int, size: int = TEXT) -> np.ndarray:
    """Draws a legend in as many lines as its entries need.

    Args:
        names: of the entries; of some classes those that `letter_names` makes of all, as it may say their numbers.
        colours: uint8[N, 3], RGB, of each.
        width: in pixels; an entry that is longer stands in a line of its own, cut at the end.
        size: of the names in pixels.

    Returns:
        uint8[H, width, 3], RGB.
    """
    line, entries, left, top = size + 10, [], GAP, 0
    for name, colour in zip(names, colours.tolist(), strict=True):
        font = load_font(name.font, size)
        length = line + round(font.getlength(name.text)) + size
        if left + length > width and left > GAP:
            left, top = GAP, top + line
        entries.append((left, top, colour, name.text, font))
        left += length
    picture = Image.new("RGB", (width, top + line + GAP), (GROUND,) * 3)
    pen = ImageDraw.Draw(picture)
    for left, top, colour, text, font in entries:
        pen.rectangle((left, top + 5, left + size, top + 5 + size), fill=tuple(colour), outline=PATCH_RIM)
        pen.text((left + line, top + 5 + size / 2), text, font=font, fill=TEXT_COLOR, anchor="lm")
    return np.array(picture)
