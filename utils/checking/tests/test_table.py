"""The text of a report, letter by letter."""

import pytest

from utils.checking.findings import (
    ERROR,
    NOTE,
    PIXEL_SHARE,
    WARNING,
    Finding,
    Findings,
    Options,
    Report,
    SplitSummary,
)
from utils.checking.table import format_report

SPLIT = SplitSummary("train", "data/train.json", images=1, classes=2, boxes=1200, size=(480, 640))


def test_findings_stand_by_severity_with_count_split_examples_and_advice():
    found = Findings(Options(examples=2))
    found.add(NOTE, "classes-rare", "train", 1, "classes are rare", "annotate more")
    found.add(ERROR, "pictures-missing", "train", 1200, "pictures are not there", "copy them", iter("abc"))
    found.add(ERROR, "pictures-damaged", "train", 0, "never said", "")
    report = Report(
        (SPLIT,), found.ordered(), {"cat": {"train": 1200}, "dog": {}}, suggestions={"img_shape": [96, 128]}
    )
    assert format_report(report, "data set of a suite") == "\n".join(
        [
            "data set of a suite",
            "  train: 1 picture, most 480 x 640 (height x width), 1,200 boxes, 2 classes",
            "    data/train.json",
            "",
            "errors",
            "  1,200  train  pictures are not there",
            "                e.g. a, b, ...",
            "                -> copy them",
            "",
            "notes",
            "  1  train  classes are rare",
            "            -> annotate more",
            "",
            "classes by boxes",
            "          train",
            "  cat     1,200",
            "  dog         -",
            "",
            "keys that would suit these pictures better: --img_shape=[96,128]",
            "",
            "1 error, 1 note",
        ]
    )


def test_a_long_class_list_shows_its_rarest():
    classes = {f"class_{index}": {"train": (40 - index) / 100} for index in range(40)}
    lines = format_report(Report((SPLIT,), (), classes, PIXEL_SHARE), "").splitlines()
    assert "the 30 rarest of 40 classes by share of pixels" in lines
    assert "  class_39    1.00 %" in lines
    assert not any("class_9 " in line for line in lines)


def test_a_percent_sign_stays_with_its_number():
    finding = Finding(WARNING, "a", "train", 1, "word " * 9 + "31 % of the boxes", "")
    for width in range(60, 90):
        lines = format_report(Report((SPLIT,), (finding,)), "", width).splitlines()
        assert any("31 %" in line for line in lines)


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        ((), "nothing to mend"),
        ((Finding(NOTE, "a", "", 1, "", ""),), "nothing to mend, 1 note"),
        ((Finding(ERROR, "a", "", 9, "", ""), Finding(ERROR, "b", "", 1, "", "")), "2 errors"),
    ],
)
def test_the_last_line_counts_kinds_of_fault(findings, text):
    assert Report((), findings).summary() == text
