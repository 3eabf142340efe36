"""What report.html of SegFormer is made of, worked by hand, and the page in a browser."""

from pathlib import Path

import cv2
import numpy as np

from segformer.src.labels.classes import palette
from segformer.src.results.extremes import Extremes, error_map
from segformer.src.results.metrics import ConfusionMatrix
from segformer.src.results.page import write_page
from segformer.src.results.report import SegmentationEvaluation
from utils.reports.tests.browser import visit

NAMES = ("road", "sky", "pole", "never seen")
SCRIPT = """
const rows = Array.from(document.querySelectorAll("#classes tbody tr"), (row) => row.cells[0].textContent);
const taken = Array.from(document.querySelectorAll("#classes tbody tr"), (row) => row.cells[5].textContent);
return {rows, taken, text: document.body.innerText, pictures: document.querySelectorAll("button.zoom").length};
"""


def counts_of(prediction, label):
    matrix = ConfusionMatrix(len(NAMES))
    matrix.add(prediction, label)
    return matrix.counts


def shown(extremes, *predictions):
    """Shows pictures of one row of four pixels: two of road, one of a pole, one that does not count."""
    label = np.array([[0, 0, 2, 255]], np.uint8)
    for number, row in enumerate(predictions):
        prediction = np.array([row], np.uint8)
        image = np.full((1, 4, 3), 50 * number, np.uint8)
        extremes.add(Path(f"{number}.png"), image, label, prediction, counts_of(prediction, label))


def test_the_worst_and_the_best_pictures_are_kept():
    """Mean IoU over road and pole: 0: (1/3 + 0) / 2; 1: 1; 2: (1/2 + 1/2) / 2, where sky takes a pixel of road: 1/2."""
    extremes = Extremes(num_worst=1, num_best=2)
    shown(extremes, [0, 1, 0, 0], [0, 0, 2, 1], [0, 1, 2, 0])
    (worst,) = extremes.worst
    assert (worst.path.name, worst.mean_iou, worst.worst_class, worst.worst_iou) == ("0.png", (1 / 3 + 0) / 2, 2, 0.0)
    assert worst.pixel_accuracy == 1 / 3
    assert [(each.path.name, each.mean_iou) for each in extremes.best] == [("1.png", 1.0), ("2.png", 0.75)]
    assert worst.image.shape == (70, 280, 3), "a tiny picture is enlarged"
    assert worst.label.shape == worst.prediction.shape == (70, 280)
    one = Extremes(num_worst=2, num_best=2)
    shown(one, [0, 0, 2, 0])
    assert (len(one.worst), one.best) == (1, []), "no picture stands under both"


def test_a_picture_without_labels_is_passed_over():
    extremes = Extremes(1, 1)
    extremes.add(
        Path("a"),
        np.zeros((1, 1, 3), np.uint8),
        np.array([[255]], np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((4, 4), np.int64),
    )
    assert extremes.worst == []


def test_wrong_pixels_are_red_and_those_that_do_not_count_nearly_black():
    image = np.full((1, 3, 3), 100, np.uint8)
    drawn = error_map(image, np.array([[0, 0, 255]], np.uint8), np.array([[0, 1, 1]], np.uint8), 2)
    assert drawn[0, 0].tolist() == [115] * 3  # 60 + 0.55 * 100
    assert drawn[0, 1].tolist() == [208, 56, 64]  # 0.8 of the red and 0.2 of the grey
    assert drawn[0, 2].tolist() == [24, 24, 32]


def test_the_page_opens_and_asks_no_network(tmp_path, caplog):
    """Road: 3 of 4 found, one taken for sky; pole: 1 of 2 found, the other taken for road; sky is in no label."""
    caplog.set_level("INFO")
    matrix, extremes = ConfusionMatrix(len(NAMES)), Extremes(2, 1)
    matrix.counts[:] = counts_of(
        np.array([[0, 1, 2, 0], [0, 0, 0, 1]], np.uint8), np.array([[0, 0, 2, 255], [0, 0, 2, 255]], np.uint8)
    )
    image = cv2.resize(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5, (64, 64))
    for number in range(4):
        label = np.zeros((64, 64), np.uint8)
        prediction = label.copy()
        prediction[: 16 * number] = 1
        extremes.add(Path(f"picture {number}.png"), image, label, prediction, counts_of(prediction, label))
    evaluation = SegmentationEvaluation(matrix, 4, 1.0, 1)
    write_page(evaluation, extremes, NAMES, palette(4), {"checkpoint": "a.ckpt"}, tmp_path)
    seen = visit(tmp_path / "report.html", tmp_path, SCRIPT)
    assert (seen.console, seen.fetched) == ([], [])
    assert seen.told["rows"] == ["sky", "pole", "road"], "worst first: IoU 0, 1/2, 3/5"
    assert seen.told["taken"] == ["", "road (50.0 %)", "sky (25.0 %)"]
    assert seen.told["pictures"] == 3
    for part in ("1 class is neither labelled nor predicted, and left out.", "0.367", "picture 3.png", "picture 0.png"):
        assert part in seen.told["text"], part
    (tmp_path / "report.html").unlink()
    (tmp_path / "report.html").mkdir()
    write_page(evaluation, extremes, NAMES, palette(4), {}, tmp_path)
    assert "could not be drawn, all numbers are there" in caplog.text
