"""How class names are written on pictures: in a font that has their letters, else by the number of the class.

Pillow and matplotlib draw a box for a letter that the font lacks, so a font is looked for before anything is drawn.
"""

import functools
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import ImageFont

from utils.drawing.figures import import_matplotlib
from utils.words import counted

logger = logging.getLogger(__name__)

MOST_LETTERS = 40  # of a name: more would cover the picture, or leave a matrix no room
EMPTY_FONTS = ("lastresort", "adobeblank")  # have a frame or a blank for every letter there is
TRIED_SIZE = 20  # pixels; a bitmap font has no letters of this size and is refused by that


@dataclass(frozen=True)
class Lettering:
    """A name as it is drawn.

    Attributes:
        text: on one line.
        font: file of the font; None for Pillow's own.
    """

    text: str
    font: Path | None


def letter_names(names: Sequence[str]) -> tuple[Lettering, ...]:
    """Returns how the names of classes 0, 1, ... are drawn; says once which of them are drawn by number."""
    return _letter_names(tuple(names))


@functools.cache
def load_font(path: Path | None, size: int) -> ImageFont.FreeTypeFont:
    """Returns a font for Pillow; `size` is in pixels."""
    if path is not None:
        return ImageFont.truetype(str(path), size)
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))  # Pillow's wheels have FreeType


@functools.cache
def base_font() -> Path | None:
    """Returns DejaVu Sans Bold, which matplotlib ships and which has Latin, Greek, Cyrillic and Arabic letters."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or not spec.origin:
        return None
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    return path if path.is_file() else None


@functools.cache
def _letter_names(names: tuple[str, ...]) -> tuple[Lettering, ...]:
    texts = [_one_line(name) or f"class {index}" for index, name in enumerate(names)]
    fonts = _fonts_of(texts)
    absent = [index for index, text in enumerate(texts) if text not in fonts]
    if absent:
        logger.warning(
            "no font of this machine has the letters of %s: pictures say '%s' for '%s'%s; install a font "
            "that has them, e.g. Noto Sans CJK for Chinese",
            counted(len(absent), "class name"),
            f"class {absent[0]}",
            texts[absent[0]],
            " and so on" if len(absent) > 1 else "",
        )
    return tuple(
        Lettering(text, fonts[text]) if text in fonts else Lettering(f"class {index}", base_font())
        for index, text in enumerate(texts)
    )


def _one_line(name: str) -> str:
    """Returns a name without what cannot be printed, cut where it is long."""
    text = " ".join("".join(char if char.isprintable() else " " for char in name).split())
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def _fonts_of(texts: Sequence[str]) -> dict[str, Path | None]:
    """Returns a font that has all letters of a text, for each text that there is one for."""
    base = base_font()
    # Without DejaVu, Pillow's own font is left, which is known to have Latin letters.
    letters = {ord(char) for char in map(chr, range(0x180)) if char.isprintable()} if base is None else _letters(base)
    fonts = {text: base for text in texts if _needed(text) <= letters}
    remaining = {text: _needed(text) for text in texts if text not in fonts}
    if not remaining:
        return fonts
    covered = {path: {text for text, needed in remaining.items() if needed <= _letters(path)} for path in _own_fonts()}
    # The font with most names first, and of equals a bold one, as the base font is.
    for path in sorted(covered, key=lambda path: (-len(covered[path]), "bold" not in path.name.lower(), path)):
        fonts |= {text: path for text in covered[path] - fonts.keys() if _is_drawable(path)}
    return fonts


def _needed(text: str) -> set[int]:
    return {ord(char) for char in text if char != " "}


def _letters(path: Path) -> frozenset[int]:
    """Returns the code points that a font has; none where it cannot be read."""
    try:
        import_matplotlib()
        from matplotlib.ft2font import FT2Font

        return frozenset(FT2Font(str(path)).get_charmap())
    except Exception:  # whatever lies among the fonts of a machine
        return frozenset()


def _own_fonts() -> list[Path]:
    """Returns the fonts that the machine has."""
    try:
        import_matplotlib()
        from matplotlib.font_manager import findSystemFonts

        paths = map(Path, findSystemFonts())
        return [path for path in paths if not path.name.lower().startswith(EMPTY_FONTS)]
    except Exception:  # no matplotlib, or no folder for its cache
        return []


def _is_drawable(path: Path) -> bool:
    try:
        load_font(path, TRIED_SIZE)
    except OSError:
        return False
    return True
