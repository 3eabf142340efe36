"""benchmarks/defaults.py and training_tools.py: what they read of a log, and their tables."""

import pytest

from benchmarks import test_time, training_tools
from benchmarks.defaults import SECONDS, format_table, mean_iou
from utils.detection.test_time import keys


def test_no_tool_is_left_on_in_the_plain_row():
    tools = set(keys.TestTimeKeys.model_fields) - set(keys.Config.model_fields)
    assert set(test_time.TOOLS[test_time.PLAIN]) == tools - {"only_classes", "soft_nms_sigma"}  # which alone do nothing


def test_the_last_evaluation_of_a_log_counts():
    log = """
===> class: pole, IoU: 0.1
===> class: traffic sign, IoU: 0.9
[time] ===> class: pole, IoU: 0.25
[time] ===> class: traffic sign, IoU: absent
"""
    assert mean_iou(log, ["pole", "traffic sign"]) == pytest.approx(0.125)


def test_the_table_has_means_spreads_and_ratios():
    before = [{"mIoU": 0.2, SECONDS: 100.0}, {"mIoU": 0.3, SECONDS: 120.0}]
    after = [{"mIoU": 0.4, SECONDS: 99.0}, {"mIoU": 0.2, SECONDS: 110.0}]
    assert format_table(before, after).splitlines()[2:] == [
        "| mIoU | 0.2500 (0.2000 to 0.3000) | 0.3000 (0.2000 to 0.4000) | 1.200 |",
        "| processor seconds | 110 (100 to 120) | 104 (99 to 110) | 0.950 |",
    ]


def test_the_table_of_training_tools_pairs_runs_of_a_seed():
    rows = {
        "none": [{"mAP": 0.5, "AP50": 0.8, SECONDS: 100.0}, {"mAP": 0.7, "AP50": 0.9, SECONDS: 110.0}],
        "copy_paste": [{"mAP": 0.6, "AP50": 0.8, SECONDS: 101.0}, {"mAP": 0.8, "AP50": 0.8, SECONDS: 119.0}],
    }
    assert training_tools.format_table(rows).splitlines()[2:] == [
        "| none | 0.6000 ± 0.1414 |  | 0.8500 ± 0.0707 |  | 105 |",
        "| copy_paste | 0.7000 ± 0.1414 | +0.1000 ± 0.0000 | 0.8000 ± 0.0000 | -0.0500 ± 0.0707 | 110 |",
    ]
