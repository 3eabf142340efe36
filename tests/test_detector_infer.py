"""infer.py of the detectors: pictures of every kind in, pictures with boxes and detections.json out."""

import functools
import json
import re
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.suites import FASTER_RCNN, for_detectors
from utils.images import read_image, write_image

pytestmark = pytest.mark.end_to_end
LOW = {"nas_fpn": "--min_score=0.0001", "faster_rcnn": "--test_score_thr=0.01"}
ODD = {"wide.png": (300, 40), "high grey.png": (40, 300), "turned.jpg": (40, 300)}


def write_pictures(folder):
    """Beside the evaluation split: one picture of each kind, in folders with names in common, and two broken ones."""
    (folder / "sub").mkdir()
    plain = Image.open(folder / "001.jpg")
    plain.save(folder / "sub" / "001.PNG")
    plain.convert("RGBA").save(folder / "alpha.png")
    plain.convert("CMYK").save(folder / "sub" / "cmyk.JPG")
    plain.save(folder / "alpha.bmp")
    plain.save(folder / "new.webp", lossless=True)
    plain.save(folder / "old.gif")
    plain.save(folder / "scan.TIF")
    Image.fromarray((np.arange(96 * 128, dtype=np.uint16) * 5).reshape(96, 128)).save(folder / "sixteen.png")
    colours = Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 300, 3), np.uint8))
    colours.save(folder / "wide.png")
    colours.convert("L").rotate(90, expand=True).save(folder / "high grey.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    colours.save(folder / "turned.jpg", exif=turned)
    (folder / "broken.jpg").write_bytes((folder / "001.jpg").read_bytes()[:-100])
    (folder / "empty.png").touch()


@pytest.fixture(scope="module")
def _inferred():
    @functools.cache
    def call(toy):
        pictures = toy.here / "my photos"
        shutil.copytree(toy.data / "val2017", pictures)
        write_pictures(pictures)
        arguments = (*toy.suite.tiny.TOY, *toy.suite.tiny.TOY_EVALUATION, LOW[toy.suite.name])
        paths = (toy.loaded_by("infer.py"), "--image_path=my photos", "--infer_output_path=out")
        return toy.suite.succeed("infer.py", *arguments, *paths, cwd=toy.here)

    return call


@pytest.fixture()
def inferred(toy, _inferred):
    """What infer.py prints; it leaves its files in `out`."""
    return _inferred(toy)


def rows_of(toy, name=None):
    rows = json.loads((toy.here / "out" / "detections.json").read_text())
    return [row for row in rows if name in (None, row["file_name"])]


def corners_of(rows):
    boxes = np.asarray([row["bbox"] for row in rows])
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


@for_detectors
def test_every_picture_is_drawn_and_broken_ones_are_named(toy, inferred):
    assert re.search(
        r"^23 images, [\d,]+ detections, .* per image .*; 2 files could not be read$", inferred.stdout, re.M
    )
    assert "broken.jpg' is truncated" in inferred.stderr
    assert "empty.png' is empty" in inferred.stderr
    assert "2 classes: blue, red" in inferred.stderr
    assert re.search(
        r"^boxes from score [\d.e-]+ are drawn, that of the best F1 in the training's", inferred.stderr, re.M
    )
    drawn = {path.relative_to(toy.here / "out").as_posix() for path in (toy.here / "out").rglob("*.jpg")}
    split = {f"{number:03d}.jpg" for number in range(12)}
    odd = {"wide.jpg", "high grey.jpg", "turned.jpg", "sixteen.jpg"}
    kinds = {"new.jpg", "old.jpg", "scan.jpg"}
    assert drawn == split | odd | kinds | {"alpha.jpg", "alpha.png.jpg", "sub/001.jpg", "sub/cmyk.jpg"}
    height, width, _ = read_image(toy.here / "out" / "turned.jpg").shape
    assert height > width


@for_detectors
def test_every_detection_says_where_it_was_found(toy, inferred):
    rows = rows_of(toy)
    assert {tuple(row) for row in rows} == {("image_id", "category_id", "bbox", "score", "file_name")}
    assert {row["category_id"] for row in rows} == {7, 3}
    assert {row["file_name"] for row in rows} >= {"sub/001.PNG", "001.jpg", "alpha.png", "alpha.bmp"}
    ids = {row["file_name"]: row["image_id"] for row in rows}
    assert len(set(ids.values())) == len(ids)


@for_detectors
def test_infer_finds_what_eval_finds(toy, inferred):
    """The picture that is read from a file is the one of the MindRecord."""
    expected = json.loads((toy.evaluated / "predictions.json").read_text())
    lowest = min(row["score"] for row in expected)
    for number in range(12):
        found = [row for row in rows_of(toy, f"{number:03d}.jpg") if row["score"] >= lowest - 1e-6]
        wanted = [row for row in expected if row["image_id"] == 100 + number]
        assert [row["category_id"] for row in found[: len(wanted)]] == [row["category_id"] for row in wanted]
        if wanted:
            close = {"rtol": 1e-4, "atol": 2e-3}
            np.testing.assert_allclose(corners_of(found[: len(wanted)]), corners_of(wanted), **close)


@for_detectors
def test_boxes_end_where_the_picture_ends_as_a_viewer_shows_it(toy, inferred):
    for name, (width, height) in ODD.items():
        corners = corners_of(rows_of(toy, name))
        assert corners.min() >= 0
        assert (corners[:, 2:].max(axis=0) <= [width + 0.01, height + 0.01]).all()
        assert corners[:, 2:].max() > 96  # more than is left where width and height change places


def infer_here(suite, checkpoint, pictures, out, *arguments):
    """Runs the command with the tiny network in this process."""
    places = (f"--checkpoint_path={checkpoint}", f"--image_path={pictures}", f"--infer_output_path={out}")
    suite.call("infer.py", LOW[suite.name], *places, *arguments)
    return json.loads((out / "detections.json").read_text())


@pytest.mark.parametrize("suite", [FASTER_RCNN], ids=str)
def test_a_stretched_input_gives_boxes_of_the_picture(suite, checkpoint, tmp_path):
    """Of a picture as wide as the input and half as high the boxes are those of the input, half as high."""
    image = np.random.default_rng(2).integers(0, 255, (32, 96, 3), np.uint8)
    write_image(tmp_path / "in" / "half.png", image)
    write_image(tmp_path / "in" / "whole.png", cv2.resize(image, (96, 64), interpolation=cv2.INTER_LINEAR))
    rows = infer_here(suite, checkpoint, tmp_path / "in", tmp_path / "out", "--keep_ratio=False")
    half, whole = (corners_of([row for row in rows if row["file_name"] == name]) for name in ("half.png", "whole.png"))
    assert len(half) > 1
    np.testing.assert_allclose(half * [1, 2, 1, 2], whole, atol=0.05)
