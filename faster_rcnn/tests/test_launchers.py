"""The launchers with the real commands, one after another from a folder with an odd name; what launchers have in common
is tested in utils/launch. One process and two that go on with its run are compared step by step.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faster_rcnn.src import build
from faster_rcnn.src.config import load
from faster_rcnn.src.dataset import TrainingSample
from faster_rcnn.src.loss_log import format_losses
from faster_rcnn.tests.tiny_detector import TINY_NETWORK
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.workers import Workers
from utils.training.checkpoints.checkpoint import load_checkpoint

SUITE = Path(__file__).resolve().parent.parent
IMAGES, STEPS = 11, 6  # an odd number: a place of the last step's two is left
TINY = (
    *TINY_NETWORK,
    "--num_gts=8",
    "--num_expected_neg=32",
    "--num_expected_pos=16",
    "--rpn_proposal_nms_pre=50",
    "--rpn_proposal_max_num=40",
    "--num_expected_neg_stage2=16",
    "--num_expected_pos_stage2=8",
    "--warmup_step=3",
    "--log_interval=1",
    "--norm_statistics=frozen",
    "--keep_empty_images=true",
    "--epoch_size=2",
    "--ema_decay=0",
    "--optimizer=sgd",
    "--lr=0.02",
    "--test_score_thr=0.0001",
    "--rpn_nms_pre=300",
    "--rpn_max_num=200",
    "--test_candidates=400",
)
LINE = re.compile(r"^epoch: 2 step: 6, rpn_loss: .* rcnn_reg_loss: \d+\.\d+, total_loss: \d+\.\d+$", re.MULTILINE)
ALONE, SHARED = "--batch_size=2", "--batch_size=1"  # of one process, and of each of two
LAST = f"faster_rcnn-2_{STEPS}.ckpt"

pytestmark = pytest.mark.end_to_end


def launch(here, script, *arguments):
    """Runs a launcher to its end, called by its relative path; returns what it prints."""
    finished = subprocess.run(
        ["bash", os.path.relpath(SUITE / "scripts" / script, here), *arguments],
        cwd=here,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1"},
        timeout=600,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A working directory with data of eleven images to train and five to evaluate."""
    here = tmp_path_factory.mktemp("launchers") / 'it\'s "here"'
    here.mkdir()
    write_coco(here / "coco data", {"train2017": IMAGES, "val2017": 5})
    return here


@pytest.fixture(scope="module")
def runs(here):
    """One process trained two epochs (run_dir), and two that went on behind its first epoch (run_dir)."""
    launch(here, "run_standalone_train_cpu.sh", "", "res2net_50", "coco data", *TINY, ALONE, "--run_eval=False")
    first = here / "train" / "ckpt_0" / f"faster_rcnn-1_{STEPS}.ckpt"
    launch(
        here,
        "run_distribute_train_cpu.sh",
        "2",
        "",
        "res2net_50",
        "coco data",
        *TINY,
        SHARED,
        "--run_eval=True",
        "--eval_start_epoch=2",
        f"--resume={first}",
    )
    return here / "train", here / "run_distribute_train"


def rows(run, kind):
    return [row for row in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if row["kind"] == kind]


def test_two_workers_share_the_images_of_one_process_and_draw_what_it_draws(here):
    config = {name: load([*TINY, name, f"--coco_root={here / 'coco data'}"]) for name in (ALONE, SHARED)}
    split = build.open_configured_split(config[ALONE], is_training=True)
    whole = list(build.build_training_source(config[ALONE], split).batches(2))
    shares = [list(build.build_training_source(config[SHARED], split, Workers(rank, 2)).batches(2)) for rank in (0, 1)]
    assert len(whole) == len(shares[0]) == len(shares[1]) == STEPS
    for of_all, *parts in zip(whole, *shares, strict=True):
        for name, values, *own in zip(TrainingSample.COLUMNS, of_all, *parts, strict=True):
            np.testing.assert_array_equal(np.concatenate(own), values, err_msg=name)
    arrays = dict(zip(TrainingSample.COLUMNS, map(np.concatenate, zip(*whole, strict=True)), strict=True))
    is_filler = ~arrays["content"].any(axis=1)
    assert is_filler.tolist() == [False] * IMAGES + [True]
    assert len({image.tobytes() for image in arrays["images"][~is_filler]}) == IMAGES
    assert (arrays["rpn_label"][-1] == -1).all()
    assert (arrays["gt_labels"][-1] == -1).all()


def test_a_run_is_where_the_page_says(here, runs):
    run, _ = runs
    assert {"log", "loss_0.log", "config.yaml", "metrics.jsonl", "curves.png"} <= {path.name for path in run.iterdir()}
    assert (run / "ckpt_0" / LAST).is_file()
    assert LINE.search((run / "loss_0.log").read_text())
    assert LINE.search((run / "log").read_text())
    assert (here / "coco data" / "FASTERRCNN_MINDRECORD").is_dir()


def test_two_workers_with_one_image_each_train_as_one_process_with_two(runs):
    """Also with what the first epoch left: moments, rates, the order of the second, and the place without an image."""
    alone, together = runs
    expected, found = load_checkpoint(alone / "ckpt_0" / LAST), load_checkpoint(together / "ckpt_0" / LAST)
    assert (found.epoch, found.global_step) == (expected.epoch, expected.global_step) == (2, 2 * STEPS)
    assert set(found.arrays) == set(expected.arrays)
    before = load_checkpoint(alone / "ckpt_0" / f"faster_rcnn-1_{STEPS}.ckpt").arrays
    moved = max(np.abs(before[name] - values).max() for name, values in expected.arrays.items())
    assert moved > 1e-3
    for name, values in expected.arrays.items():
        np.testing.assert_allclose(found.arrays[name], values, rtol=0, atol=1e-5, err_msg=name)


def test_the_two_workers_end_with_the_same_weights_and_say_what_resuming_changed(runs):
    log = (runs[1] / "train.log").read_text()
    assert "resuming with 2 workers instead of 1" in log
    assert "the 2 workers end with equal weights" in log


def test_steps_rates_and_losses_are_those_of_the_whole_batch(runs):
    expected, found = (rows(run, "step") for run in runs)
    expected = [row for row in expected if row["epoch"] == 2]
    assert [row["step"] for row in found] == list(range(1, STEPS + 1))
    assert [row["learning_rate"] for row in found] == [row["learning_rate"] for row in expected]
    for row, whole in zip(found, expected, strict=True):
        assert row["losses"] == pytest.approx(whole["losses"], rel=1e-4, abs=1e-5)


def test_the_folder_of_the_launcher_has_a_log_of_each_worker_and_files_of_the_first(runs):
    _, run = runs
    names = {path.name for path in run.iterdir()}
    assert {"log0", "log1", "loss_0.log", "loss_1.log", "ckpt_0", "config.yaml", "metrics.jsonl", "train.log"} <= names
    assert "ckpt_1" not in names
    lines = [format_losses(2, row["step"], row["losses"]) for row in rows(run, "step")]
    assert len(lines) == STEPS
    for rank in (0, 1):
        assert (run / f"loss_{rank}.log").read_text().splitlines() == lines


def test_eval_finds_of_the_checkpoint_of_two_workers_what_they_found(here, runs):
    """Five images: three for the first worker, two for the second."""
    launch(
        here,
        "run_eval_cpu.sh",
        "coco data/annotations/instances_{}.json",
        f"run_distribute_train/ckpt_0/{LAST}",
        "res2net_50",
        "coco data",
        "records",
        *TINY,
    )
    log = (here / "eval" / "log").read_text()
    assert " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = " in log
    result = json.loads((here / "eval" / "result.json").read_text())
    (evaluation,) = rows(runs[1], "evaluation")
    assert evaluation["epoch"] == 2
    assert evaluation["metrics"] == pytest.approx({name: result[name] for name in ("mAP", "AP50", "AP75")}, abs=1e-9)
    assert result["AP50"] > 0
    found = json.loads((here / "eval" / "predictions.json").read_text())
    assert {row["category_id"] for row in found} <= {7, 3}
    assert list((here / "records").glob("FasterRcnn_eval.mindrecord*"))


def test_a_dry_run_of_a_table_of_eight_cards_shows_each_rank(here):
    devices = [
        {"device_id": str(card), "device_ip": f"192.98.{92 + card % 4}.{100 + card // 4}", "rank_id": str(card)}
        for card in range(8)
    ]
    table = {
        "version": "1.0",
        "server_count": "1",
        "status": "completed",
        "server_list": [{"server_id": "10.0.0.1", "device": devices, "host_nic_ip": "reserve"}],
    }
    (here / "hccl_8p.json").write_text(json.dumps(table))
    printed = launch(
        here, "run_distribute_train_ascend.sh", "hccl_8p.json", "", "res2net_101", "coco data", "RECORDS", "--dry_run"
    )
    assert printed.startswith("8 ranks on 1 host, 8 here (Ascend)")
    assert "ASCEND_RT_VISIBLE_DEVICES=0,1,2,3,4,5,6,7" in printed
    for rank in range(8):
        folder = here / f"train_parallel{rank}"
        assert f"rank {rank}: folder {folder}, log {folder / 'log'}" in printed
    command = shlex.split(printed.splitlines()[-1])
    for argument in (
        "--run_distribute=True",
        "--device_target=Ascend",
        "--backbone=res2net_101",
        f"--config_path={SUITE / 'default_config_101.yaml'}",
        f"--mindrecord_dir={here / 'RECORDS'}",
    ):
        assert argument in command
    assert not list(here.glob("train_parallel*"))
