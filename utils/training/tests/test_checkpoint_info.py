"""What a checkpoint says of itself, and what is refused."""

import numpy as np
import pytest
from tiny_training import TinyNetwork, tiny_trainer

from utils.model_utils.errors import BadValueError, MissingPathError
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from utils.training.checkpoints.checkpoint_file import STATE_NAME, write_checkpoint_file
from utils.training.checkpoints.checkpoint_info import read_checkpoint_info


def test_a_run_stores_its_classes(tmp_path):
    trainer, run, _ = tiny_trainer(tmp_path, epochs=1, class_names=("sky", "Straße"), category_ids=(np.int64(7), 3))
    with run:
        result = trainer.fit()
    info = read_checkpoint_info(result.last_checkpoint, "tiny")
    assert (info.class_names, info.category_ids, info.suite) == (("sky", "Straße"), (7, 3), "tiny")
    shapes = {parameter.name: tuple(parameter.shape) for parameter in TinyNetwork().get_parameters()}
    assert shapes.items() <= info.shapes.items()
    assert info.length("head.weight") == 3
    assert load_checkpoint(result.last_checkpoint).class_names == ["sky", "Straße"]


def test_an_older_file_says_no_classes(tmp_path):
    state = TrainingState(arrays={"head.weight": np.zeros((3, 4), np.float32)}, suite="tiny")
    save_checkpoint(tmp_path / "a.ckpt", state)
    text = read_text(tmp_path / "a.ckpt").replace('"class_names": [], "category_ids": [], ', "")
    assert "class_names" not in text
    write_checkpoint_file(tmp_path / "b.ckpt", {STATE_NAME: np.frombuffer(text.encode(), np.uint8), **state.arrays})
    info = read_checkpoint_info(tmp_path / "b.ckpt", "tiny")
    assert (info.class_names, info.category_ids) == ((), ())
    assert load_checkpoint(tmp_path / "b.ckpt").class_names == []


def test_mindspores_own_file_has_shapes_alone(tmp_path):
    write_checkpoint_file(tmp_path / "a.ckpt", {"head.weight": np.zeros((3, 4), np.float32)})
    info = read_checkpoint_info(tmp_path / "a.ckpt", "tiny")
    assert (info.suite, info.shapes) == ("", {"head.weight": (3, 4)})


def test_what_does_not_fit_is_a_sentence(tmp_path):
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, TrainingState(arrays={"head.weight": np.zeros((3, 4), np.float32)}, suite="segformer"))
    with pytest.raises(BadValueError, match="a checkpoint of segformer, wanted one of tiny"):
        read_checkpoint_info(path, "tiny")
    with pytest.raises(BadValueError, match=r"no parameter 'head\.bias'"):
        read_checkpoint_info(path, "segformer").length("head.bias")
    with pytest.raises(MissingPathError, match="absent"):
        read_checkpoint_info(tmp_path / "absent.ckpt", "tiny")


@pytest.mark.parametrize("text", ["{", "[]", '{"class_names": 3}', '{"category_ids": ["a"]}'])
def test_a_damaged_state_is_a_sentence(tmp_path, text):
    arrays = {STATE_NAME: np.frombuffer(text.encode(), np.uint8), "head.weight": np.zeros((3, 4), np.float32)}
    write_checkpoint_file(tmp_path / "a.ckpt", arrays)
    with pytest.raises(BadValueError, match="is damaged"):
        read_checkpoint_info(tmp_path / "a.ckpt", "tiny")


def read_text(path):
    from utils.training.checkpoints.checkpoint_file import read_checkpoint_file

    return read_checkpoint_file(path)[STATE_NAME].tobytes().decode()
