"""Inference around a detector that knows the boxes: what is read, drawn, written and counted."""

import errno
import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from utils.canvas import CanvasRule
from utils.detection.data.class_names import ClassTable
from utils.detection.inputs import InputSettings
from utils.detection.results.inference import (
    BoxLimit,
    InferenceSummary,
    format_bare,
    format_full,
    format_summary,
    infer_pictures,
    open_inputs,
    run,
)
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.results.pictures.drawing import draw_detections
from utils.detection.results.pictures.min_score import MinScore
from utils.detection.tests.known_boxes import KnowsTheBoxes
from utils.images import read_image, write_image
from utils.model_utils.errors import BadStateError, BadValueError

INPUTS = InputSettings(64, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
CLASSES = ClassTable(("red", "blue"), (7, 3))
LIMIT = BoxLimit("max_boxes", 100)
FROM = MinScore(0.4)


def detector_of(boxes_of, batch_size=2):
    return PictureDetector(KnowsTheBoxes(boxes_of), INPUTS, batch_size, num_loaders=1)


@pytest.fixture()
def pictures(tmp_path):
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for number in range(3):
        write_image(folder / f"{number}.png", np.full((40, 50 + number, 3), 90, np.uint8))
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_what_is_found_is_drawn_and_written_with_the_category_ids(pictures, tmp_path):
    """A picture of width 51 gets a box of class 1, whose category id is 3; the others get none."""
    out = tmp_path / "out"
    files = open_inputs(pictures, out).pictures
    detector = detector_of(lambda size: ([[5, 6, 15, 26]], [1]) if size[1] == 51 else ([], []))
    summary = run(detector, files, out, CLASSES, FROM, LIMIT)
    rows = json.loads((out / "detections.json").read_text())
    assert [(row["file_name"], row["category_id"], row["bbox"]) for row in rows] == [("1.png", 3, [5, 6, 10, 20])]
    assert sorted(path.name for path in out.glob("*.jpg")) == ["0.jpg", "1.jpg", "2.jpg"]
    changes = [np.abs(read_image(out / name).astype(int) - 90).max() for name in ("0.jpg", "1.jpg", "2.jpg")]
    assert changes[1] > 60 > 10 > max(changes[0], changes[2])
    assert (summary.num_images, summary.num_unreadable, summary.num_detections) == (3, 1, 1)
    assert detector.detector.shapes == [(2, 3, 64, 64)] * 3  # one to compile, two with pictures
    assert summary.network_seconds == pytest.approx(1.0)


def test_pictures_of_one_canvas_go_together_and_results_keep_the_order_of_the_files(tmp_path, caplog):
    """Two by two: two are upright, one of them by its EXIF orientation, and three lie; two files cannot be read."""
    caplog.set_level("INFO")
    folder, out = tmp_path / "in", tmp_path / "out"
    for name, size in (("a", (40, 20)), ("b", (20, 40)), ("d", (20, 40)), ("f", (20, 40))):
        write_image(folder / f"{name}.png", np.full((*size, 3), 90, np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 255, (20, 40, 3), np.uint8)
    Image.fromarray(noise).save(folder / "e.jpg", exif=turned)
    (folder / "c.jpg").write_bytes((folder / "e.jpg").read_bytes()[:-100])  # its header is whole
    (folder / "g.png").write_bytes(b"no picture")
    inputs = InputSettings(64, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), rule=CanvasRule((60, 60), 32))
    detector = PictureDetector(KnowsTheBoxes(lambda _size: ([[5, 6, 15, 16]], [1])), inputs, 2, num_loaders=2)
    summary = run(detector, open_inputs(folder, out).pictures, out, CLASSES, FROM, LIMIT)
    assert detector.detector.shapes == [(2, 3, 64, 32), (2, 3, 32, 64), (2, 3, 32, 64)]
    rows = json.loads((out / "detections.json").read_text())
    assert [row["file_name"] for row in rows] == ["a.png", "b.png", "d.png", "e.jpg", "f.png"]
    assert (summary.num_images, summary.num_unreadable) == (5, 2)
    assert sum("left out: " in line for line in caplog.messages) == 2
    said = "6 pictures on 2 canvases, height x width (pictures): 64x32 (3), 32x64 (3); the network is compiled for each"
    assert said in caplog.messages


def test_the_time_of_an_image_is_without_the_import_of_the_library_of_the_rule(tmp_path):
    """The first size that is asked for takes a second here; an image took 6 s instead of 0.3 with torch installed."""

    class Slow(CanvasRule):
        asked = 0

        def canvas_size(self, size):
            time.sleep(0 if Slow.asked else 1)
            Slow.asked += 1
            return super().canvas_size(size)

    Slow((60, 60), 32).resized_size((1, 1))
    write_image(tmp_path / "a.png", np.full((40, 20, 3), 90, np.uint8))
    inputs = InputSettings(64, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), rule=Slow((60, 60), 32))
    detector = PictureDetector(KnowsTheBoxes(lambda _size: ([], [])), inputs, 2, num_loaders=1)
    summary = run(detector, open_inputs(tmp_path, tmp_path / "out").pictures, tmp_path / "out", CLASSES, FROM, LIMIT)
    assert Slow.asked > 1
    assert summary.seconds < 0.9


def test_a_header_that_names_another_size_costs_a_batch_and_no_result(pictures, tmp_path, monkeypatch):
    """As where a file changes between its header and its pixels: no batch has two canvases."""
    monkeypatch.setattr("utils.detection.results.picture_detector.read_size", lambda _: (40, 50))
    write_image(pictures / "1.png", np.full((50, 40, 3), 90, np.uint8))
    inputs = InputSettings(64, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), rule=CanvasRule((60, 30), 32))
    detector = PictureDetector(KnowsTheBoxes(lambda _size: ([[5, 6, 15, 16]], [1])), inputs, 2, num_loaders=1)
    run(detector, open_inputs(pictures, tmp_path / "out").pictures, tmp_path / "out", CLASSES, FROM, LIMIT)
    assert len(json.loads((tmp_path / "out" / "detections.json").read_text())) == 3
    assert detector.detector.shapes == [(2, 3, 32, 64), (2, 3, 64, 32), (2, 3, 32, 64)]


def test_pictures_that_cannot_be_read_at_all_are_a_sentence(pictures, tmp_path):
    with pytest.raises(BadValueError, match="the picture cannot be read"):
        run(
            detector_of(lambda _: ([], [])),
            open_inputs(pictures / "broken.jpg", tmp_path / "out").pictures,
            tmp_path / "out",
            CLASSES,
            FROM,
            LIMIT,
        )
    assert not list(tmp_path.rglob("detections.json"))


def finds_the_same(pictures, out, min_score=None, classes=CLASSES):
    """Every picture gets a box of score 0.9."""
    detector = detector_of(lambda _size: ([[5, 6, 15, 26]], [1]))
    infer_pictures(detector, open_inputs(pictures, out), out, classes, min_score, LIMIT)


def test_boxes_are_drawn_from_the_score_that_the_checkpoint_stores(pictures, tmp_path, caplog):
    caplog.set_level("INFO")
    finds_the_same(pictures, tmp_path / "a", classes=ClassTable(("red", "blue"), (7, 3), picture_min_score=0.85))
    assert any(line.startswith("boxes from score 0.85 are drawn") for line in caplog.messages)
    assert np.abs(read_image(tmp_path / "a" / "0.jpg").astype(int) - 90).max() > 60


def test_each_class_has_the_score_that_the_checkpoint_stores_for_it(pictures, tmp_path, caplog):
    """Every box has score 0.9 and is blue: from 0.95 on it is not drawn, though the score of all would show it."""
    caplog.set_level("INFO")
    for name, blue, is_drawn in (("a", 0.95, False), ("b", 0.85, True)):
        classes = ClassTable(("red", "blue"), (7, 3), picture_min_score=0.5, class_min_scores=(0.1, blue))
        finds_the_same(pictures, tmp_path / name, classes=classes)
        changed = np.abs(read_image(tmp_path / name / "0.jpg").astype(int) - 90).max()
        assert (changed > 60) == is_drawn
    wanted = "boxes from the score of each class's best F1 are drawn, 0.1 to 0.95, which store_thresholds has stored"
    assert wanted in caplog.messages


def test_bare_pictures_say_what_to_set(pictures, tmp_path, caplog):
    finds_the_same(pictures, tmp_path / "a", min_score=0.95)
    wanted = (
        "no picture has a box: of 3 detections none reaches score 0.95, the highest is 0.9; set "
        "--picture_min_score=0.45 to see them"
    )
    assert wanted in caplog.messages
    assert (
        format_bare(InferenceSummary(6, 0, 0, 3.0, 1.5), FROM) == "nothing was found on 6 pictures, so none has a box"
    )


def test_a_picture_that_cannot_be_drawn_is_named_and_the_others_are_drawn(pictures, tmp_path, caplog, monkeypatch):
    def fails_once(image, *arguments, **options):
        if image.shape[1] == 51:
            raise OSError("cannot open resource")
        return draw_detections(image, *arguments, **options)

    monkeypatch.setattr("utils.detection.results.inference.draw_detections", fails_once)
    finds_the_same(pictures, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.jpg", "2.jpg", "detections.json"]
    (line,) = [line for line in caplog.messages if "could not be drawn" in line]
    assert f"the picture '{tmp_path / 'out' / '1.jpg'}' could not be drawn" in line


def test_a_picture_that_cannot_be_written_is_an_error_once_the_detections_are_written(pictures, tmp_path):
    out = tmp_path / "out"
    (out / "1.jpg").mkdir(parents=True)  # as a full disk, at the second picture
    (out / "1.jpg" / "file").touch()
    wanted = r"1\.jpg' cannot be written .*; detections\.json is written, and 1 of 4 pictures is"
    with pytest.raises(BadStateError, match=wanted):
        finds_the_same(pictures, out)
    assert len(json.loads((out / "detections.json").read_text())) == 3


def test_pictures_that_have_filled_the_disk_make_room_for_the_detections(pictures, tmp_path, monkeypatch):
    """The disk has room for the detections once two of the three pictures are gone."""
    out = tmp_path / "out"

    def write(path, content):
        if len(list(out.glob("*.jpg"))) > 1:
            raise BadStateError(f"'{path}' cannot be written") from OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr("utils.detection.results.inference.write_file", write)
    with pytest.raises(BadStateError, match=r"detections\.json is written, and 1 of 4 pictures is"):
        finds_the_same(pictures, out)
    assert sorted(path.name for path in out.iterdir()) == ["0.jpg", "detections.json"]
    assert len(json.loads((out / "detections.json").read_text())) == 3


def test_a_file_name_that_is_no_utf8_does_not_cost_the_detections(pictures, tmp_path):
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        (pictures / "0.png").rename(pictures / odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    finds_the_same(pictures, tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "detections.json").read_bytes())
    assert odd in [row["file_name"] for row in rows]


def test_a_result_does_not_take_the_place_of_a_picture(pictures, tmp_path):
    with pytest.raises(BadValueError, match="would be overwritten"):
        open_inputs(pictures / "broken.jpg", pictures)
    assert len(open_inputs(pictures, pictures / "out").pictures) == 4


def test_the_summary_counts_and_times():
    """3 s for 6 images are 0.5 s each."""
    assert format_summary(InferenceSummary(6, 0, 12, 3.0, 1.5)) == (
        "6 images, 12 detections, 0.500 s per image (network 0.250 s)"
    )
    assert format_summary(InferenceSummary(6, 1, 0, 3.0, 1.5)).endswith("; 1 file could not be read")


@pytest.mark.parametrize(("limit", "min_score", "full"), [(2, 0.4, 1), (3, 0.4, 0), (2, 1.0, 0), (1, 0.4, 2)])
def test_pictures_with_as_many_boxes_as_are_kept_are_counted(limit, min_score, full, pictures, tmp_path):
    """Widths 50, 51 and 52 have 0, 1 and 2 boxes; only those that would be drawn are missed."""
    boxes = [[5, 6, 15, 26], [20, 6, 30, 26]]
    detector = detector_of(lambda size: (boxes[: size[1] - 50], [0, 1][: size[1] - 50]))
    files = open_inputs(pictures, tmp_path / "out").pictures
    assert run(detector, files, tmp_path / "out", CLASSES, MinScore(min_score), BoxLimit("x", limit)).num_full == full


def test_full_pictures_are_said_with_the_key():
    assert format_full(InferenceSummary(6, 0, 200, 3.0, 1.5, 2), LIMIT, FROM) == (
        "in 2 of 6 pictures all 100 boxes that are kept have a score of 0.4 or more, so that others may be missing: "
        "raise --max_boxes"
    )
