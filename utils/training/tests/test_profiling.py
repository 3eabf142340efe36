"""Which steps are profiled, and what is left of them; MindSpore's own profiler on a CPU."""

import csv
import errno
import logging
import os

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.training.record import profiling
from utils.training.record.profiling import StepProfiler
from utils.training.record.records import StepRecord


class StandIn:
    def __init__(self, folder, fails_at=""):
        self.calls, self.fails_at = [], fails_at
        (folder / "of MindSpore").mkdir(parents=True)

    def __getattr__(self, name):
        def call():
            self.calls.append(name)
            if name == self.fails_at:
                raise RuntimeError("\nno such device\nand more")

        return call


def record(step):
    return StepRecord(
        epoch=1,
        epochs=1,
        step=step,
        steps_per_epoch=20,
        global_step=step,
        losses={"loss": 1.0},
        learning_rate=0.1,
        grad_norm=1.0,
        loss_scale=1.0,
        is_finite=True,
        data_ms=float(step),
        step_ms=10.0 * step,
        images_per_second=1.0,
        seconds_left=1.0,
    )


def run(profiler, steps):
    for step in range(1, steps + 1):
        profiler.after_step(record(step))
    profiler.close()


@pytest.mark.parametrize(
    ("steps", "profiled"), [(1, []), (2, []), (4, [3, 4]), (7, [3, 4, 5, 6, 7]), (12, [3, 4, 5, 6, 7])]
)
def test_the_first_steps_compile_and_five_others_are_profiled(steps, profiled, tmp_path, monkeypatch):
    stand_in = StandIn(tmp_path / "profile")
    monkeypatch.setattr(profiling, "_new_profile", lambda *_: stand_in)
    run(StepProfiler(tmp_path / "profile", "CPU"), steps)
    assert stand_in.calls == (["start", "stop"] if steps >= 2 else [])
    if not profiled:
        assert not (tmp_path / "profile" / "steps.csv").exists()
        return
    with (tmp_path / "profile" / "steps.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["global_step"]) for row in rows] == profiled
    assert [(float(row["data_ms"]), float(row["step_ms"])) for row in rows] == [(s, 10 * s) for s in profiled]


@pytest.mark.parametrize("fails_at", ["start", "stop"])
def test_a_profiler_that_fails_is_a_line_in_the_log_and_the_run_goes_on(fails_at, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(profiling, "_new_profile", lambda *_: StandIn(tmp_path, fails_at))
    run(StepProfiler(tmp_path, "CPU"), 7)
    assert [line.message for line in caplog.records] == [
        "MindSpore's profiler does not work here (no such device): steps.csv has the times of the steps, nothing has "
        "those of operators",
        f"profiled steps 3 to 7: 5.0 ms waiting for data, 50.0 ms the step itself; steps.csv in '{tmp_path}'",
    ]


def test_a_table_that_finds_no_room_is_a_line_in_the_log_and_the_run_goes_on(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(profiling, "_new_profile", lambda *_: StandIn(tmp_path / "profile"))
    monkeypatch.setattr(os, "replace", full)
    run(StepProfiler(tmp_path / "profile", "CPU"), 8)
    assert "steps.csv' cannot be written (No space left on device" in caplog.text


def test_a_profiler_that_ends_without_a_profile_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(profiling, "_new_profile", lambda *_: StandIn(tmp_path / "elsewhere"))
    run(StepProfiler(tmp_path / "profile", "CPU"), 7)
    assert "MindSpore's profiler does not work here (it wrote nothing)" in caplog.text
    assert [path.name for path in (tmp_path / "profile").iterdir()] == ["steps.csv"]


def test_mindspore_names_the_operators_of_the_profiled_steps(tmp_path):
    net = nn.Dense(4, 3)
    profiler = StepProfiler(tmp_path, "CPU")
    for step in range(1, 8):
        net(ms.Tensor(np.ones((2, 4), np.float32)))
        profiler.after_step(record(step))
    (table,) = tmp_path.rglob("cpu_op_detail_info_*.csv")
    with table.open(newline="") as file:
        occurrences = {row["op_type"]: int(row["op_occurrences"]) for row in csv.DictReader(file)}
    assert occurrences["MatMul"] == 5


def test_a_folder_whose_name_mindspores_profiler_refuses_is_a_line_in_the_log_too(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    run(StepProfiler(tmp_path / "a \"quoted\" 'name'", "CPU"), 7)
    assert "MindSpore's profiler does not work here (it refuses the folder '" in caplog.text
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == [
        "a \"quoted\" 'name'/steps.csv"
    ]
