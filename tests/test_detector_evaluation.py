"""train.py and eval.py of both detectors where the evaluation split has other ids, other classes, or no boxes."""

import json

import pytest

from tests.suites import FASTER_RCNN, for_detectors
from utils.detection.tests.edited_coco import change, remove_all
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.errors import BadValueError

pytestmark = pytest.mark.end_to_end
LOW = {"nas_fpn": ("--min_score=0.0001",), "faster_rcnn": ("--test_score_thr=0.01",)}


@pytest.fixture()
def data(tmp_path):
    return write_coco(tmp_path / "coco data", {"train2017": 6, "val2017": 3})


def exchange_ids(content):
    for row in content["categories"]:
        row["id"] = 10 - row["id"]
    for row in content["annotations"]:
        row["category_id"] = 10 - row["category_id"]


def leave_images_alone(content):
    content.pop("annotations")
    content.pop("categories")


def rename_blue(content):
    next(row for row in content["categories"] if row["name"] == "blue")["name"] = "dog"


def evaluated(suite, data, checkpoint, folder, *arguments):
    """Runs eval.py; returns result.json and predictions.json."""
    places = (f"--coco_root={data}", f"--mindrecord_dir={folder}/records", f"--run_dir={folder}")
    suite.call("eval.py", *LOW[suite.name], f"--checkpoint_path={checkpoint}", *places, *arguments)
    return (json.loads((folder / name).read_text()) for name in ("result.json", "predictions.json"))


@for_detectors
def test_an_evaluation_writes_the_ids_of_the_split_for_the_classes_of_the_checkpoint(
    suite, data, checkpoint, tmp_path, capsys
):
    """The checkpoint has red as 7 and blue as 3, and so has what is found in images without annotations."""
    change(data, exchange_ids, "val2017")
    exchanged, predictions = evaluated(suite, data, checkpoint, tmp_path / "exchanged")
    assert {row["category_id"] for row in predictions} == {3, 7}
    assert exchanged["mAP"] >= 0
    change(data, leave_images_alone, "val2017")
    capsys.readouterr()
    result, expected = evaluated(suite, data, checkpoint, tmp_path / "images")
    assert [{**row, "category_id": 10 - row["category_id"]} for row in predictions] == expected
    assert (result["mAP"], result["per_class"]) == (-1, {"red": -1, "blue": -1})
    shown = capsys.readouterr().out
    assert "no boxes to find, so AP is not defined (-1)" in shown
    assert f"{'all':<8}  {len(expected):>10}" in shown


@for_detectors
def test_an_evaluation_refuses_a_class_that_the_checkpoint_does_not_have(suite, data, checkpoint, tmp_path):
    change(data, rename_blue, "val2017")
    with pytest.raises(BadValueError, match=r"has 'dog', which '.*\.ckpt' does not have"):
        evaluated(suite, data, checkpoint, tmp_path / "refused")
    assert not list((tmp_path / "refused" / "records").glob("*.mindrecord*.db"))  # not even made of its pictures


def train(suite, data, run, *arguments):
    tiny = (
        *(suite.tiny.TINY_TRAINING if suite is FASTER_RCNN else ("--num_gts=8",)),
        "--batch_size=2",
        "--epoch_size=1",
        "--eval_start_epoch=1",
    )
    suite.call("train.py", *tiny, *LOW[suite.name], f"--coco_root={data}", f"--run_dir={run}", *arguments)


@for_detectors
def test_a_training_refuses_classes_that_it_does_not_have_before_the_first_step(suite, data, tmp_path):
    change(data, rename_blue, "val2017")
    with pytest.raises(BadValueError) as error:
        train(suite, data, tmp_path / "run", "--run_eval=True")
    assert "instances_val2017.json' has 'dog', which '" in str(error.value)
    assert "it lists 'dog', 'red'" in str(error.value)
    assert "instances_train2017.json' has 'blue', 'red'" in str(error.value)
    assert not list((tmp_path / "run").rglob("*.ckpt"))


@for_detectors
def test_a_training_is_warned_of_an_evaluation_without_boxes_which_chooses_no_checkpoint(
    suite, data, tmp_path, monkeypatch, caplog
):
    change(data, remove_all, "val2017")
    begun = []
    monkeypatch.setattr(suite.part("train").Trainer, "fit", lambda trainer: begun.append(trainer._evaluations._plan))
    train(suite, data, tmp_path / "run", "--run_eval=True")
    (plan,) = begun
    assert plan.evaluate is not None
    assert plan.best_metric == ""
    assert "has no boxes to find in its 3 images: AP is not defined there (-1) and cannot choose a best" in caplog.text


@for_detectors
def test_a_training_may_leave_unknown_classes_of_its_evaluation_out(suite, data, tmp_path, monkeypatch, caplog):
    change(data, rename_blue, "val2017")
    monkeypatch.setattr(suite.part("train").Trainer, "fit", lambda trainer: None)
    train(suite, data, tmp_path / "run", "--run_eval=True", "--ignore_unknown_classes=True")
    assert "does not have: 'dog'; it is left out of the metric (ignore_unknown_classes)" in caplog.text
