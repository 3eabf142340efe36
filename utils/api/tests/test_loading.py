"""What is no model is refused in a sentence, and importing the API imports nothing heavy."""

import sys

import numpy as np
import pytest

from utils.api import load, train
from utils.api.suites import SUITES, open_build, suite_folder
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.tests.processes import finish
from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint


def test_importing_it_imports_neither_mindspore_nor_a_suite():
    code = "import utils.api, sys; print([name for name in sys.modules if name.split('.')[0] in "
    code += "('mindspore', 'cv2', 'mmcv', 'matplotlib', 'pydantic', 'faster_rcnn', 'segformer', 'nas_fpn')])"
    finished = finish(sys.executable, "-c", code, cwd=suite_folder("nas_fpn").parent)
    assert finished.stdout.strip() == "[]", finished.stdout + finished.stderr


def test_paths_that_are_no_model_are_refused(tmp_path):
    with pytest.raises(MissingPathError, match=r"best\.ckpt' does not exist.*: name a checkpoint"):
        load(tmp_path / "best.ckpt")
    with pytest.raises(MissingPathError, match="is a folder: name a checkpoint in it"):
        load(tmp_path)
    with pytest.raises(BadValueError, match="7 is of type int, wanted the path of a checkpoint"):
        load(7)
    for name in ("text.ckpt", "empty.ckpt", "model.mindir"):
        (tmp_path / name).write_text("" if name == "empty.ckpt" else "no model")
        with pytest.raises((BadValueError, MissingPathError)) as error:
            load(tmp_path / name)
        assert str(tmp_path) in str(error.value)
    (tmp_path / "model.air").write_text("x")
    with pytest.raises(BadValueError, match="cannot be run here: give the checkpoint, or export it as MINDIR or ONNX"):
        load(tmp_path / "model.air")
    (tmp_path / "model.onnx").write_text("x")
    with pytest.raises(MissingPathError, match="model.json' does not exist: export the model, which writes it beside"):
        load(tmp_path / "model.onnx")


def test_a_checkpoint_of_no_known_suite_asks_for_one(tmp_path):
    arrays = {"weight": np.zeros(3, np.float32)}
    save_checkpoint(tmp_path / "a.ckpt", TrainingState(arrays=arrays))
    with pytest.raises(BadValueError, match="does not say of which suite it is: give suite=, one of 'faster_rcnn'"):
        load(tmp_path / "a.ckpt")
    with pytest.raises(BadValueError, match="there is no suite 'yolo': choose one of faster_rcnn, nas_fpn, segformer"):
        load(tmp_path / "a.ckpt", suite="yolo")
    with pytest.raises(BadValueError, match="has no parameter 'head.regress.bias', so it belongs to another network"):
        load(tmp_path / "a.ckpt", suite="nas_fpn")
    save_checkpoint(tmp_path / "b.ckpt", TrainingState(arrays=arrays, suite="segformer"))
    with pytest.raises(BadValueError, match="is a checkpoint of segformer, not of nas_fpn: leave suite out"):
        load(tmp_path / "b.ckpt", suite="nas_fpn")


def test_the_door_opens_the_suites_and_nothing_else(monkeypatch, tmp_path):
    assert [open_build(name).SUITE for name in SUITES] == list(SUITES)
    with pytest.raises(BadValueError, match="there is no suite 'os': choose one of"):
        open_build("os")
    with pytest.raises(BadValueError, match="there is no suite"):
        train("os")
    monkeypatch.setattr("utils.api.suites.ROOT", tmp_path)
    with pytest.raises(BadStateError, match="is not here: use the whole repository"):
        open_build("nas_fpn")
