"""The launcher for several devices with the real commands: one job of two workers on a tiny data set, a run of one
worker that goes on from its middle, and the evaluation of what both come to.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segformer.tests.tiny_city import draw_pair, label_path, write_city, write_png
from utils.training.checkpoints.checkpoint import load_checkpoint
from utils.training.checkpoints.checkpoint_file import read_checkpoint_file

SUITE = Path(__file__).resolve().parent.parent
CONFIG = "config/custom.yaml"
HEIGHT, WIDTH = 32, 64
NUM_IMAGES = 9  # five steps of two images; the second place of the last is filled
TINY = (
    "--backbone_widths=[4,8,10,16]",
    "--backbone_depths=[1,1,1,1]",
    "--decoder_channels=8",
    "--class_num=4",
    f"--base_size=[{HEIGHT},{WIDTH}]",
    "--crop_size=[32,48]",
    "--dataset_num_parallel_workers=1",
)
TRAINING = (
    *TINY,
    "--epoch_size=2",
    "--drop_remainder=False",
    "--eval_interval=1",
    "--train_log_interval=1",
    "--class_weights=[0.5,1,2,4]",
    "--drop_path_rate=0.4",
    "--head_dropout=0.3",
    "--norm_statistics=frozen",
    # SGD: a gradient that is all rounding, such as that of the keys' biases, moves AdamW's weights by the whole rate
    "--optimizer=sgd",
    "--lr=0.1",
    "--lr_schedule=constant",
    "--warmup_steps=0",
    "--clip_norm=0",
)
RUN = "run_distribute_train_device{}"

pytestmark = pytest.mark.end_to_end


def run(here, *command):
    """Runs a command to its end; returns what it showed."""
    finished = subprocess.run(
        command,
        cwd=here,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1"},
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def launch(here, *arguments):
    return run(here, "bash", os.path.relpath(SUITE / "scripts" / "run_distribute_train.sh", here), *arguments)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with an odd name, in which two workers have trained for two epochs."""
    here = tmp_path_factory.mktemp("distribute") / 'it\'s "here"'
    here.mkdir()
    data = write_city(here / "a city", {"train": NUM_IMAGES, "val": 3}, HEIGHT, WIDTH)
    for index in range(NUM_IMAGES):  # labelled: an eighth of the columns of the first image, all of the eighth one
        label = draw_pair(HEIGHT, WIDTH, seed=index + 500)[1]
        label[:, WIDTH * (index + 1) // 8 :] = 255
        write_png(label_path(data, "train", index), label)
    shown = launch(here, "2", "cpu", CONFIG, "a city", "", "True", *TRAINING, "--batch_size=1", "--load_ckpt=False")
    (here / "shown").write_text(shown)
    return here


def checkpoint(folder, epoch):
    return folder / "checkpoint" / f"segformer_mit_b0_{epoch}.ckpt"


def log_of(folder):
    return (folder / "train.log").read_text()


def metrics_of(folder, kind, epoch):
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if row["kind"] == kind and row["epoch"] == epoch]


def test_only_the_first_worker_leaves_a_run(here):
    first, second = (here / RUN.format(rank) for rank in (0, 1))
    names = {path.relative_to(first).as_posix() for path in first.rglob("*") if path.is_file()}
    assert {"train.log", "config.yaml", "metrics.jsonl", "curves.png"} <= names
    assert {name for name in names if name.startswith("checkpoint/")} == {
        f"checkpoint/segformer_mit_b0_{mark}.ckpt" for mark in ("1", "2", "best")
    }
    assert [path.name for path in second.iterdir()] == ["train.log"]
    assert sorted(path.name for path in here.iterdir()) == ["a city", first.name, second.name, "shown"]


def test_the_log_of_the_first_has_the_lines_of_the_page(here):
    log, other = (log_of(here / RUN.format(rank)) for rank in (0, 1))
    found = re.findall(r"Epoch (\d)/2, step:(\d)/5, loss:\d\.\d+, overflow:False, loss_scale:1.0, step cost:\d+ms", log)
    assert sorted(set(found)) == [(str(epoch), str(step)) for epoch in (1, 2) for step in range(1, 6)]
    for line in ("eval dataset size:3", "eval image 3/3 done", "===> class: class_3, IoU: ", "===> mIoU: "):
        assert line in log
        assert line not in other
    assert "highest learning rate 0.1, 2 images in a step" in log


def test_the_workers_end_with_the_same_bits(here):
    assert "the 2 workers end with equal weights" in log_of(here / RUN.format(0))


def test_one_worker_with_twice_the_batch_comes_to_the_same_weights(here):
    """Five steps from the checkpoint after the first epoch: images with few and with many labelled pixels, a filler."""
    first = here / RUN.format(0)
    alone = here / "alone"
    run(
        here,
        sys.executable,
        str(SUITE / "train.py"),
        f"--config_path={SUITE / CONFIG}",
        "--data_path=a city",
        f"--run_dir={alone}",
        *TRAINING,
        "--batch_size=2",
        f"--resume={checkpoint(first, 1)}",
    )
    before, together, single = (
        read_checkpoint_file(path) for path in (checkpoint(first, 1), checkpoint(first, 2), checkpoint(alone, 2))
    )
    assert set(before) == set(together) == set(single)
    for name in set(together) - {"training_state"}:  # also against how far each moved: some have small gradients
        difference, movement = (np.abs(together[name] - other[name]).max() for other in (single, before))
        assert difference <= min(1e-5, 0.01 * movement + 1e-7), name
    assert np.abs(together["head.classifier.weight"] - before["head.classifier.weight"]).max() > 0.1
    states = [load_checkpoint(checkpoint(folder, 2)) for folder in (first, alone)]
    assert [(state.epoch, state.step_in_epoch, state.global_step) for state in states] == [(2, 5, 10)] * 2
    losses = [[row["losses"]["loss"] for row in metrics_of(folder, "step", epoch=2)] for folder in (first, alone)]
    assert len(losses[0]) == 5
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert re.search("resuming with 1 workers? instead of 2, a step has the same images", log_of(alone))


def test_eval_py_finds_the_number_of_the_training(here):
    trained = checkpoint(here / RUN.format(0), 2)
    run(
        here,
        sys.executable,
        str(SUITE / "eval.py"),
        f"--config_path={here / RUN.format(0) / 'config.yaml'}",
        f"--eval_ckpt_path={trained}",
        f"--run_dir={here / 'eval'}",
    )
    result = json.loads((here / "eval" / "result.json").read_text())
    in_training = metrics_of(here / RUN.format(0), "evaluation", epoch=2)
    assert [row["metrics"]["mIoU"] for row in in_training] == [result["mIoU"]]
    assert result["num_images"] == 3


def test_a_dry_run_shows_what_eight_cards_would_run(tmp_path):
    devices = [{"device_id": str(card), "device_ip": f"192.98.1.{card}", "rank_id": str(card)} for card in range(8)]
    servers = [{"server_id": "127.0.0.1", "host_nic_ip": "reserve", "device": devices}]
    table = {"version": "1.0", "server_count": "1", "server_list": servers, "status": "completed"}
    (tmp_path / "hccl_8p.json").write_text(json.dumps(table))
    (tmp_path / "city").mkdir()
    (tmp_path / "b0.ckpt").touch()
    shown = launch(
        tmp_path,
        "8",
        "hccl_8p.json",
        "config/segformer.b0.512x1024.city.yaml",
        "city",
        "b0.ckpt",
        "False",
        "--batch_size=4",
        "--dry_run",
    ).splitlines()
    assert shown[0].startswith("8 ranks on 1 host, 8 here (Ascend); the scheduler listens on 127.0.0.1 port ")
    assert "ASCEND_RT_VISIBLE_DEVICES=0,1,2,3,4,5,6,7 HCCL_CONNECT_TIMEOUT=600 " in shown[2]
    assert " --worker_num=8 --local_worker_num=8 --node_rank=0 " in shown[2]
    folder = tmp_path / "run_distribute_train_device7"
    assert shown[17].startswith(f"rank 7: folder {folder}, log {folder / 'train.log'}, cores ")
    assert " RANK_ID=7 DEVICE_ID=7 " in shown[18]
    assert shown[18].endswith(
        f"{SUITE / 'train.py'} --run_dir={folder} --device_target=Ascend --run_distribute=True "
        f"--config_path={SUITE / 'config' / 'segformer.b0.512x1024.city.yaml'} --data_path={tmp_path / 'city'} "
        f"--pretrained_ckpt_path={tmp_path / 'b0.ckpt'} --run_eval=False --batch_size=4"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b0.ckpt", "city", "hccl_8p.json"]
