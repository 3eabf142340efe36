"""What benchmarks/scaling.py makes of a run's files."""

import csv

import pytest

from benchmarks.scaling import Case, Timing, evaluate, format_timings


def test_times_are_medians_and_the_sums_over_workers_those_of_the_profile(tmp_path):
    rows = [
        {"data_ms": data, "step_ms": step, "images_per_second": 4 / (data + step) * 1000}
        for data, step in ((100, 300), (0, 500), (50, 150))
    ]
    with (tmp_path / "steps.csv").open("w") as file:
        file.write("global_step,data_ms,step_ms\n3,9,400\n4,9,600\n")
    (tmp_path / "any" / "FRAMEWORK").mkdir(parents=True)
    with (tmp_path / "any" / "FRAMEWORK" / "cpu_op_detail_info_0.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("op_type", "op_total_time(ms)"))
        writer.writerows((("AllReduce", 60), ("Conv2D", 500), ("AllReduce", 40)))
    timing = evaluate(rows, tmp_path)
    assert timing.steps_per_second == pytest.approx(1 / 0.4)
    assert timing.images_per_second == pytest.approx(10)
    assert (timing.reduction_ms, timing.step_ms) == (50, 500)


def test_the_efficiency_is_for_each_worker():
    table = format_timings({Case(1, 32): Timing(2.5, 10.0, 0.0, 400.0), Case(2, 0): Timing(2.0, 16.0, 100.0, 500.0)})
    assert table.splitlines()[2:] == [
        "| 1 worker | 2.50 | 10.00 | 100% | 0.0 ms | 0% |",
        "| 2 workers, gradient_fusion_mb 0 | 2.00 | 16.00 | 80% | 100.0 ms | 20% |",
    ]
