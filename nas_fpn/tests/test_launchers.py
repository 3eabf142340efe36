"""The launchers with the real commands, on a data set of one class, from MindRecord files alone, in a folder with an
odd name; what the launchers have in common is tested in utils/launch.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from utils.detection.tests.tiny_coco import write_coco
from utils.training.checkpoints.checkpoint import load_checkpoint

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
CATEGORY = 42
TINY = (
    "--config_path=config/custom.yaml",
    "--img_shape=[128,128]",
    "--resnet_layers=[1,1,1,1]",
    "--resnet_width=4",
    "--nasfpn_out_channel=8",
    "--nasfpn_stack_times=1",
    "--head_stacked_convs=1",
    "--batch_size=2",
    "--warmup_steps=1",
    "--log_interval=1",
    "--device_target=CPU",
    "--num_parallel_workers=1",
    "--keep_checkpoint_max=9",
)

pytestmark = pytest.mark.end_to_end


def start(here, script, *arguments, **variables):
    return subprocess.Popen(
        ["bash", str(SCRIPTS / script), *arguments],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1", **variables},
    )


def launch(here, script, *arguments, **variables):
    """Runs a launcher to its end; returns exit code, standard output and standard error."""
    process = start(here, script, *arguments, **variables)
    output, errors = process.communicate(timeout=240)
    return process.returncode, output, errors


def write_one_class(root: Path) -> Path:
    """Writes a COCO data set whose one category has the id 42."""
    write_coco(root)
    for path in (root / "annotations").iterdir():
        content = json.loads(path.read_text())
        rows = [row for row in content["annotations"] if row["category_id"] == 7]
        content["annotations"] = [{**row, "category_id": CATEGORY} for row in rows]
        content["categories"] = [{"id": CATEGORY, "name": "cell"}]
        path.write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A working directory with a run of two epochs in LOG0, and its data beside it."""
    here = tmp_path_factory.mktemp("launchers") / 'it\'s "here"'
    here.mkdir()
    write_one_class(here / "data")
    code, output, errors = launch(
        here, "run_single_train.sh", "0", "records", *TINY, "--epoch_size=2", "--coco_root=data"
    )
    assert code == 0, output + errors
    return here


def log_lines(folder, pattern):
    return re.findall(pattern, (folder / "log.txt").read_text(), re.MULTILINE)


def test_a_run_is_where_the_page_says(here):
    names = {path.relative_to(here / "LOG0").as_posix() for path in (here / "LOG0").rglob("*") if path.is_file()}
    assert {"log.txt", "config.yaml", "metrics.jsonl", "ckpt/retinanet_nasfpn-2_2.ckpt"} <= names
    assert log_lines(here / "LOG0", r"^epoch: 2 step: 2, loss is \d+\.\d+$")
    assert len(log_lines(here / "LOG0", r"^epoch time: \d+\.\d{3} ms, per step time: \d+\.\d{3} ms$")) == 2


def test_one_class_is_evaluated_with_its_own_id_from_the_files_alone(here):
    code, output, errors = launch(
        here,
        "run_eval.sh",
        "0",
        "coco",
        "records",
        "LOG0/ckpt/retinanet_nasfpn-2_2.ckpt",
        "data/annotations/instances_{}.json",
        *TINY,
        "--min_score=0.0001",
    )
    assert code == 0, output + errors
    log = (here / "eval0" / "eval.log").read_text()
    assert " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = " in log
    assert re.search(r"^mAP: -?\d", log, re.MULTILINE)
    found = json.loads((here / "eval0" / "predictions.json").read_text())
    assert {row["category_id"] for row in found} == {CATEGORY}
    assert {row["image_id"] for row in found} == {100, 101, 102}
    assert set(json.loads((here / "eval0" / "result.json").read_text())["per_class"]) == {"cell"}


def test_pre_trained_epoch_size_makes_the_second_epoch_of_the_whole_run(here):
    """The same learning rates, losses and weights, bit for bit, from the checkpoint and the MindRecord files alone."""
    code, output, errors = launch(
        here,
        "run_single_train.sh",
        "1",
        "records",
        "LOG0/ckpt/retinanet_nasfpn-1_2.ckpt",
        "1",
        *TINY,
        "--epoch_size=2",
        "--run_eval=False",
    )
    assert code == 0, output + errors
    for pattern in (r"^epoch: \d+ step: \d+, loss is .*", r"^lr:\[.*"):
        assert log_lines(here / "LOG1", pattern) == log_lines(here / "LOG0", pattern)[2:]
    assert log_lines(here / "LOG1", r"^epoch: (\d+) step") == ["2", "2"]
    whole, second = (load_checkpoint(here / name / "ckpt" / "retinanet_nasfpn-2_2.ckpt") for name in ("LOG0", "LOG1"))
    assert whole.arrays.keys() == second.arrays.keys()
    for name, values in whole.arrays.items():
        np.testing.assert_array_equal(values, second.arrays[name], err_msg=name)


def wait_for(condition):
    limit = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < limit, "waited 120 s in vain"
        time.sleep(0.1)


def newest(folder):
    """Epoch and step of the newest checkpoint, (0, 0) for none."""
    names = [path.name for path in (folder / "ckpt").glob("*-*.ckpt")]
    return max((tuple(map(int, re.findall(r"\d+", name))) for name in names), default=(0, 0))


@pytest.mark.long_run
def test_a_run_in_the_background_is_alone_in_its_folder_stops_on_request_and_goes_on(here):
    arguments = ("run_single_train.sh", "2", "records", *TINY, "--epoch_size=500", "--run_eval=False")
    folder, log = here / "LOG2", here / "LOG2" / "log.txt"
    code, started, errors = launch(here, *arguments, FOREGROUND="0", STARTUP_SECONDS="0")
    assert code == 0, errors
    wait_for(lambda: newest(folder) >= (1, 2))

    code, output, _ = launch(here, *arguments, "--resume=auto")
    assert code == 2
    assert f"train.py: error: another process is training in '{folder}'" in output

    os.kill(int(re.search(r"running as process (\d+)", started)[1]), signal.SIGTERM)
    wait_for(lambda: "train.py: terminated" in log.read_text())
    assert "go on with --resume=auto" in log.read_text()
    stopped = newest(folder)

    process = start(here, *arguments, "--resume=auto")
    wait_for(lambda: newest(folder) > stopped)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode in (130, 143), output + errors  # MindSpore may turn Ctrl-C into SIGTERM
    assert "resuming at epoch" in output
    assert "Traceback" not in log.read_text()
    assert not list((folder / "ckpt").glob(".*"))
