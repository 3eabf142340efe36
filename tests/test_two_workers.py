"""Two workers of each suite, started by its launcher, train as one worker with twice the batch.

An odd number of images leaves a place of the last step empty, and the statistics of batch norm are frozen, so that two
workers with one image each compute what one with two computes. NAS-FPN's job is stopped by SIGTERM in mid-epoch.
"""

import functools
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from segformer.tests.tiny_city import draw_pair, label_path, write_city, write_png
from tests.suites import (
    DETECTORS,
    FASTER_RCNN,
    LIMIT,
    NAS_FPN,
    SEGFORMER,
    SUITES,
    Suite,
    files_of,
    for_each,
    rows_of,
)
from tests.suites import taken_device as device
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.workers import Workers
from utils.tests.processes import wait_for
from utils.training.checkpoints.checkpoint import load_checkpoint

pytestmark = pytest.mark.end_to_end
HEIGHT, WIDTH = 32, 64
for_jobs = for_each(SUITES, long_run=(FASTER_RCNN,))  # each job is three trainings
IMAGES = {"nas_fpn": 7, "faster_rcnn": 11, "segformer": 9}
LAUNCHER = {
    "nas_fpn": ("run_distribute_train.sh", "2", "cpu", "records", "--coco_root=my data"),
    "faster_rcnn": ("run_distribute_train_cpu.sh", "2", "", "res2net_50", "my data"),
    "segformer": ("run_distribute_train.sh", "2", "cpu", "config/custom.yaml", "my data", "", "True"),
}
FOLDERS = {
    "nas_fpn": ("LOG0", "LOG1"),
    "faster_rcnn": ("run_distribute_train", "run_distribute_train"),
    "segformer": ("run_distribute_train_device0", "run_distribute_train_device1"),
}
TRAINING = {
    "nas_fpn": (
        "--lr=0.001",
        "--lr_schedule=step",
        "--lr_steps=[1]",
        "--warmup_steps=1",
        "--log_interval=1",
        "--keep_empty_images=True",
        "--drop_remainder=False",
        "--keep_checkpoint_max=5000",
        "--min_score=0.0001",
    ),
    "faster_rcnn": (
        "--warmup_step=3",
        "--log_interval=1",
        "--ema_decay=0",
        "--optimizer=sgd",
        "--lr=0.02",
        "--test_score_thr=0.0001",
        "--rpn_nms_pre=300",
        "--rpn_max_num=200",
        "--test_candidates=400",
    ),
    "segformer": (
        "--config_path=config/custom.yaml",
        "--backbone_widths=[4,8,10,16]",
        f"--base_size=[{HEIGHT},{WIDTH}]",
        "--crop_size=[32,48]",
        "--drop_remainder=False",
        "--train_log_interval=1",
        "--class_weights=[0.5,1,2,4]",
        "--drop_path_rate=0.4",
        "--head_dropout=0.3",
        # SGD: a gradient that is all rounding, such as that of the keys' biases, moves AdamW's weights by a whole rate
        "--optimizer=sgd",
        "--lr=0.1",
        "--lr_schedule=constant",
        "--warmup_steps=0",
        "--clip_norm=0",
    ),
}


class Job:
    """A folder with an odd name, in which two workers have trained for two epochs or more, and evaluated in the second.

    Attributes:
        run: the folder of the run.
        last: epoch and step of its last checkpoint; NAS-FPN's is that of the moment when the job was stopped.
    """

    def __init__(self, suite: Suite, folder) -> None:
        self.suite, self.here = suite, folder / 'it\'s "here"'
        self.here.mkdir()
        self.data = self.here / "my data"
        self.steps = (IMAGES[suite.name] + 1) // 2
        self.run = self.here / FOLDERS[suite.name][0]
        tiny = suite.tiny
        self.arguments = (
            *tiny.TINY_NETWORK,
            *getattr(tiny, "TINY_TRAINING", ()),
            *TRAINING[suite.name],
            "--norm_statistics=frozen",
        )
        self._write_data()
        launcher = os.path.relpath(suite.path / "scripts" / LAUNCHER[suite.name][0], self.here)
        evaluation = ("--run_eval=True", "--eval_start_epoch=2", "--eval_interval=1000")
        epochs = 1000 if suite is NAS_FPN else 2
        self._train_together(
            ["bash", launcher, *LAUNCHER[suite.name][1:], *self.arguments],
            ["--batch_size=1", f"--epoch_size={epochs}", *evaluation],
        )
        stems = [path.stem for path in self.checkpoint(1).parent.glob("*-*_*.ckpt")]
        self.last = max((tuple(map(int, re.findall(r"\d+", stem)[-2:])) for stem in stems), default=(2, self.steps))

    def _write_data(self) -> None:
        count = IMAGES[self.suite.name]
        if self.suite is not SEGFORMER:
            write_coco(self.data, {"train2017": count, "val2017": 5})
            return
        write_city(self.data, {"train": count, "val": 3}, HEIGHT, WIDTH)
        for index in range(count):  # labelled: an eighth of the columns of the first image, all of the eighth one
            label = draw_pair(HEIGHT, WIDTH, seed=index + 500)[1]
            label[:, WIDTH * (index + 1) // 8 :] = 255
            write_png(label_path(self.data, "train", index), label)

    def _train_together(self, command, options) -> None:
        """Runs the launcher to its end, or stops it behind the second epoch, where its epochs have no end."""
        environment = {**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1"}
        process = subprocess.Popen(
            [*command, *options],
            cwd=self.here,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        if self.suite is NAS_FPN:
            wait_for(lambda: self._has_evaluated() or process.poll() is not None, LIMIT)
            assert process.poll() is None, process.communicate()
            process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=LIMIT)
        assert process.returncode == (143 if self.suite is NAS_FPN else 0), output + errors

    def _has_evaluated(self) -> bool:
        return self.checkpoint(2).is_file() and '"evaluation"' in (self.run / "metrics.jsonl").read_text()

    def checkpoint(self, epoch: int, run=None, step: int = 0):
        form = self.suite.checkpoint.format(epoch=epoch, step=step or self.steps)
        return (run or self.run) / form

    @functools.cached_property
    def alone(self):
        """The folder of one worker that went on behind the first epoch of the two."""
        self.last_epoch = self.last[0] + (self.suite is NAS_FPN)
        run = self.here / "alone"
        self.said = self.train_alone(run, f"--resume={self.checkpoint(1)}")
        return run

    def train_alone(self, run, *arguments) -> str:
        finished = self.suite.succeed(
            "train.py",
            *self.arguments,
            f"--{self.suite.data}={self.data}",
            f"--run_dir={run}",
            "--batch_size=2",
            f"--epoch_size={self.last_epoch}",
            "--run_eval=False",
            *([f"--mindrecord_dir={self.here / 'records'}"] if self.suite is NAS_FPN else []),
            *arguments,
            cwd=self.here,
        )
        return finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def _jobs(tmp_path_factory):
    return functools.cache(lambda suite: Job(suite, tmp_path_factory.mktemp(f"two of {suite}")))


@pytest.fixture()
def job(suite, _jobs):
    return _jobs(suite)


@for_jobs
def test_only_the_first_worker_leaves_a_run(suite, job):
    first, second = (job.here / name for name in FOLDERS[suite.name])
    names = {path.name for path in first.iterdir()}
    assert names >= {"train.log", "config.yaml", "metrics.jsonl", "curves.png"}
    checkpoints = {path.parent for folder in (first, second) for path in folder.rglob("*.ckpt")}
    assert checkpoints == {job.checkpoint(1).parent}
    assert "Traceback" not in (first / "train.log").read_text()
    if suite is FASTER_RCNN:
        assert names >= {"log0", "log1", "loss_0.log", "loss_1.log", "ckpt_0"}
        assert "ckpt_1" not in names
        lines = suite.part("loss_log").format_loss_line
        wanted = [lines(row["epoch"], row["step"], row["losses"]) for row in rows_of(first, "step")]
        assert len(wanted) == 2 * job.steps
        assert all((first / f"loss_{rank}.log").read_text().splitlines() == wanted for rank in (0, 1))
    elif suite is SEGFORMER:
        assert files_of(second) == {"train.log"}
        marks = {path.name for path in job.checkpoint(1).parent.iterdir()}
        assert marks == {f"segformer_mit_b0_{mark}.ckpt" for mark in ("1", "2", "best")}
        log, other = ((folder / "train.log").read_text() for folder in (first, second))
        found = re.findall(r"Epoch (\d)/2, step:(\d)/5, loss:\d\.\d+, overflow:False, loss_scale:1.0, step cost", log)
        assert sorted(set(found)) == [(str(epoch), str(step)) for epoch in (1, 2) for step in range(1, 6)]
        for line in ("eval dataset size:3", "eval image 3/3 done", "===> class: class_3, IoU: ", "===> mIoU: "):
            assert line in log
            assert line not in other
        assert "highest learning rate 0.1, 2 images in a step" in log
    else:
        assert files_of(second) == {"log.txt"}
        logs = [(folder / "log.txt").read_text() for folder in (first, second)]
        made = [line for log in logs for line in log.splitlines() if "making MindRecord files" in line]
        assert len(made) == 2, made  # of training and of evaluation, by whichever worker came first
        assert "Traceback" not in "".join(logs)
    assert suite is NAS_FPN or "the 2 workers end with equal weights" in (first / "train.log").read_text()


@for_jobs
def test_one_worker_with_twice_the_batch_comes_to_the_same_weights(suite, job):
    """Also with what the first epoch left: moments, rates, the order of the second, and the place without an image."""
    before, together, single = (
        load_checkpoint(path) for path in (job.checkpoint(1), job.checkpoint(2), job.checkpoint(2, job.alone))
    )
    for state in (together, single):
        assert (state.epoch, state.step_in_epoch, state.global_step) == (2, job.steps, 2 * job.steps)
    assert set(before.arrays) == set(together.arrays) == set(single.arrays)
    moved = 0.0
    for name, values in together.arrays.items():  # also against how far each moved: some have small gradients
        difference, movement = (np.abs(values - other.arrays[name]).max() for other in (single, before))
        assert difference <= (min(1e-5, 0.01 * movement + 1e-7) if suite is SEGFORMER else 1e-5), name
        moved = max(moved, movement)
    assert moved > (0.1 if suite is SEGFORMER else 1e-3)
    assert "resuming with 1 worker instead of 2, a step has the same images" in job.said


@for_jobs
def test_steps_rates_and_losses_are_those_of_the_whole_batch(suite, job):
    found, expected = (rows_of(run, "step", 2) for run in (job.run, job.alone))
    assert [row["step"] for row in found] == list(range(1, job.steps + 1))
    assert [row["learning_rate"] for row in found] == [row["learning_rate"] for row in expected]
    for row, whole in zip(found, expected, strict=True):
        assert row["losses"] == pytest.approx(whole["losses"], rel=1e-4, abs=1e-5)
    numbers = [row["global_step"] for row in rows_of(job.run, "step")]
    assert numbers == list(range(1, len(numbers) + 1))


@for_jobs
def test_eval_py_finds_of_the_checkpoint_of_two_workers_what_they_found(suite, job, tmp_path):
    """Of an odd number of images, with the configuration that the run has left."""
    (row,) = rows_of(job.run, "evaluation", 2)
    places = (f"--{suite.checkpoints['eval.py']}={job.checkpoint(2)}", f"--run_dir={tmp_path}", "--num_pictures=0")
    config = suite.part("config").load([f"--config_path={job.run / 'config.yaml'}", *places], "eval.py")
    evaluate = suite.part("evaluate").evaluate
    with device():
        evaluate(config)
    result = json.loads((tmp_path / "result.json").read_text())
    assert row["metrics"] == pytest.approx({name: result[name] for name in row["metrics"]}, abs=1e-9)
    assert result["num_images"] == (3 if suite is SEGFORMER else 5)
    if suite is not SEGFORMER:
        assert set(row["metrics"]) >= {"mAP", "AP50", "AP75"}
        assert result["num_detections"] > 100
    if suite is FASTER_RCNN:
        assert result["AP50"] > 0


@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_one_worker_goes_on_where_two_were_stopped(suite, job):
    """The same images in a step: the same epoch, step, rates and losses as if nothing had been."""
    alone, (epoch, step) = job.alone, job.last
    done = (epoch - 1) * job.steps + step
    said = job.train_alone(job.run, "--resume=auto")
    assert f"resuming at epoch {epoch} step {step} of {job.steps}" in said
    assert "resuming with 1 worker instead of 2, a step has the same images" in said
    rows = rows_of(job.run, "step")
    assert [row["global_step"] for row in rows] == list(range(1, job.last_epoch * job.steps + 1))
    expected = rows_of(alone, "step")
    for key in ("learning_rate", "loss"):
        values, wanted = ([row.get(key, row["losses"].get(key)) for row in each] for each in (rows, expected))
        np.testing.assert_allclose(values[done:], wanted[done - job.steps :], rtol=1e-3)
    trained, wanted = (load_checkpoint(job.checkpoint(job.last_epoch, run)).arrays for run in (job.run, alone))
    for name, values in wanted.items():
        np.testing.assert_allclose(trained[name], values, rtol=0, atol=1e-4, err_msg=name)


@for_each(DETECTORS, long_run=(FASTER_RCNN,))
def test_two_workers_share_the_images_of_one_and_draw_what_it_draws(suite, job):
    """Every image once, and one filler, of which nothing is learned."""
    build, columns = suite.part("build"), suite.part("dataset").TrainingSample.COLUMNS
    load = suite.part("config").load
    places = (f"--coco_root={job.data}", f"--mindrecord_dir={job.here / 'other records'}")
    both, single = (load([*job.arguments, *places, f"--batch_size={size}"]) for size in (2, 1))
    split = build.open_configured_split(both, is_training=True)
    whole = list(build.build_training_source(both, split).batches(3))
    shares = [list(build.build_training_source(single, split, Workers(rank, 2)).batches(3)) for rank in (0, 1)]
    assert len(whole) == len(shares[0]) == len(shares[1]) == job.steps
    for batch, *parts in zip(whole, *shares, strict=True):
        for name, values, *own in zip(columns, batch, *parts, strict=True):
            np.testing.assert_array_equal(np.concatenate(own), values, err_msg=name)
    arrays = dict(zip(columns, map(np.concatenate, zip(*whole, strict=True)), strict=True))
    learned = arrays["classes" if suite is NAS_FPN else "rpn_label"]
    assert [bool((row == -1).all()) for row in learned] == [False] * IMAGES[suite.name] + [True]
    images = arrays[columns[0]][:-1]
    assert len({image.tobytes() for image in images}) == IMAGES[suite.name]
    if suite is FASTER_RCNN:
        assert (~arrays["content"].any(axis=1)).tolist() == [False] * IMAGES[suite.name] + [True]
        assert (arrays["gt_labels"][-1] == -1).all()
