"""The launchers with the real commands, one after another from a folder with an odd name; what the launchers have in
common is tested in utils/launch.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from faster_rcnn.tests.tiny_detector import TINY_NETWORK
from utils.detection.tests.tiny_coco import write_coco

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
TINY = (
    *TINY_NETWORK, "--num_gts=8", "--num_expected_neg=32", "--num_expected_pos=16", "--rpn_proposal_nms_pre=50",
    "--rpn_proposal_max_num=40", "--num_expected_neg_stage2=16", "--num_expected_pos_stage2=8", "--warmup_step=1",
    "--log_interval=1",
)
CHECKPOINT = "train/ckpt_0/faster_rcnn-1_2.ckpt"
LINE = re.compile(r"^epoch: 1 step: 2, rpn_loss: .* rcnn_reg_loss: \d+\.\d+, total_loss: \d+\.\d+$", re.MULTILINE)

pytestmark = pytest.mark.end_to_end


def launch(here, script, *arguments):
    """Runs a launcher to its end, called by its relative path."""
    finished = subprocess.run(
        ["bash", os.path.relpath(SCRIPTS / script, here), *arguments], cwd=here, capture_output=True, text=True,
        env={**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1"}, timeout=240, check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A working directory with a run of one epoch of two steps, and its data beside it."""
    here = tmp_path_factory.mktemp("launchers") / "it's \"here\""
    here.mkdir()
    write_coco(here / "coco data")
    launch(here, "run_standalone_train_cpu.sh", "", "res2net_50", "coco data", *TINY, "--epoch_size=1",
           "--run_eval=False")
    return here


def test_a_run_is_where_the_page_says(here):
    run_dir = here / "train"
    names = {path.name for path in run_dir.iterdir()}
    assert {"log", "loss_0.log", "config.yaml", "metrics.jsonl", "curves.png"} <= names
    assert (here / CHECKPOINT).is_file()
    assert LINE.search((run_dir / "loss_0.log").read_text())
    assert LINE.search((run_dir / "log").read_text())
    assert (here / "coco data" / "FASTERRCNN_MINDRECORD").is_dir()


def test_its_checkpoint_evaluates(here):
    launch(here, "run_eval_cpu.sh", "coco data/annotations/instances_{}.json", CHECKPOINT, "res2net_50", "coco data",
           "records", *TINY, "--test_score_thr=0.0001")
    log = (here / "eval" / "log").read_text()
    assert " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = " in log
    assert "mAP" in json.loads((here / "eval" / "result.json").read_text())
    found = json.loads((here / "eval" / "predictions.json").read_text())
    assert {row["category_id"] for row in found} <= {7, 3}
    assert list((here / "records").glob("FasterRcnn_eval.mindrecord*"))
