"""Training on several devices: the launcher with two processes on a CPU, and what the run that it leaves is worth.

One job serves most claims. Seven images make an odd number; the statistics of batch norm are frozen, so that two
workers with one image each compute what one worker with two computes.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from nas_fpn.src import build
from nas_fpn.src.config import load
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.workers import Workers
from utils.training.checkpoints.checkpoint import load_checkpoint

SUITE = Path(__file__).resolve().parent.parent
LAUNCHER = SUITE / "scripts" / "run_distribute_train.sh"
NUM_IMAGES, STEPS = 7, 4
TINY = (
    "--config_path=config/custom.yaml",
    "--img_shape=[128,128]",
    "--resnet_layers=[1,1,1,1]",
    "--resnet_width=4",
    "--nasfpn_out_channel=8",
    "--nasfpn_stack_times=1",
    "--head_stacked_convs=1",
    "--norm_statistics=frozen",
    "--lr=0.001",
    "--lr_schedule=step",
    "--lr_steps=[1]",
    "--warmup_steps=1",
    "--log_interval=1",
    "--num_parallel_workers=1",
    "--keep_empty_images=True",
    "--drop_remainder=False",
    "--keep_checkpoint_max=5000",
    "--min_score=0.0001",
)

pytestmark = pytest.mark.end_to_end


def run(command, here):
    finished = subprocess.run(
        command,
        cwd=here,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "PYTHON": sys.executable},
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def wait_for(condition, process):
    limit = time.monotonic() + 600
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "waited 600 s in vain"
        time.sleep(0.1)


def checkpoint_of(here, epoch, step=STEPS):
    return here / "LOG0" / "ckpt" / f"retinanet_nasfpn-{epoch}_{step}.ckpt"


def newest(here):
    """Epoch and step of the newest checkpoint."""
    names = [path.stem for path in (here / "LOG0" / "ckpt").glob("*-*.ckpt")]
    return max(tuple(map(int, re.findall(r"\d+", name))) for name in names)


def rows_of(here, kind):
    rows = [json.loads(line) for line in (here / "LOG0" / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if row["kind"] == kind]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A working directory with data and a job of two workers in LOG0 and LOG1, which SIGTERM has ended."""
    here = tmp_path_factory.mktemp("distribute") / 'it\'s "here"'
    here.mkdir()
    write_coco(here / "data", {"train2017": NUM_IMAGES, "val2017": 3})
    process = subprocess.Popen(
        [
            "bash",
            str(LAUNCHER),
            "2",
            "cpu",
            "records",
            *TINY,
            "--batch_size=1",
            "--epoch_size=1000",
            "--coco_root=data",
            "--run_eval=True",
            "--eval_start_epoch=1",
            "--eval_interval=1000",
        ],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1"},
    )
    wait_for(checkpoint_of(here, 2).is_file, process)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 143, output + errors
    return here


@pytest.fixture(scope="module")
def alone(here):
    """The same training in this process by one worker with two images: weights after each step, losses, batches."""
    config = load([*TINY, "--batch_size=2", "--epoch_size=1000", f"--mindrecord_dir={here / 'records'}"])
    ms.set_context(mode=ms.GRAPH_MODE)  # not set_up_device: other tests may have taken the device in this process
    ms.set_seed(config.seed)
    split = build.open_configured_split(config, is_training=True)
    source = build.build_training_source(config, split)
    step = build.build_train_step(config, build.build_network(config, 2), 2, "O0")
    rates = build.build_schedule(config, source.steps_per_epoch, source.images_per_step)
    weights, losses = [], []
    for epoch in range(1, newest(here)[0] + 2):
        for batch in source.batches(epoch):
            step.set_learning_rate(float(rates[len(losses)]))
            losses.append(step(*batch).losses["loss"])
            weights.append({item.name: item.asnumpy().copy() for item in step.weight_parameters()})
    return config, split, rates, losses, weights


def test_worker_0_alone_writes_the_run(here):
    names = {path.name for path in (here / "LOG0").iterdir()}
    assert {"log.txt", "train.log", "config.yaml", "metrics.jsonl", "curves.png", "ckpt"} <= names
    assert {path.name for path in (here / "LOG1").iterdir()} == {"log.txt"}
    assert {path.parent for path in here.rglob("*.ckpt")} == {here / "LOG0" / "ckpt"}
    logs = [(here / name / "log.txt").read_text() for name in ("LOG0", "LOG1")]
    made = [line for log in logs for line in log.splitlines() if "making MindRecord files" in line]
    assert len(made) == 2, made  # of training and of evaluation, by whichever worker came first
    assert "Traceback" not in "".join(logs)


def test_two_workers_with_one_image_train_as_one_with_two(here, alone):
    """After steps 4 and 8 of epochs whose last step has one image and a filler."""
    _, _, rates, losses, weights = alone
    for epoch in (1, 2):
        trained = load_checkpoint(checkpoint_of(here, epoch)).arrays
        for name, values in weights[epoch * STEPS - 1].items():
            np.testing.assert_allclose(trained[name], values, rtol=0, atol=1e-5, err_msg=name)
    rows = rows_of(here, "step")
    assert [row["global_step"] for row in rows] == list(range(1, len(rows) + 1))
    np.testing.assert_allclose([row["losses"]["loss"] for row in rows[:8]], losses[:8], rtol=1e-4)
    np.testing.assert_allclose([row["learning_rate"] for row in rows[:8]], rates[:8])


def test_every_image_of_an_epoch_has_its_targets_once(alone):
    """The batches of both workers hold those of one, and one filler, all of whose anchors are ignored."""
    config, split, *_ = alone
    halves = config.model_copy(update={"batch_size": 1})
    shares = [build.build_training_source(halves, split, Workers(rank, 2)).batches(3) for rank in (0, 1)]
    whole = build.build_training_source(config, split).batches(3)
    classes = []
    for first, second, batch in zip(*shares, whole, strict=True):
        for one, other, both in zip(first, second, batch, strict=True):
            np.testing.assert_array_equal(np.concatenate([one, other]), both)
        classes += list(batch[1])
    assert [bool((row == -1).all()) for row in classes] == [False] * NUM_IMAGES + [True]


def test_the_evaluation_of_two_workers_is_that_of_eval_py(here, tmp_path):
    run(
        [
            sys.executable,
            str(SUITE / "eval.py"),
            *TINY,
            "--coco_root=data",
            "--mindrecord_dir=records",
            f"--checkpoint_path={checkpoint_of(here, 1)}",
            f"--run_dir={tmp_path}",
        ],
        here,
    )
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["num_detections"] > 100
    metrics = rows_of(here, "evaluation")[0]["metrics"]
    assert metrics == {name: pytest.approx(result[name], abs=1e-12) for name in ("mAP", "AP50", "AP75")}


def test_one_worker_goes_on_where_two_were_stopped(here, alone):
    """The same images in a step: the same epoch, step, rates and losses as if nothing had been."""
    *_, rates, losses, weights = alone
    epoch, step = newest(here)
    done = (epoch - 1) * STEPS + step
    last_epoch = epoch + 1
    finished = run(
        [
            sys.executable,
            str(SUITE / "train.py"),
            *TINY,
            "--batch_size=2",
            f"--epoch_size={last_epoch}",
            "--coco_root=data",
            "--mindrecord_dir=records",
            "--run_dir=LOG0",
            "--resume=auto",
            "--run_eval=False",
        ],
        here,
    )
    assert f"resuming at epoch {epoch} step {step} of {STEPS}" in finished.stderr
    assert "resuming with 1 workers instead of 2, a step has the same images" in finished.stderr
    rows = rows_of(here, "step")
    assert [row["global_step"] for row in rows] == list(range(1, last_epoch * STEPS + 1))
    np.testing.assert_allclose([row["losses"]["loss"] for row in rows[done:]], losses[done:], rtol=1e-3)
    np.testing.assert_allclose([row["learning_rate"] for row in rows[done:]], rates[done : last_epoch * STEPS])
    trained = load_checkpoint(checkpoint_of(here, last_epoch)).arrays
    for name, values in weights[-1].items():
        np.testing.assert_allclose(trained[name], values, rtol=0, atol=1e-4, err_msg=name)


def test_a_dry_run_shows_the_eight_ranks_of_a_table(tmp_path):
    devices = [{"device_id": str(i), "device_ip": f"192.98.92.{i}", "rank_id": str(i)} for i in range(8)]
    table = {
        "version": "1.0",
        "server_count": "1",
        "status": "completed",
        "server_list": [{"server_id": "127.0.0.1", "device": devices, "host_nic_ip": "reserve"}],
    }
    (tmp_path / "table.json").write_text(json.dumps(table))
    (tmp_path / "net.ckpt").touch()
    printed = run(["bash", str(LAUNCHER), "8", "table.json", "records", "net.ckpt", "2", "--dry_run"], tmp_path).stdout
    assert printed.startswith("8 ranks on 1 host, 8 here (Ascend)")
    commands = re.findall(r"^rank (\d): folder .*/LOG\1, log .*/LOG\1/log.txt.*\n  (.*)$", printed, re.MULTILINE)
    assert [int(rank) for rank, _ in commands] == list(range(8))
    for rank, command in commands:
        for text in (
            "DEVICE_NUM=8",
            "RANK_SIZE=8",
            f"RANK_ID={rank}",
            f"DEVICE_ID={rank}",
            f"RANK_TABLE_FILE={tmp_path}/table.json",
            "ASCEND_RT_VISIBLE_DEVICES=0,1,2,3,4,5,6,7",
            "nas_fpn/train.py",
            "--device_target=Ascend",
            "--run_distribute=True",
            f"--mindrecord_dir={tmp_path}/records",
            f"--pre_trained={tmp_path}/net.ckpt",
            "--pre_trained_epoch_size=2",
        ):
            assert f"{text} " in command + " ", text
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("LOG")] == []
