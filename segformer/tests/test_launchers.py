"""The launchers with the real commands, one after another on a tiny data set, from a folder with an odd name; what the
launchers have in common is tested in utils/launch.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from segformer.tests.tiny_city import image_path, write_city

CHECKPOINT = "run_standalone_train_device1/checkpoint/segformer_mit_b0_1.ckpt"
SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
TINY = (
    "--backbone_widths=[4,8,10,16]",
    "--backbone_depths=[1,1,1,1]",
    "--decoder_channels=8",
    "--class_num=4",
    "--base_size=[32,64]",
    "--crop_size=[32,32]",
    "--batch_size=2",
    "--warmup_steps=1",
    "--train_log_interval=1",
    "--dataset_num_parallel_workers=1",
    "--device_target=CPU",
)
CONFIG = "config/custom.yaml"

pytestmark = pytest.mark.end_to_end


def launch(here, script, *arguments):
    """Runs a launcher to its end, called by its relative path; returns what it showed."""
    finished = subprocess.run(
        ["bash", os.path.relpath(SCRIPTS / script, here), *arguments],
        cwd=here,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1"},
        timeout=240,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A working directory with a run of one epoch, and its data beside it."""
    here = tmp_path_factory.mktemp("launchers") / 'it\'s "here"'
    here.mkdir()
    write_city(here / "a city", height=32, width=64)
    launch(here, "run_standalone_train.sh", "1", CONFIG, "a city", "", "False", *TINY, "--epoch_size=1")
    return here


def test_a_run_is_where_the_page_says(here):
    run = here / "run_standalone_train_device1"
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {"train.log", "config.yaml", "metrics.jsonl", "curves.png"} <= names
    assert (here / CHECKPOINT).is_file()
    log = (run / "train.log").read_text()
    assert re.search(r"Epoch 1/1, step:2/2, loss:\d\.\d+, overflow:False, loss_scale:1.0, step cost:\d+ms", log)
    assert "mIoU" not in log  # RUN_EVAL is False


def test_its_checkpoint_evaluates(here):
    launch(here, "run_eval.sh", "2", CONFIG, CHECKPOINT, "a city", *TINY)
    result = json.loads((here / "run_eval_device2" / "result.json").read_text())
    log = (here / "run_eval_device2" / "eval.log").read_text()
    assert "===> class: class_3, IoU: " in log
    assert float(re.search(r"===> mIoU: (0\.\d+)", log)[1]) == pytest.approx(result["mIoU"])


def test_inference_writes_where_it_was_called(here):
    source = image_path(here / "a city", "val", 0)
    shown = launch(here, "run_infer.sh", "0", CONFIG, CHECKPOINT, os.path.relpath(source, here), *TINY)
    assert f"infer result will save to {here / 'infer_result'}" in shown
    assert (here / "run_infer_device0" / "infer.log").read_text() in shown
    names = sorted(path.name for path in (here / "infer_result").rglob("*.png"))
    assert names == sorted(f"{source.stem}{kind}.png" for kind in ("", "_gray", "_color", "_overlap"))
    grey = cv2.imread(str(next((here / "infer_result").rglob("*_gray.png"))), cv2.IMREAD_UNCHANGED)
    assert grey.shape == (32, 64)
    assert grey.max() < 4
    copy = next((here / "infer_result").rglob(source.name))
    assert np.array_equal(cv2.imread(str(source)), cv2.imread(str(copy)))
