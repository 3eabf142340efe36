"""Inference around a detector that knows the boxes: what is read, drawn, written and counted."""

import json

import numpy as np
import pytest

from utils.detection.data.class_names import ClassTable
from utils.detection.inputs import InputSettings
from utils.detection.results.inference import (
    BoxLimit,
    InferenceSummary,
    find_pictures,
    format_full,
    format_summary,
    run,
)
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.tests.known_boxes import KnowsTheBoxes
from utils.images import read_image, write_image
from utils.model_utils.errors import BadValueError

INPUTS = InputSettings(64, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
CLASSES = ClassTable(("red", "blue"), (7, 3))
LIMIT = BoxLimit("max_boxes", 100)


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
    files = find_pictures(pictures, out)
    detector = detector_of(lambda size: ([[5, 6, 15, 26]], [1]) if size[1] == 51 else ([], []))
    summary = run(detector, files, out, CLASSES, 0.4, LIMIT)
    rows = json.loads((out / "detections.json").read_text())
    assert [(row["file_name"], row["category_id"], row["bbox"]) for row in rows] == [("1.png", 3, [5, 6, 10, 20])]
    assert sorted(path.name for path in out.glob("*.jpg")) == ["0.jpg", "1.jpg", "2.jpg"]
    changes = [np.abs(read_image(out / name).astype(int) - 90).max() for name in ("0.jpg", "1.jpg", "2.jpg")]
    assert changes[1] > 60 > 10 > max(changes[0], changes[2])
    assert (summary.num_images, summary.num_unreadable, summary.num_detections) == (3, 1, 1)
    assert detector.detector.shapes == [(2, 3, 64, 64)] * 3  # one to compile, two with pictures
    assert summary.network_seconds == pytest.approx(1.0)


def test_pictures_that_cannot_be_read_at_all_are_a_sentence(pictures, tmp_path):
    with pytest.raises(BadValueError, match="none of the 1 pictures can be read"):
        run(
            detector_of(lambda _: ([], [])),
            find_pictures(pictures / "broken.jpg", tmp_path / "out"),
            tmp_path / "out",
            CLASSES,
            0.4,
            LIMIT,
        )
    assert not list(tmp_path.rglob("detections.json"))


def test_a_result_does_not_take_the_place_of_a_picture(pictures, tmp_path):
    with pytest.raises(BadValueError, match="would be overwritten"):
        find_pictures(pictures / "broken.jpg", pictures)
    assert len(find_pictures(pictures, pictures / "out")) == 4


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
    files = find_pictures(pictures, tmp_path / "out")
    assert run(detector, files, tmp_path / "out", CLASSES, min_score, BoxLimit("x", limit)).num_full == full


def test_full_pictures_are_said_with_the_key():
    assert format_full(InferenceSummary(6, 0, 200, 3.0, 1.5, 2), LIMIT, 0.4) == (
        "in 2 of 6 pictures all 100 boxes that are kept have a score of 0.4 or more, so that others may be missing: "
        "raise --max_boxes"
    )
