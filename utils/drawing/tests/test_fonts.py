"""Class names on pictures: in a font that has their letters, else by number, said once."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from utils.drawing import fonts
from utils.drawing.fonts import base_font, letter_names, load_font

SHIPPED = Path(importlib.util.find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"
STIX = SHIPPED / "STIXGeneral.ttf"
RARE = "\u1d81\u1d84"  # letters that STIX General has and DejaVu Sans Bold has not


@pytest.fixture()
def machine(monkeypatch):
    """Sets the fonts that the machine has."""

    def has(*paths):
        fonts._letter_names.cache_clear()
        monkeypatch.setattr(fonts, "_own_fonts", lambda: list(paths))

    yield has
    fonts._letter_names.cache_clear()


def test_names_that_the_base_font_has_need_no_other(machine, caplog):
    machine()
    names = ("cat", "Тромбоцит", "خلية", "$_$", r"\frac{a}{b}")
    assert letter_names(names) == tuple(fonts.Lettering(name, base_font()) for name in names)
    assert not caplog.messages


def test_other_letters_are_drawn_with_a_font_of_the_machine(machine, caplog):
    """Beside one that is no font, and one that has fewer of the names."""
    machine(Path(__file__), SHIPPED / "cmr10.ttf", STIX)
    assert [each.font for each in letter_names(["cat", RARE])] == [base_font(), STIX]
    assert not caplog.messages


@pytest.mark.parametrize("name", ["赤血球", "หมา", "🦓"])
def test_without_such_a_font_a_class_has_its_number_and_the_log_says_it_once(name, machine, caplog):
    machine(STIX)
    for _ in range(3):
        assert [each.text for each in letter_names(["cat", name, f"{name} 2"])] == ["cat", "class 1", "class 2"]
    (line,) = caplog.messages
    assert f"letters of 2 class names: pictures say 'class 1' for '{name}' and so on" in line


def test_names_are_made_one_short_line(machine):
    machine()
    texts = [each.text for each in letter_names(["a\nb\tc", "", "\x00", "x" * 500, "\ud800", "  "])]
    assert texts == ["a b c", "class 1", "class 2", "x" * 39 + "…", "class 4", "class 5"]


def test_fonts_that_have_a_frame_for_every_letter_do_not_count(monkeypatch):
    found = [str(SHIPPED / name) for name in ("LastResortHE-Regular.ttf", "STIXGeneral.ttf")]
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: found)
    assert fonts._own_fonts() == [STIX]


def test_a_letter_is_drawn_and_no_box(machine):
    """The shape differs from the one that a font draws for a letter that it lacks."""
    machine(STIX)
    (lettering,) = letter_names([RARE[0]])
    font = load_font(lettering.font, 40)
    drawn, absent = (np.asarray(font.getmask(text)) for text in (lettering.text, "赤"))
    assert drawn.shape != absent.shape or (drawn != absent).any()
    assert isinstance(font, ImageFont.FreeTypeFont)
