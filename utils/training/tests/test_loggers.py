"""Loggers beside metrics.jsonl: TensorBoard read back from its files, SwanLab as a module of the test's own."""

import importlib.util
import logging
import math
import struct
import sys
import types

import numpy as np
import pytest

from utils.images import write_image
from utils.model_utils.errors import BadStateError
from utils.training.record.loggers import opening, swanlab
from utils.training.record.loggers.protocol import ResumePoint
from utils.training.record.loggers.run_log import Guarded, RunLog
from utils.training.record.loggers.scalars import scalars_of
from utils.training.record.loggers.tensorboard import TensorBoardLogger, event_files
from utils.training.record.metrics_log import MetricsLog, read_metrics, row_of
from utils.training.record.records import EpochRecord, EvaluationRecord, StepRecord

STEPS = 4  # of an epoch


def step_record(global_step, loss=None):
    epoch, step = divmod(global_step - 1, STEPS)
    losses = {"loss": 1.0 / global_step if loss is None else loss, "box loss": 0.25}
    return StepRecord(epoch + 1, 3, step + 1, global_step, STEPS, losses, 0.1, 2.0, 1.0, True, 3.0, 4.0, 5.0, 6.0)


def evaluation_record(epoch, value):
    per_class = {"IoU": {"traffic light": value, "traffic_light": 0.5, "Straße": None, "a/b": 1.0}}
    return EvaluationRecord(epoch, epoch * STEPS, {"mIoU": value, "threshold": math.nan}, 1.5, per_class)


def read_raw(folder):
    """Returns (step, tag, value) of all events in a folder, by the form of files alone; of pictures, their size."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in event_files(folder):
        content, start = path.read_bytes(), 0
        while start < len(content):
            (length,) = struct.unpack_from("<Q", content, start)
            event = Event.FromString(content[start + 12 : start + 12 + length])
            start += 12 + length + 4
            for value in event.summary.value:
                is_picture = value.HasField("image")
                shown = (value.image.height, value.image.width) if is_picture else round(value.simple_value, 5)
                found.append((event.step, value.tag, shown))
    return found


def test_names_are_grouped_and_clean_and_two_never_become_one():
    row = row_of(evaluation_record(2, 0.75))
    assert scalars_of(row) == {
        "evaluation/mIoU": 0.75,
        "classes_IoU/traffic_light": 0.75,
        "classes_IoU/traffic_light_2": 0.5,
        "classes_IoU/a_b": 1.0,
    }  # neither the class that is not defined nor NaN
    assert scalars_of(row_of(step_record(2, math.inf))) == {
        "train/box_loss": 0.25,
        "train/learning_rate": 0.1,
        "train/grad_norm": 2.0,
        "train/loss_scale": 1.0,
        "speed/images_per_second": 5.0,
        "speed/step_ms": 4.0,
        "speed/data_ms": 3.0,
    }
    epoch = EpochRecord(1, 3, 4, 4, {"loss": 0.5}, 0.1, 2.0, 3.0, 4.0, 5.0)
    assert scalars_of(row_of(epoch)) == {"epoch/loss": 0.5}


def test_per_class_numbers_are_in_metrics_jsonl_and_damaged_ones_are_left_out(tmp_path):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    metrics.add(evaluation_record(1, 0.75))
    metrics.add(EvaluationRecord(2, 8, {"AP": 0.5}))
    metrics.append({**row_of(evaluation_record(3, 0.5)), "per_class": {"IoU": [0.5]}})
    metrics.append({**row_of(evaluation_record(3, 0.5)), "per_class": 7})
    first, second = read_metrics(metrics.path)
    assert first["per_class"] == {"IoU": {"traffic light": 0.75, "traffic_light": 0.5, "Straße": None, "a/b": 1.0}}
    assert list(second) == ["kind", "epoch", "global_step", "metrics", "seconds"]


def test_tensorboard_has_the_numbers_and_a_resumed_run_has_no_step_twice(tmp_path):
    """Steps 1 to 6 with an evaluation at 4; the run goes on from 4, before its evaluation, then from 4 after it."""
    if importlib.util.find_spec("tensorboardX") is None:  # importing it here would import PyTorch
        pytest.skip("tensorboardX is not installed")
    folder, picture = tmp_path / "tensorboard", tmp_path / "a.png"
    write_image(picture, np.zeros((3, 5, 3), np.uint8))

    def run(resumed, first, last, value):
        logger = TensorBoardLogger(folder, tmp_path / "metrics.jsonl")
        logger.begin(resumed)
        for number in range(first, last + 1):
            logger.add(step_record(number))
            if number == STEPS:
                logger.add(evaluation_record(1, value))
                logger.add_picture("predictions/0 a", picture, number)
        logger.close()
        assert len(event_files(folder)) == 1

    def losses():
        return [(step, value) for step, tag, value in read_raw(folder) if tag == "train/loss"]

    run(None, 1, 6, 0.25)
    assert losses() == [(number, round(1 / number, 5)) for number in range(1, 7)]
    assert (4, "classes_IoU/traffic_light", 0.25) in read_raw(folder)
    assert (4, "predictions/0_a", (3, 5)) in read_raw(folder)
    run(ResumePoint(1.0, STEPS), 5, 5, 0.0)
    assert [step for step, _ in losses()] == [1, 2, 3, 4, 5]
    assert not [tag for _, tag, _ in read_raw(folder) if tag.startswith(("evaluation/", "classes_", "predictions/"))]
    run(ResumePoint(0.75, 3), 4, 6, 0.5)
    run(ResumePoint(1.0, STEPS, keep_evaluation=True), 5, 6, 0.0)
    assert losses() == [(number, round(1 / number, 5)) for number in range(1, 7)]
    assert [event for event in read_raw(folder) if event[1] == "evaluation/mIoU"] == [(4, "evaluation/mIoU", 0.5)]
    # With twice the images in a step, four steps are two: what comes next is the third.
    run(ResumePoint(1.0, STEPS, 0.5, keep_evaluation=True), 3, 3, 0.0)
    assert [step for step, _ in losses()] == [0, 1, 2, 2, 3]  # rounded half to even, as Python does
    run(None, 1, 1, 0.0)
    assert losses() == [(1, 1.0)]


def test_tensorboard_has_the_steps_that_a_run_has_made_without_it(tmp_path):
    """An epoch with it, one without, and it is there again: the second comes from metrics.jsonl, in its place."""
    if importlib.util.find_spec("tensorboardX") is None:
        pytest.skip("tensorboardX is not installed")
    folder, metrics = tmp_path / "tensorboard", MetricsLog(tmp_path / "metrics.jsonl")

    def run(resumed, numbers, *, with_logger):
        logger = TensorBoardLogger(folder, metrics.path)
        if with_logger:
            logger.begin(resumed)
        for number in numbers:
            records = [step_record(number), *([evaluation_record(number // STEPS, 0.5)] if number % STEPS == 0 else [])]
            for record in records:
                metrics.add(record)
                if with_logger:
                    logger.add(record)

    run(None, range(1, 5), with_logger=True)
    run(ResumePoint(1.0, 4), range(5, 9), with_logger=False)
    run(ResumePoint(2.0, 8, keep_evaluation=True), range(9, 13), with_logger=True)
    found = read_raw(folder)
    assert [(step, value) for step, tag, value in found if tag == "train/loss"] == [
        (number, round(1 / number, 5)) for number in range(1, 13)
    ]
    assert [step for step, tag, _ in found if tag == "evaluation/mIoU"] == [4, 8, 12]


class FakeSwanLab(types.ModuleType):
    """As much of SwanLab 0.6.4 as is used."""

    def __init__(self):
        super().__init__("swanlab")
        self.started, self.rows, self.finished = [], [], 0
        self.Settings, self.Image = dict, "picture {}".format

    def init(self, **options):
        self.started.append(options)
        self.rows.clear()

    def log(self, values, step):
        self.rows.append((step, values))

    def finish(self):
        self.finished += 1


def test_swanlab_stays_offline_and_a_resumed_run_is_told_anew(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "swanlab", fake := FakeSwanLab())
    monkeypatch.delenv("SWANLAB_MODE", raising=False)
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    log = RunLog(metrics, opening.make_loggers(["swanlab", "swanlab"], tmp_path, {"lr": 0.1}))
    log.begin(None)
    for number in (1, 2, 3):
        log.add(step_record(number))
    log.add_picture("curves", tmp_path / "curves.png")
    log.close()
    (options,) = fake.started
    assert (options["mode"], options["config"], options["experiment_name"]) == ("offline", {"lr": 0.1}, tmp_path.name)
    assert options["settings"]["log_proxy_type"] == "none"
    assert options["settings"]["metadata_collect"] is False
    assert [step for step, _ in fake.rows] == [1, 2, 3, 3]
    assert fake.rows[1][1]["train/loss"] == 0.5
    assert fake.rows[3] == (3, {"curves": f"picture {tmp_path / 'curves.png'}"})
    earlier = tmp_path / "swanlab" / "run-1"
    earlier.mkdir()
    log = RunLog(metrics, opening.make_loggers(["swanlab"], tmp_path, {}))
    log.begin(ResumePoint(0.5, 2))
    log.add(step_record(3, 7.0))
    assert [(step, values["train/loss"]) for step, values in fake.rows] == [(1, 1.0), (2, 0.5), (3, 7.0)]
    assert (fake.finished, earlier.exists()) == (1, False)


@pytest.mark.parametrize(
    ("mode", "key", "chosen"),
    [("", "", "offline"), ("local", "", "local"), ("cloud", "", "offline"), ("cloud", "k", "cloud")],
)
def test_swanlab_never_asks_for_a_key(mode, key, chosen, monkeypatch):
    monkeypatch.setenv("SWANLAB_MODE", mode)
    monkeypatch.setenv("SWANLAB_API_KEY", key)
    assert swanlab.chosen_mode() == chosen


class Broken:
    """A logger that fails where it is told to."""

    def __init__(self, fails_in):
        self.fails_in, self.calls = fails_in, []

    def __getattr__(self, name):
        def act(*_):
            self.calls.append(name)
            if name == self.fails_in:
                raise OSError(28, "No space left on device")

        return act


@pytest.mark.parametrize("place", ["begin", "add", "add_picture", "close"])
def test_a_logger_that_fails_is_said_once_and_is_off(place, tmp_path, caplog):
    broken, other = Broken(place), Broken("")
    log = RunLog(MetricsLog(tmp_path / "metrics.jsonl"), (Guarded("broken", broken), Guarded("other", other)))
    log.add_picture("early", tmp_path / "early.png")  # before there is a log: it waits
    log.begin(None)
    for number in (1, 2):
        log.add(step_record(number))
    log.add_picture("late", tmp_path / "late.png")
    log.close()
    calls = ["begin", "add_picture", "add", "add", "add_picture", "close"]
    assert other.calls == calls
    assert broken.calls == calls[: calls.index(place) + 1]
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.getMessage() == (
        "the logger broken has failed and is off for the rest of this run, which goes on (OSError: [Errno 28] No space "
        "left on device); all numbers are in metrics.jsonl"
    )
    assert len(read_metrics(tmp_path / "metrics.jsonl")) == 2


def test_a_logger_that_is_not_installed_is_one_sentence_with_the_command_of_pip(monkeypatch):
    monkeypatch.setattr(opening.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadStateError) as caught:
        opening.check_installed(["tensorboard", "swanlab"])
    assert str(caught.value) == (
        "loggers has tensorboard, swanlab, whose package is not installed: install it with `pip install "
        "tensorboardX==2.6.5 swanlab==0.6.4`, or leave it out of loggers"
    )
    opening.check_installed([])
