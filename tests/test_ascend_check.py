"""Exported files hold classic primitives alone, each of which the wheel's libraries for Ascend name."""

import subprocess
import sys

import pytest

from tests.suites import ROOT, for_suites
from utils.exporting.ascend_libraries import read_ascend_names
from utils.exporting.primitives import primitives_of

# Those of MindSpore's older releases too, which converters know; not Muls, MatMulExt, ClampScalar and the like.
CLASSIC = frozenset(
    (
        *("Add", "ArgMaxWithValue", "Argmax", "AvgPool", "BatchMatMul", "BatchNorm", "BiasAdd", "BroadcastTo", "Cast"),
        *("Concat", "Conv2D", "Div", "Erf", "Exp", "ExpandDims", "Floor", "FloorDiv", "Gather", "Greater"),
        *("GreaterEqual", "LayerNorm", "LogicalAnd", "MatMul", "MaxPool", "Maximum", "Minimum", "Mul", "NMSWithMask"),
        *("ROIAlign", "ReLU", "RealDiv", "ReduceMean", "Reshape", "ResizeBilinearV2", "Select", "Sigmoid", "Softmax"),
        *("Split", "Sqrt", "Stack", "StridedSlice", "Sub", "Tile", "TopK", "Transpose"),
    )
)


def run_check(wanted):
    finished = subprocess.run(
        [sys.executable, "-m", "utils.tools.ascend_check", str(wanted)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.end_to_end
@for_suites
def test_exported_files_hold_classic_primitives_that_ascend_knows(toy):
    found = primitives_of(toy.exported)
    assert found and set(found) <= CLASSIC, set(found) - CLASSIC
    names = read_ascend_names()
    if names is None:
        pytest.skip("the installed mindspore has no libraries for Ascend")
    unnamed = [name for name in found if not names.has_kernel(name) and not names.has_adapter(name)]
    assert not unnamed


def test_names_are_told_from_what_is_none():
    names = read_ascend_names()
    if names is None:
        pytest.skip("the installed mindspore has no libraries for Ascend")
    assert names.has_kernel("ClampScalar") and not names.has_adapter("ClampScalar")
    assert names.has_adapter("NMSWithMask") and not names.has_kernel("NMSWithMask")
    assert not names.has_kernel("NoSuchOperator") and not names.has_adapter("NoSuchOperator")


@pytest.mark.long_run
@pytest.mark.parametrize("suite", ["faster_rcnn", "nas_fpn", "segformer"])
def test_a_suite_shows_its_graphs(suite):
    shown = run_check(suite)
    for title in ("training step", "evaluation", "exported file"):
        assert f"{title}: " in shown
    assert "only a run there shows that" in shown


def test_what_is_no_model_is_one_sentence(tmp_path):
    (tmp_path / "text").write_text("no model")
    for wanted in (tmp_path / "text", tmp_path / "absent"):
        finished = subprocess.run(
            [sys.executable, "-m", "utils.tools.ascend_check", wanted], cwd=ROOT, capture_output=True, text=True
        )
        assert finished.returncode == 2 and finished.stderr.count("\n") == 1, finished.stderr
