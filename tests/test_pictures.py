"""Pictures never end a command or cost its numbers: as a notebook starts it, with names that no font here has."""

import json
import math

import cv2
import pytest

from segformer.tests.tiny_city import write_city
from tests.suites import FASTER_RCNN, NAS_FPN, SEGFORMER, SUITES, for_each, rows_of
from utils.detection.tests.tiny_coco import write_coco

pytestmark = pytest.mark.end_to_end
# A notebook exports the first; the others are those of a container without a locale.
ENVIRONMENT = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "LANG": "C",
}
NAMES = ("赤血球", "$_$", "หมา", r"\frac{")
SMALL = {
    "nas_fpn": ("--batch_size=2", "--warmup_steps=1"),
    "faster_rcnn": ("--batch_size=2", "--warmup_step=1"),
    "segformer": ("--config_path=config/custom.yaml", "--crop_size=[32,32]", "--batch_size=2", "--warmup_steps=1"),
}


def write_data(suite, root):
    """Writes data of classes with such names; returns the arguments that go with it."""
    if suite is SEGFORMER:
        return (f"--data_path={write_city(root, height=32, width=64)}", f"--class_names={json.dumps(list(NAMES))}")
    for path in (write_coco(root) / "annotations").iterdir():
        content = json.loads(path.read_text())
        for category, name in zip(content["categories"], NAMES, strict=False):
            category["name"] = name
        path.write_text(json.dumps(content))
    return (f"--coco_root={root}", f"--mindrecord_dir={root / 'records'}")


@for_each(SUITES, long_run=(FASTER_RCNN, NAS_FPN))
def test_a_notebook_and_names_without_a_font_end_neither_training_nor_evaluation(suite, tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    arguments = (*suite.tiny.TINY_NETWORK, *SMALL[suite.name], *write_data(suite, tmp_path / "data"))
    training = ("--epoch_size=1", "--run_eval=True", "--eval_start_epoch=1", f"--run_dir={run}")
    suite.succeed("train.py", *arguments, *training, cwd=tmp_path, **ENVIRONMENT)
    (row,) = rows_of(run, "evaluation")
    assert math.isfinite(row["metrics"][suite.metric])
    assert cv2.imread(str(run / "curves.png")).shape == (825, 1320, 3)

    (checkpoint,) = run.rglob("*_best.ckpt")
    out.mkdir()
    (out / "pictures").touch()  # a file where the folder is to be
    places = (f"--{suite.checkpoints['eval.py']}={checkpoint}", f"--run_dir={out}")
    done = suite.succeed("eval.py", *arguments, *places, cwd=tmp_path, **ENVIRONMENT)
    assert json.loads((out / "result.json").read_text())[suite.metric] == pytest.approx(row["metrics"][suite.metric])
    (line,) = [line for line in done.stderr.splitlines() if "could not be drawn" in line]
    assert line.startswith(f"warning: the pictures in '{out / 'pictures'}' could not be drawn, all numbers are there: ")
    assert "\\u8d64\\u8840\\u7403" in done.stdout  # the name, in letters that this output has
    if suite is SEGFORMER:
        assert cv2.imread(str(out / "confusion_matrix.png")) is not None
