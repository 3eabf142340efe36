"""How a run ends before its last epoch: out of patience, out of time; and whether it came to what was expected."""

import logging
import math
from types import SimpleNamespace

import pytest
from tiny_training import STEPS_PER_EPOCH, tiny_step, tiny_trainer

from utils.model_utils.errors import BadValueError, MissedMetricError
from utils.training.checkpoints.checkpoint import load_checkpoint
from utils.training.ends import time_limit
from utils.training.ends.expected import check_metric, check_training, refuse_unmeasured
from utils.training.ends.time_limit import TimeLimit
from utils.training.record.metrics_log import read_metrics
from utils.training.record.records import EvaluationRecord, TrainResult


@pytest.fixture(scope="module")
def step():
    """One step for all tests, which compiles once; what it has learned in one is no matter to another."""
    return tiny_step()[1]


def evaluate(values):
    return lambda epoch: {"AP": values[epoch - 1]}


class Remembering:
    """A logger that keeps the steps and names that it is given."""

    def __init__(self):
        self.seen = []

    def begin(self, resumed):
        self.seen.append(resumed and resumed.global_step)

    def add(self, record):
        self.seen.append((type(record).__name__, record.global_step))

    def add_picture(self, name, path, global_step):
        self.seen.append((name, global_step))

    def close(self):
        self.seen.append("closed")


def test_patience_ends_a_run_and_resuming_it_says_so(tmp_path, step, caplog):
    """0.5, 0.6, then equal, undefined and lower: three without a better one, and the run of 9 epochs ends at 5."""
    caplog.set_level(logging.INFO)
    values = [0.5, 0.6, 0.6, math.nan, 0.1, 0.2, 0.7, 0.3, 0.4]
    options = {
        "step": step,
        "epochs": 9,
        "evaluate": evaluate(values),
        "best_metric": "AP",
        "save_every_epochs": 4,
        "log_interval": STEPS_PER_EPOCH,
    }
    logger = Remembering()
    trainer, run, _ = tiny_trainer(tmp_path, patience=3, loggers=(logger,), **options)
    with run:
        result = trainer.fit()
    assert (result.has_ended, result.steps, result.best.epoch) == (True, 5 * STEPS_PER_EPOCH, 3)
    assert result.last_checkpoint.name == "tiny-5_4.ckpt"  # which save_every_epochs alone would not have left
    assert load_checkpoint(result.last_checkpoint).evaluations_without_better == 3
    assert "the run ends at epoch 5 of 9, no better AP in 3 evaluations; the best is 0.6000 at epoch 3" in caplog.text
    assert run.curves_path.is_file()
    steps = [("StepRecord", 4 * epoch) for epoch in range(1, 6)]
    assert (logger.seen[0], logger.seen[-2:]) == (None, [("curves", 20), "closed"])
    assert [seen for seen in logger.seen[1:] if seen[0] == "StepRecord"] == steps

    caplog.clear()
    again = Remembering()
    trainer, run, _ = tiny_trainer(tmp_path, patience=3, loggers=(again,), **options)
    with run:
        assert trainer.fit().steps == 0
    assert (
        "the run has ended at epoch 5 of 9, no better AP in 3 evaluations; the best is 0.6000 at epoch 3: raise "
        "--patience to go on"
    ) in caplog.text
    assert again.seen == [20, ("curves", 20), "closed"]

    trainer, run, _ = tiny_trainer(tmp_path, patience=5, **options)
    with run:
        result = trainer.fit()
    assert (result.steps, result.best.epoch, result.best.metrics) == (4 * STEPS_PER_EPOCH, 7, {"AP": 0.7})
    rows = read_metrics(run.metrics.path)
    assert [row["epoch"] for row in rows if row["kind"] == "evaluation"] == list(range(1, 10))
    trainer, run, _ = tiny_trainer(tmp_path, patience=5, **options)
    with run:
        trainer.fit()
    assert "the run has ended at epoch 9 of 9, all epochs are done: raise --epoch_size to go on" in caplog.text
    trainer, run, _ = tiny_trainer(tmp_path, patience=5, **{**options, "epochs": 3})
    with run:
        assert trainer.fit().steps == 0
    assert "the run has ended at epoch 9 of 3, all epochs are done: raise --epoch_size to go on" in caplog.text


class Clock:
    """Seconds that pass by a step's length each time that one looks."""

    def __init__(self, seconds):
        self.now, self.seconds = 0.0, seconds

    def time(self):
        self.now += self.seconds
        return self.now


def test_time_runs_out_and_the_run_goes_on(tmp_path, step, caplog, monkeypatch):
    """An hour, of which half passes at each look: one before a step and one after it."""
    caplog.set_level(logging.INFO)
    options = {"step": step, "epochs": 2, "evaluate": evaluate([0.5, 0.6]), "best_metric": "AP"}
    monkeypatch.setattr(time_limit, "time", Clock(1799.0))
    trainer, run, _ = tiny_trainer(tmp_path, time_limit=TimeLimit(1.0, 0.0), **options)
    with run:
        result = trainer.fit()
    assert (result.has_ended, result.steps, result.best) == (False, 2, None)
    assert result.last_checkpoint.name == "tiny-1_2.ckpt"
    assert (
        f"the limit max_hours 1 is reached: stopped at epoch 1 step 2, saved {result.last_checkpoint}; the same "
        "command goes on with --resume=auto"
    ) in caplog.text

    monkeypatch.setattr(time_limit, "time", Clock(1.0))
    trainer, run, _ = tiny_trainer(tmp_path, time_limit=TimeLimit(5.5 / 3600, 0.0), **options)
    with run:
        result = trainer.fit()
    # four looks at two steps, one before the evaluation: the sixth, after it, finds no time for another epoch
    assert (result.has_ended, result.steps, result.best.metrics) == (False, 2, {"AP": 0.5})
    assert load_checkpoint(result.last_checkpoint).epoch_done

    trainer, run, _ = tiny_trainer(tmp_path, **options)
    with run:
        result = trainer.fit()
    assert (result.has_ended, result.steps, result.best.metrics) == (True, 4, {"AP": 0.6})
    rows = read_metrics(run.metrics.path)
    assert [row["global_step"] for row in rows if row["kind"] == "step"] == list(range(1, 9))


def test_a_limit_looks_ahead():
    limit = TimeLimit(0.5, time_limit.time.time() - 1700.0)
    assert limit.seconds_left() == pytest.approx(100.0, abs=1.0)
    assert (limit.is_reached(), limit.is_reached(200.0), time_limit.NO_LIMIT.is_reached(1e9)) == (False, True, False)


def config(**values):
    return SimpleNamespace(**{"expected_metric": 0.4, "expected_tolerance": 0.0, "run_eval": True, **values})


def test_a_metric_that_is_missed_is_one_sentence_and_code_1(caplog):
    caplog.set_level(logging.INFO)
    for value, tolerance in ((0.4, 0.0), (0.395, 0.005), (0.9, 0.0)):
        check_metric(config(expected_tolerance=tolerance), "mAP", value)
    assert "mAP is 0.3950, expected was 0.4 within 0.005: reached" in caplog.text
    for value, tolerance in ((0.3999, 0.0), (0.39, 0.005), (math.nan, 1.0)):
        with pytest.raises(MissedMetricError, match="^mAP is .*: the metric is missed$") as caught:
            check_metric(config(expected_tolerance=tolerance), "mAP", value)
        assert caught.value.exit_code == 1
    check_metric(config(expected_metric=None), "mAP", math.nan)


def test_a_training_is_measured_by_its_best_evaluation_when_it_has_ended(caplog):
    caplog.set_level(logging.INFO)
    best, last = (EvaluationRecord(epoch, epoch, {"mIoU": value}) for epoch, value in ((1, 0.5), (2, 0.3)))
    check_training(config(), TrainResult(best, last, 2), "mIoU")
    for result in (TrainResult(None, last, 2), TrainResult(last, best, 2)):
        with pytest.raises(MissedMetricError, match="mIoU is 0.3000, expected was 0.4: the metric is missed"):
            check_training(config(), result, "mIoU")
    check_training(config(), TrainResult(None, last, 2, has_ended=False), "mIoU")
    assert "expected_metric is checked when the run has ended" in caplog.text
    with pytest.raises(
        BadValueError,
        match="this process has evaluated nothing, since the run was at its end: give expected_metric to eval.py",
    ):
        check_training(config(), TrainResult(None, None, 2), "mIoU")
    with pytest.raises(BadValueError, match="expected_metric is 0.4 and run_eval is false, so nothing is measured"):
        refuse_unmeasured(config(run_eval=False))
    refuse_unmeasured(config(expected_metric=None, run_eval=False))
