"""A look at image files: faults, sizes, pictures that are the same."""

import numpy as np
import pytest
from PIL import Image

from utils.checking import pictures
from utils.checking.findings import Findings, Options
from utils.checking.pictures import add_repeated, look_at
from utils.images import write_image

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)


def test_the_same_pixels_are_the_same_picture_whatever_name_and_format(tmp_path):
    write_image(tmp_path / "a.png", PIXELS)
    Image.fromarray(PIXELS).save(tmp_path / "b.bmp")
    Image.fromarray(PIXELS).save(tmp_path / "c.png", compress_level=0)
    write_image(tmp_path / "turned.png", PIXELS.reshape(6, 8, 3))
    first, *others, turned = [
        look_at(tmp_path / name, None, decode=True) for name in ("a.png", "b.bmp", "c.png", "turned.png")
    ]
    assert first.size == (8, 6)
    assert [each.digest == first.digest for each in others] == [True, True]
    assert turned.digest != first.digest


def test_faults_have_their_kind(tmp_path):
    write_image(tmp_path / "cut.png", PIXELS)
    content = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[:-30])
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "folder.png").mkdir()
    names = ("none.png", "text.png", "folder.png", "cut.png")
    faults = [look_at(tmp_path / name, None, decode=True).fault for name in names]
    assert faults == [pictures.MISSING, pictures.NO_PICTURE, pictures.UNREADABLE, pictures.DAMAGED]
    assert look_at(tmp_path / "cut.png", None, decode=False).size == (8, 6)


@pytest.mark.parametrize("decode", [True, False])
def test_an_orientation_is_applied_unless_the_annotation_has_the_stored_size(tmp_path, decode):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 8)).save(tmp_path / "a.jpg", exif=exif)  # stored with 8 rows, seen with 6
    seen, stored = (look_at(tmp_path / "a.jpg", size, decode=decode) for size in ((6, 8), (8, 6)))
    assert (seen.size, seen.is_turned) == ((6, 8), False)
    assert (stored.size, stored.is_turned) == ((8, 6), True)


def test_repeated_pictures_are_counted_within_and_across_splits(tmp_path):
    for name, shade in (("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 2), ("f", 3)):
        write_image(tmp_path / f"{name}.png", np.full((4, 4, 3), shade, np.uint8))
    looks = {name: look_at(tmp_path / f"{name}.png", None, decode=True) for name in "abcdef"}
    found = Findings(Options())
    add_repeated(found, [("train", [looks[name] for name in "abcd"]), ("val", [looks[name] for name in "ef"])])
    across, within = found.ordered()
    assert (within.code, within.split, within.count) == ("pictures-repeated", "train", 2)
    assert within.examples == ("b.png = a.png", "c.png = a.png")
    assert (across.code, across.split, across.count) == ("pictures-in-both-splits", "train, val", 1)
    assert across.examples == ("e.png = d.png",)
    assert "50 % of its 2 pictures" in across.what
