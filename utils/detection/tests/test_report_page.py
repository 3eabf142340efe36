"""report.html of a detector, opened in a browser, and the copy of a checkpoint with a score for each class."""

from dataclasses import replace

import numpy as np
import pytest

from utils.detection.data.class_names import ClassTable
from utils.detection.data.splits import open_split
from utils.detection.results.class_match import ClassMatch
from utils.detection.results.evaluation import evaluate_and_write
from utils.detection.results.pictures.operating_point import OperatingPoint
from utils.detection.results.report.extras import Extras
from utils.detection.results.report.thresholds import plan_copy
from utils.detection.tests.known_evaluation import evaluator_of
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import open_coco, paths_of
from utils.model_utils.errors import BadStateError
from utils.reports.tests.browser import visit
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, save_checkpoint

NUM_IMAGES = 12  # four of them without, with one and with two boxes: eight red ones, four blue ones
SCRIPT = """
const table = document.querySelector("#classes table");
const headings = Array.from(table.tHead.rows[0].cells);
const names = () => Array.from(table.tBodies[0].rows, (row) => row.cells[0].textContent);
const sorted = (title) => {
  headings.find((cell) => cell.textContent === title).querySelector("button").click();
  return names();
};
const colour = () => getComputedStyle(document.body).backgroundColor;
const before = colour();
document.getElementById("theme").click();
const picture = document.querySelector("button.zoom");
picture.click();
return {
  falling: sorted("F1"), rising: sorted("F1"), named: sorted("class"),
  sections: Array.from(document.querySelectorAll("h2"), (each) => each.textContent),
  colours: [before, colour()],
  zoomed: document.getElementById("zoom").open,
  pictures: document.querySelectorAll("button.zoom").length,
  loaded: Array.from(document.querySelectorAll(".gallery img"), (each) => each.complete && each.naturalWidth > 0),
};
"""


@pytest.fixture()
def split(tmp_path):
    return open_coco(write_coco(tmp_path / "coco data", {"val2017": NUM_IMAGES}), "val2017", num_shards=1)


def nothing(_evaluation):
    pass


def test_the_page_opens_sorts_and_asks_no_network(split, tmp_path):
    """Two of the four blue boxes, those of images 2 and 5, are not found: F1 of blue is 2/3, of red 1."""
    evaluator = evaluator_of(split, leave_out=(3, 6))
    evaluate_and_write(evaluator, tmp_path, 0, nothing, Extras(about={"checkpoint": "net.ckpt"}))
    page = tmp_path / "report.html"
    seen = visit(page, tmp_path, SCRIPT)
    assert seen.console == []
    assert seen.fetched == []
    told = seen.told
    assert (told["falling"], told["rising"], told["named"]) == (["red", "blue"], ["blue", "red"], ["blue", "red"])
    assert told["sections"][:3] == ["Numbers", "What goes wrong", "Classes"]
    assert told["colours"] == ["rgb(255, 255, 255)", "rgb(18, 22, 28)"]
    assert told["zoomed"]
    assert told["pictures"] == 2 + 4, "two with an error, and the four best of the others"
    assert 100_000 < page.stat().st_size < 1_000_000


def test_pictures_that_could_not_be_read_are_no_shots(tmp_path):
    """Images 1 and 2 have three boxes, which count as missed; all others are found."""
    data = write_coco(tmp_path / "coco data", {"val2017": NUM_IMAGES})
    for name in ("001.jpg", "002.jpg"):
        (data / "val2017" / name).write_bytes(b"no picture")
    split = open_split(paths_of(data, "val2017"), None, num_shards=1, skip_bad_images=True)
    evaluate_and_write(evaluator_of(split), tmp_path, 0, nothing, Extras(about={}))
    page = (tmp_path / "report.html").read_text()
    pictures = page[page.index('id="pictures"') :]
    assert "Not shown: 2 pictures that could not be read." in pictures
    assert [title in pictures for title in ("Worst", "Best", "F1 0.00", "F1 1.00")] == [True, True, False, True]
    worst, best = pictures.split("Best", 1)
    assert "<figcaption>" not in worst and best.count("<figcaption>") == 4


def test_a_page_that_fails_ends_no_evaluation(split, tmp_path, caplog, monkeypatch):
    def fails(*_arguments, **_options):
        raise MemoryError("no room")

    monkeypatch.setattr("utils.detection.results.report.page.draw_shots", fails)
    evaluate_and_write(evaluator_of(split, leave_out=(3,)), tmp_path, 0, nothing, Extras(about={}))
    assert (tmp_path / "predictions.json").is_file()
    assert not (tmp_path / "report.html").exists()
    wanted = (
        f"the report in '{tmp_path / 'report.html'}' could not be drawn, all numbers are there: MemoryError: no room"
    )
    assert wanted in caplog.messages


def test_pictures_without_boxes_have_a_page_of_what_was_found(tmp_path):
    paths = paths_of(write_coco(tmp_path / "data", {"val2017": 1}), "val2017")
    split = open_split(paths, None, 1, for_training=False)
    evaluate_and_write(evaluator_of(split), tmp_path, 0, nothing, Extras(about={}))
    assert "no boxes to find" in (tmp_path / "report.html").read_text()


# Category ids of red and blue as the data has them; the detector's third class is not in the data.
MATCH = ClassMatch(ClassTable(("red", "blue", "green"), (7, 3, 50)), (3, 7), (50,))
SCORES = np.array([0.25, 0.75])  # of blue and red, by category id
POINT = OperatingPoint(min_score=0.5, f1=0.8)


def checkpoint_in(folder):
    path = folder / "net_best.ckpt"
    best = {"epoch": 1, "global_step": 4, "metrics": {"mAP": 0.5, "F1_threshold": 0.125}}
    state = TrainingState(
        {"w": np.ones(3, np.float32)}, suite="nas_fpn", epoch=3, best=best, class_names=("red", "blue")
    )
    save_checkpoint(path, state)
    return path


def test_the_copy_has_the_score_of_each_class_and_the_original_is_as_it_was(tmp_path, caplog):
    caplog.set_level("INFO")
    path = checkpoint_in(tmp_path)
    before = path.read_bytes()
    stored = load_checkpoint(path)
    copy = plan_copy(stored, tmp_path, overwrite=False)
    assert copy.path == tmp_path / "net_best_thresholds.ckpt"
    copy.write(SCORES, MATCH, POINT)
    assert path.read_bytes() == before
    found = load_checkpoint(copy.path)
    assert found.min_scores == {"overall": 0.5, "by_class": [0.75, 0.25, 0.5]}, "green has that of all"
    assert (found.epoch, found.best, found.class_names) == (stored.epoch, stored.best, stored.class_names)
    np.testing.assert_array_equal(found.arrays["w"], stored.arrays["w"])
    assert "; 1 class that was not evaluated has the score of all classes, 0.5: green" in caplog.text


def test_classes_that_only_classes_leaves_out_are_said_to_be_so(tmp_path, caplog):
    caplog.set_level("INFO")
    copy = plan_copy(load_checkpoint(checkpoint_in(tmp_path)), tmp_path, overwrite=False)
    copy.write(np.array([np.nan]), ClassMatch(MATCH.classes, (7,), ()), POINT)
    assert load_checkpoint(copy.path).min_scores["by_class"] == [0.5, 0.5, 0.5]
    assert "; 1 class without a right detection has the score of all classes, 0.5: red; 2 classes" in caplog.text
    assert "; 2 classes that were not evaluated have the score of all classes, 0.5: blue, green" in caplog.text


@pytest.mark.parametrize(("text", "is_said"), [("min_score: 0.05", False), ("test_score_thr: 0.3", True), ("", False)])
def test_scores_below_that_of_inference_are_said(tmp_path, caplog, text, is_said):
    path = checkpoint_in(tmp_path)
    save_checkpoint(path, replace(load_checkpoint(path), config_text=text))
    plan_copy(load_checkpoint(path), tmp_path, overwrite=False).write(SCORES, MATCH, POINT)
    said = "is 0.25, and inference drops boxes below test_score_thr 0.3: give it --test_score_thr=0.25 too"
    assert (said in caplog.text) == is_said == ("drops boxes" in caplog.text)


def test_a_copy_is_not_replaced_by_chance(tmp_path, caplog):
    path = checkpoint_in(tmp_path)
    stored = load_checkpoint(path)
    copy = plan_copy(stored, tmp_path, overwrite=False)
    copy.write(SCORES, MATCH, None)
    assert "no detection is right, so no class has a score to store" in caplog.text
    copy.write(SCORES, MATCH, POINT)
    with pytest.raises(BadStateError, match=r"net_best_thresholds.ckpt'.* is there already: .*--overwrite=True"):
        plan_copy(stored, tmp_path, overwrite=False)
    assert plan_copy(stored, tmp_path, overwrite=True) == copy
    with pytest.raises(BadStateError, match="already has a score for each class"):
        plan_copy(load_checkpoint(copy.path), tmp_path, overwrite=True)
    path.write_bytes(path.read_bytes() + b"")  # another time of change, as a training that goes on would leave
    with pytest.raises(BadStateError, match="has changed since it was evaluated"):
        copy.write(SCORES, MATCH, POINT)
