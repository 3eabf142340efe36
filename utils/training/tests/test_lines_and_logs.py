"""Log lines, metrics rows, curves and logging."""

import json
import logging
import math
import sys

import cv2
import numpy as np
import pytest

from utils.model_utils.errors import BadStateError
from utils.training.record.curves import CurvePicture, draw_curves, smooth
from utils.training.record.lines import (
    format_duration,
    format_epoch_line,
    format_evaluation_line,
    format_losses,
    format_step_line,
)
from utils.training.record.logging_setup import set_up_logging
from utils.training.record.metrics_log import MetricsLog, in_one_count, read_metrics
from utils.training.record.progress_bar import ProgressBar
from utils.training.record.records import EpochRecord, EvaluationRecord, StepRecord
from utils.training.record.timing import EpochMeter, StepTimer


def step_record(**options):
    values = {
        "epoch": 2,
        "epochs": 12,
        "step": 50,
        "steps_per_epoch": 916,
        "global_step": 966,
        "losses": {"loss": 0.81234, "class": 0.50011, "box": 0.31223},
        "learning_rate": 0.005,
        "grad_norm": 3.2104,
        "loss_scale": 1.0,
        "is_finite": True,
        "data_ms": 2.4,
        "step_ms": 431.2,
        "images_per_second": 9.23,
        "seconds_left": 3723.0,
    }
    return StepRecord(**{**values, **options})


def epoch_record(**options):
    values = {
        "epoch": 2,
        "epochs": 12,
        "steps": 916,
        "global_step": 1832,
        "seconds": 400.0,
        "losses": {"loss": 0.8, "class": 0.5, "box": 0.3},
        "learning_rate": 0.005,
        "data_ms": 2.0,
        "step_ms": 434.0,
        "images_per_second": 9.16,
    }
    return EpochRecord(**{**values, **options})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0:00"),
        (9, "0:09"),
        (400, "6:40"),
        (3723, "1:02:03"),
        (2 * 86400 + 3723, "2d 1:02:03"),
        (86399.7, "1d 0:00:00"),
    ],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


def test_the_step_line():
    assert format_step_line(step_record()) == (
        "epoch 2/12 step 50/916 loss 0.8123 (class 0.5001 box 0.3122) lr 0.005 grad 3.21 data 2 ms step 431 ms "
        "9.2 img/s eta 1:02:03"
    )


def test_the_line_of_a_skipped_step():
    line = format_step_line(
        step_record(is_finite=False, losses={"loss": math.inf}, loss_scale=65536.0, grad_norm=math.nan)
    )
    assert "loss inf lr 0.005 grad nan " in line
    assert line.endswith(" skipped: not finite at loss scale 65536")


def test_the_epoch_line():
    assert format_epoch_line(epoch_record()) == (
        "epoch 2/12 done in 6:40 loss 0.8000 (class 0.5000 box 0.3000) data 2 ms step 434 ms 9.2 img/s"
    )
    assert " done in 6:40 data " in format_epoch_line(epoch_record(losses={}))


def test_the_evaluation_line():
    now, best = (
        EvaluationRecord(3, 30, {"AP": 0.4, "AP50": 0.8}, 12.34),
        EvaluationRecord(2, 20, {"AP": 0.5, "AP50": 0.7}),
    )
    assert format_evaluation_line(now, best, "AP") == (
        "evaluation epoch 3: AP 0.4000 AP50 0.8000 in 12.3 s (best AP 0.5000 at epoch 2)"
    )
    assert format_evaluation_line(now, None, "") == "evaluation epoch 3: AP 0.4000 AP50 0.8000 in 12.3 s"
    nothing_found = EvaluationRecord(3, 30, {"AP": 0.0, "F1_threshold": math.nan}, 12.34)
    assert format_evaluation_line(nothing_found, None, "") == "evaluation epoch 3: AP 0.0000 in 12.3 s"
    undefined = EvaluationRecord(3, 30, {"mIoU": math.nan}, 12.3)
    said = "evaluation epoch 3: no metric is defined, as the evaluation has nothing to find, in 12.3 s"
    assert format_evaluation_line(undefined, None, "") == said


def test_a_loss_without_parts():
    assert format_losses({"loss": 1.0}) == "loss 1.0000"


def test_the_meter_leaves_skipped_steps_out_of_the_losses_and_not_out_of_the_times():
    meter = EpochMeter()
    meter.add(step_record(losses={"loss": 1.0}, data_ms=10.0, step_ms=90.0))
    meter.add(step_record(losses={"loss": math.nan}, is_finite=False, data_ms=20.0, step_ms=80.0))
    meter.add(step_record(losses={"loss": 2.0}, data_ms=30.0, step_ms=70.0, learning_rate=0.1))
    record = meter.record(1, 2, 3, images_per_step=4)
    assert record.losses == {"loss": 1.5}
    assert (record.steps, record.data_ms, record.step_ms, record.learning_rate) == (3, 20.0, 80.0, 0.1)
    assert record.seconds == pytest.approx(0.3)
    assert record.images_per_second == pytest.approx(40.0)


def test_an_epoch_without_a_finite_step_has_no_losses():
    meter = EpochMeter()
    meter.add(step_record(is_finite=False))
    assert meter.record(1, 1, 1, 1).losses == {}


def test_the_first_step_does_not_count_for_the_time_left(monkeypatch):
    """Steps of 20 s (compiling), 1 s and 2 s; then 0.9 * 1 + 0.1 * 2 = 1.1 s for each of 7 steps left."""
    clock = iter([0, 0, 20, 20, 20.5, 21, 21, 21.5, 23])
    monkeypatch.setattr("utils.training.record.timing.time.perf_counter", lambda: next(clock))
    timer = StepTimer(images_per_step=4, total_steps=10)
    times = []
    for step in (1, 2, 3):
        timer.begin()
        timer.got_batch()
        times.append(timer.end(step))
    assert [item.seconds_left for item in times] == pytest.approx([180, 8, 7.7])
    assert (times[1].data_ms, times[1].step_ms, times[1].images_per_second) == (500, 500, 4)


def test_metrics_come_back_and_what_is_not_finite_is_null(tmp_path):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    metrics.add(step_record(losses={"loss": math.nan, "box": 0.5}))
    metrics.add(epoch_record())
    metrics.add(EvaluationRecord(2, 1832, {"AP": 0.5}))
    rows = read_metrics(metrics.path)
    assert [row["kind"] for row in rows] == ["step", "epoch", "evaluation"]
    assert rows[0]["losses"] == {"loss": None, "box": 0.5}
    assert "NaN" not in metrics.path.read_text()
    assert json.loads(metrics.path.read_text().splitlines()[2])["metrics"] == {"AP": 0.5}


def test_a_last_line_cut_short_is_left_out_and_what_follows_is_not_lost(tmp_path):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    metrics.append(row_of("step", 1))
    with metrics.path.open("a") as file:
        file.write('{"kind": "step", "glo')
    assert len(read_metrics(metrics.path)) == 1
    metrics.cut(0.25, keep_evaluation=True)
    metrics.append(row_of("step", 2))
    assert [row["global_step"] for row in read_metrics(metrics.path)] == [1, 2]


@pytest.mark.parametrize(
    "damage",
    [
        {"epoch": "x"},
        {"step": None},
        {"steps_per_epoch": 0},
        {"global_step": -1},
        {"global_step": 2**53},
        {"losses": {"loss": "x"}},
        {"losses": [1]},
        {"learning_rate": "fast"},
        {"kind": 3},
    ],
)
def test_a_damaged_row_is_left_out_and_counted_and_all_others_stay(damage, tmp_path, caplog):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    for row in (row_of("step", 1), row_of("step", 2) | damage, row_of("step", 3), row_of("step", 4)):
        metrics.append(row)
    metrics.cut(0.75, keep_evaluation=True)
    assert [record.message for record in caplog.records] == [
        f"{metrics.path}: 1 damaged row is left out, first line 2; all others count"
    ]
    assert [row["global_step"] for row in read_metrics(metrics.path)] == [1, 3]
    assert len(metrics.path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "line",
    [
        b"9" * 4301,
        b'{"kind": "step", "epoch": ' + b"9" * 4301 + b"}",
        b"\xff",
        b"[1]",
        b"",
        b'{"kind": "\\ud800", "epoch": 1, "global_step": 1}',
        b'{"kind": "\xed\xa0\x80", "epoch": 1, "global_step": 1}',
        b'{"kind": "epoch", "epoch": 1, "global_step": 1, "losses": {"\\ud800": 1}}',
    ],
)
def test_a_line_that_is_no_row_is_left_out(line, tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [json.dumps(row_of("step", step)).encode() for step in (1, 2)]
    path.write_bytes(b"\n".join([rows[0], line, rows[1]]) + b"\n")
    assert [row["global_step"] for row in read_metrics(path)] == [1, 2]


def test_the_curves_are_drawn_of_the_rows_that_have_what_is_drawn(tmp_path, caplog):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    metrics.add(step_record())
    metrics.append({"kind": "step", "epoch": 1, "global_step": 2, "step": 2, "steps_per_epoch": 4})
    metrics.append({"kind": "evaluation", "epoch": 1, "global_step": 2})
    CurvePicture(metrics.path, tmp_path / "curves.png").draw()
    assert caplog.text == ""
    assert (tmp_path / "curves.png").stat().st_size > 1000


@pytest.mark.parametrize(("keep", "kinds"), [(True, ["step", "evaluation"]), (False, ["step"])])
def test_cutting_removes_what_a_resumed_run_writes_again(keep, kinds, tmp_path):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    for kind, step in (("step", 4), ("evaluation", 4), ("step", 5)):
        metrics.append(row_of(kind, step))
    metrics.cut(1, keep_evaluation=keep)
    assert [row["kind"] for row in read_metrics(metrics.path)] == kinds
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_rows_before_and_after_another_batch_size_are_cut_and_counted_alike(tmp_path):
    """Six steps of four in an epoch, then step 4 of two in an epoch: epochs 1.5 and 2."""
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    for step in range(1, 7):
        metrics.append(row_of("step", step))
    metrics.append(row_of("step", 4, steps_per_epoch=2))
    counted = [row["global_step"] for row in in_one_count(read_metrics(metrics.path))]
    assert counted == [0.5, 1, 1.5, 2, 2.5, 3, 4]
    metrics.cut(1.5, keep_evaluation=True)
    assert [row["global_step"] for row in read_metrics(metrics.path)] == [1, 2, 3, 4, 5, 6]


def row_of(kind, global_step, steps_per_epoch=4):
    epoch, step = divmod(global_step - 1, steps_per_epoch)
    return {
        "kind": kind,
        "epoch": epoch + 1,
        "step": step + 1,
        "steps_per_epoch": steps_per_epoch,
        "global_step": global_step,
    }


def test_a_missing_file_has_no_rows(tmp_path):
    MetricsLog(tmp_path / "none").cut(3, keep_evaluation=True)
    assert read_metrics(tmp_path / "none") == []


def test_smoothing_is_a_centred_mean_that_leaves_gaps_out():
    """Windows reach 2 to each side, less at the ends: (1), (1, 2, 6), (1, 2, 6, 3), (6, 3), (3) with one gap."""
    assert smooth([1.0, 2.0, 6.0, None, 3.0]) == [1.0, 3.0, 3.0, 4.5, 3.0]
    assert math.isnan(smooth([None])[0])


def test_the_curves_are_a_picture_of_some_colours(tmp_path):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    for step in range(1, 30):
        metrics.add(
            step_record(
                global_step=step,
                is_finite=step != 7,
                losses={"loss": math.nan if step == 7 else 100.0 / step**2, "box": 0.5},
            )
        )
    metrics.add(EvaluationRecord(1, 15, {"AP": math.nan, "AP50": 0.5}))
    draw_curves(metrics.path, tmp_path / "curves.png")
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture.shape == (825, 1320, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    assert "matplotlib.pyplot" not in sys.modules


def test_no_rows_no_picture_and_a_failure_is_only_a_warning(tmp_path, caplog):
    metrics = MetricsLog(tmp_path / "metrics.jsonl")
    draw_curves(metrics.path, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
    metrics.add(step_record())
    CurvePicture(metrics.path, metrics.path / "curves.png").draw()  # beneath a file
    assert "could not be drawn" in caplog.text


@pytest.fixture
def root_logger():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def test_messages_are_bare_on_the_console_and_full_in_the_file(root_logger, tmp_path, capsys):
    set_up_logging()
    set_up_logging(tmp_path / "train.log", rank=1, rank_count=1)
    set_up_logging(tmp_path / "train.log")
    logging.getLogger("room").info("epoch: 2 step: 916, loss is %s", 32.88424)
    logging.getLogger("room").warning("careful")
    assert capsys.readouterr().err == "epoch: 2 step: 916, loss is 32.88424\nwarning: careful\n"
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith(" [rank 0] INFO room: epoch: 2 step: 916, loss is 32.88424")


def test_messages_are_written_once_where_standard_error_is_the_log_itself(root_logger, tmp_path, monkeypatch):
    log = tmp_path / "train.log"
    with log.open("a") as errors:
        monkeypatch.setattr(sys, "stderr", errors)
        set_up_logging(log)
        logging.getLogger("room").info("news")
        monkeypatch.undo()
    assert log.read_text() == "news\n"


def test_messages_of_other_ranks_begin_with_their_number(root_logger, capsys):
    for rank in (0, 3):
        set_up_logging(rank=rank, rank_count=8)
        logging.getLogger("room").info("news")
    logging.getLogger("room").warning("careful")
    assert capsys.readouterr().err == "news\n[rank 3] news\n[rank 3] warning: careful\n"


def test_a_log_file_that_cannot_be_written_is_a_sentence(root_logger, tmp_path):
    with pytest.raises(BadStateError, match="log file .* cannot be written"):
        set_up_logging(tmp_path / "missing" / "train.log")


def test_without_a_terminal_there_is_no_bar(capsys):
    with ProgressBar(10, 0) as bar:
        bar.show_step(step_record())
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_on_a_terminal_the_bar_shows_epoch_loss_speed_and_time_left(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with ProgressBar(2000, 0) as bar:
        bar.show_step(step_record())
    shown = capsys.readouterr().err
    for part in ("epoch 2/12", "loss 0.8123", "9.2 img/s", "eta 1:02:03"):
        assert part in shown
