"""What a training and an evaluation leave and say, by the launchers as a user calls them, and what they refuse."""

import json
import re
import subprocess

import cv2
import numpy as np
import pytest

from tests.suites import (
    FASTER_RCNN,
    NAS_FPN,
    ROOT,
    SEGFORMER,
    SUITES,
    files_of,
    for_detectors,
    for_each,
    for_suites,
    rows_of,
)
from utils.training.checkpoints.checkpoint import load_checkpoint

pytestmark = pytest.mark.end_to_end
RUN_FILES = {"config.yaml", "metrics.jsonl", "curves.png", "first_batch.jpg"}
OWN_FILES = {
    "nas_fpn": {"log.txt", "train.log", "profile/steps.csv"},
    "faster_rcnn": {"log", "train.log", "loss_0.log"},
    "segformer": {"train.log"},
}
TRAINING_LINES = {
    "nas_fpn": (
        r"^epoch: 10 step: 4, loss is \d+\.\d+$",
        r"^lr:\[\d\.\d{6}\]$",
        r"^epoch time: \d+\.\d{3} ms, per step time: \d+\.\d{3} ms$",
        r"8 of 24 images have no box",
    ),
    "faster_rcnn": (
        r"^epoch: 8 step: 4, rpn_loss: .* rcnn_reg_loss: \d+\.\d+, total_loss: \d+\.\d+$",
        r"8 of 24 images have no box",
    ),
    "segformer": (
        r"Epoch 12/12, step:2/2, loss:\d\.\d+, overflow:False, loss_scale:1.0, step cost:\d+ms",
        r"eval dataset size:4",
        r"===> class: class_3, IoU: ",
        r"===> mIoU: 0\.\d+, ckpt: segformer_mit_b0_12\.ckpt",
        r"img/s",
        r"training: pictures of 48x96 are fitted into 64x128 \(1\.3\)$",
        r"evaluation: pictures of 48x96 are scaled within 128x64 \(1\.3\), rounded up to multiples of 32$",
    ),
}
STEP_LINES = {  # the documented one, of which each logged step has one, with one more of our own beside it
    "nas_fpn": r"^epoch: \d+ step: \d+, loss is ",
    "faster_rcnn": r"^epoch: \d+ step: \d+, rpn_loss: ",
    "segformer": r"Epoch \d+/\d+, step:",
}
AVERAGE = r"^ Average .* @\[ IoU=.+ \| area=.+ \| maxDets=.+ \] = -?\d\.\d{3}$"
EVALUATION_LINES = {
    "nas_fpn": {AVERAGE: 12, r"^mAP: 0\.\d+": 1},
    "faster_rcnn": {AVERAGE: 12, r"^blue +\d\.\d+ +\d\.\d+ +4$": 1, r"^red +\d\.\d+ +\d\.\d+ +8$": 1, "12 images, ": 1},
    "segformer": {r"^===> class: class_3, IoU: 0\.\d+$": 1, r"^===> mIoU: 0\.\d+, ckpt: segformer_mit_b0_12\.ckpt$": 1},
}
EVALUATION_FILES = {"result.json", "predictions.json", "pictures/overview.jpg", "report.html", "config.yaml"}


def found(pattern, text):
    return re.findall(pattern, text, re.MULTILINE)


@for_suites
def test_a_run_is_where_the_page_says(toy):
    names = files_of(toy.run)
    assert names >= RUN_FILES | OWN_FILES[toy.suite.name]
    predictions = {name for name in names if name.startswith("predictions/")}
    assert predictions == {f"predictions/epoch_{toy.epochs:04d}.jpg"}  # the one evaluation is the first and the last
    kept = {path.name for path in toy.checkpoint().parent.glob("*.ckpt")}
    assert kept >= {toy.checkpoint(toy.epochs - 1).name, toy.checkpoint().name}
    assert [name for name in kept if name.endswith("_best.ckpt")]
    assert not [name for name in names if "tmp" in name]
    for pattern in (*TRAINING_LINES[toy.suite.name], r"^in all +[\d,]+ +\d+\.\d\d [MG]$"):
        assert found(pattern, toy.log), pattern
    steps = [(row["epoch"], row["step"]) for row in rows_of(toy.run, "step")]
    assert steps == [(epoch, step) for epoch in range(1, toy.epochs + 1) for step in range(1, toy.steps + 1)]
    for pattern in (STEP_LINES[toy.suite.name], r"^epoch \d+/\d+ step \d+/\d+ "):
        assert len(found(pattern, toy.log)) == len(steps), pattern
    if toy.suite is NAS_FPN:
        assert len(found(r"^lr:\[", toy.log)) == toy.epochs


@for_suites
def test_what_a_run_leaves_in_a_suites_folder_is_ignored_by_git(toy):
    """Where no run_dir is given, in the suite's folder; a launcher's folder is ignored as a whole."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout of git")
    launchers = {toy.suite.train[2], toy.suite.evaluate[2]}
    left = files_of(toy.run) | files_of(toy.evaluated) | files_of(toy.exported.parent) | {".run.lock"}
    paths = {f"{toy.suite}/{name}" for name in left - launchers}
    paths |= {f"{toy.suite}/{folder}/log" for folder in (toy.suite.train[1], toy.suite.evaluate[1])}
    command = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
    found = subprocess.run(command, input="\0".join(paths), cwd=ROOT, capture_output=True, text=True, check=True)
    assert paths - set(found.stdout.split("\0")) == set()


@for_suites
def test_the_best_checkpoint_is_that_of_the_best_evaluation(toy):
    (row,) = rows_of(toy.run, "evaluation")
    assert row["epoch"] == toy.epochs
    (best,) = toy.checkpoint().parent.glob("*_best.ckpt")
    state = load_checkpoint(best)
    assert state.best["metrics"] == row["metrics"]
    names = {"red", "blue"} if "mAP" in row["metrics"] else {"class_0", "class_1", "class_2", "class_3"}
    assert set(state.class_names) == names
    assert {metric: set(values) for metric, values in row["per_class"].items()} == (
        {"AP": names, "AP50": names} if "mAP" in row["metrics"] else {"IoU": names}
    )


@for_suites
def test_the_evaluation_prints_the_block_of_the_page_and_finds_what_the_training_found(toy):
    log = (toy.evaluated / toy.suite.evaluate[2]).read_text()
    for pattern, count in EVALUATION_LINES[toy.suite.name].items():
        assert len(found(pattern, log)) == count, pattern
    result = json.loads((toy.evaluated / "result.json").read_text())
    (row,) = rows_of(toy.run, "evaluation")
    assert row["metrics"] == pytest.approx({name: result[name] for name in row["metrics"]}, abs=1e-9)
    assert set(row["metrics"]) >= ({"mAP", "AP50", "AP75"} if "mAP" in result else {"mIoU"})
    assert 0.1 < result[toy.suite.metric] < 0.98


@for_detectors
def test_an_evaluation_leaves_detections_and_pictures(toy):
    assert files_of(toy.evaluated) >= EVALUATION_FILES
    result = json.loads((toy.evaluated / "result.json").read_text())
    assert set(result["per_class"]) == {"red", "blue"}
    rows = json.loads((toy.evaluated / "predictions.json").read_text())
    assert result["num_detections"] == len(rows) > 3
    assert result["num_images"] == 12
    assert {row["image_id"] for row in rows} <= set(range(100, 112))
    assert {row["category_id"] for row in rows} == {7, 3}
    low = np.asarray([row["bbox"][:2] for row in rows])
    high = low + [row["bbox"][2:] for row in rows]
    assert low.min() >= 0
    assert (high.max(axis=0) <= [128.001, 96.001]).all()


@for_each((NAS_FPN,))
def test_a_copy_of_the_checkpoint_knows_the_best_score_of_each_class(toy):
    copy = toy.checkpoint().with_name(f"{toy.checkpoint().stem}_thresholds.ckpt")
    build = toy.suite.part("build")
    assert toy.evaluated.is_dir(), "with --store_thresholds"
    config, stored = build.open_checkpoint(toy.suite.load(*toy.suite.tiny.TOY), copy)
    _, classes = build.load_detector(config, stored)
    result = json.loads((toy.evaluated / "result.json").read_text())
    assert classes.picture_min_score == result["F1_threshold"]
    rows = json.loads((toy.evaluated / "predictions.json").read_text())
    scores = {row["category_id"]: {row["score"]} for row in rows}
    for row in rows:
        scores[row["category_id"]].add(row["score"])
    for number, score in zip(classes.category_ids, classes.class_min_scores, strict=True):
        assert score in scores[number] | {result["F1_threshold"]}


@for_suites
def test_the_last_epoch_again_gives_the_same_bits(toy):
    """From the checkpoint before it: moments, rates, order of the images and weights go on where they were."""
    before, suite = toy.checkpoint(toy.epochs - 1), toy.suite
    common = (*suite.tiny.TOY, *suite.tiny.TOY_TRAINING, "--run_eval=False")
    again = toy.here / "again"
    if suite is NAS_FPN:  # from the MindRecord files alone
        again = toy.here / "LOG1"
        suite.launch("run_single_train.sh", "1", "records", before, toy.epochs - 1, *common, cwd=toy.here)
    elif suite is SEGFORMER:  # pretrained weights are not asked for again
        (again / "checkpoint").mkdir(parents=True)
        (again / "checkpoint" / before.name).write_bytes(before.read_bytes())
        data = (f"--data_path={toy.data}", f"--run_dir={again}", "--resume=auto", "--load_ckpt=True")
        suite.succeed("train.py", *common, *data, cwd=toy.here)
    else:
        data = (f"--coco_root={toy.data}", f"--run_dir={again}", f"--resume={before}")
        again.mkdir()
        (again / "loss_0.log").write_text((toy.run / "loss_0.log").read_text())  # as if killed in the last epoch
        suite.succeed("train.py", *common, *data, cwd=toy.here)
    whole, second = (load_checkpoint(folder / toy.checkpoint().relative_to(toy.run)) for folder in (toy.run, again))
    assert whole.arrays.keys() == second.arrays.keys()
    for name, values in whole.arrays.items():
        np.testing.assert_array_equal(values, second.arrays[name], err_msg=name)
    steps, same = rows_of(toy.run, "step", toy.epochs), rows_of(again, "step")
    assert [(row["epoch"], row["step"]) for row in same] == [(toy.epochs, step + 1) for step in range(toy.steps)]
    for key in ("losses", "learning_rate"):
        assert [row[key] for row in same] == [row[key] for row in steps]
    if suite is FASTER_RCNN:
        assert (again / "loss_0.log").read_text() == (toy.run / "loss_0.log").read_text()
    assert not list(again.rglob("*best*"))
    assert not rows_of(again, "evaluation")
    assert "mIoU" not in (again / "train.log").read_text()


@for_suites
def test_a_finished_run_is_not_overwritten(toy):
    arguments = (*toy.suite.tiny.TOY, f"--{toy.suite.data}={toy.data}", f"--run_dir={toy.run}")
    sentence = toy.suite.refusal("train.py", *arguments, cwd=toy.here)
    assert "--resume=auto" in sentence
    assert "--overwrite=True" in sentence


# What one suite alone has


@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_a_profile_is_left_in_the_run_folder(toy):
    profile = toy.run / "profile"
    steps = (profile / "steps.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in steps] == ["global_step", "3", "4", "5", "6", "7"]
    assert any(profile.rglob("cpu_op_detail_info_*.csv"))


@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_each_epoch_has_its_time(toy):
    assert len(found(TRAINING_LINES["nas_fpn"][2], toy.log)) == toy.epochs


LOSSES = ("rpn_loss", "rcnn_loss", "rpn_cls_loss", "rpn_reg_loss", "rcnn_cls_loss", "rcnn_reg_loss", "total_loss")


@pytest.mark.parametrize("suite", [FASTER_RCNN], ids=str)
def test_the_loss_log_has_a_line_of_every_step_and_the_parts_add_up(toy):
    lines = (toy.run / "loss_0.log").read_text().splitlines()
    form = r"epoch: (\d+) step: (\d+), " + ", ".join(rf"{name}: (\d+\.\d{{5}})" for name in LOSSES)
    matches = [re.fullmatch(form, line) for line in lines]
    assert len(matches) == toy.epochs * toy.steps
    for match, row in zip(matches, rows_of(toy.run, "step"), strict=True):
        assert (int(match[1]), int(match[2])) == (row["epoch"], row["step"])
        rpn, rcnn, rpn_cls, rpn_reg, rcnn_cls, rcnn_reg, total = map(float, match.groups()[2:])
        np.testing.assert_allclose([rpn_cls + rpn_reg, rcnn_cls + rcnn_reg, rpn + rcnn], [rpn, rcnn, total], atol=3e-5)
    log = (toy.run / "train.log").read_text()
    assert all(line in log for line in lines)


@pytest.mark.parametrize("suite", [FASTER_RCNN], ids=str)
def test_a_resumed_run_of_another_depth_is_refused(toy, tmp_path):
    arguments = [item for item in toy.suite.tiny.TOY if "layers" not in item]
    sentence = toy.suite.refusal(
        "train.py",
        *arguments,
        "--res2net_layers=null",
        "--backbone=res2net_50",
        f"--coco_root={toy.data}",
        f"--run_dir={tmp_path}",
        f"--resume={toy.checkpoint(toy.epochs - 1)}",
        cwd=toy.here,
    )
    assert "[1, 1, 1, 1] blocks in its stages, the configuration has res2net_50" in sentence


@for_detectors
def test_records_are_where_the_page_says(toy):
    records = toy.data / "FASTERRCNN_MINDRECORD" if toy.suite is FASTER_RCNN else toy.here / "records"
    assert list(records.glob("*.mindrecord0"))


@pytest.mark.parametrize("suite", [SEGFORMER], ids=str)
def test_inference_writes_where_it_was_called(toy):
    source = sorted((toy.data / "leftImg8bit" / "val").rglob("*.png"))[0]
    config, relative = "config/custom.yaml", source.relative_to(toy.here)
    shown = toy.suite.launch("run_infer.sh", "0", config, toy.checkpoint(), relative, *toy.suite.tiny.TOY, cwd=toy.here)
    assert f"infer result will save to {toy.here / 'infer_result'}" in shown.stdout
    assert (toy.here / "run_infer_device0" / "infer.log").read_text() in shown.stdout
    names = sorted(path.name for path in (toy.here / "infer_result").rglob("*.png"))
    assert names == sorted(f"{source.stem}{kind}.png" for kind in ("", "_gray", "_color", "_overlap"))
    grey = cv2.imread(str(next((toy.here / "infer_result").rglob("*_gray.png"))), cv2.IMREAD_UNCHANGED)
    assert grey.shape == (48, 96)
    assert grey.max() < 4
    copy = next((toy.here / "infer_result").rglob(source.name))
    assert np.array_equal(cv2.imread(str(source)), cv2.imread(str(copy)))


def test_every_suite_has_a_toy():
    assert {suite.name for suite in SUITES} == set(TRAINING_LINES) == set(EVALUATION_LINES) == set(OWN_FILES)
