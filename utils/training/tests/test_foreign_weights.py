"""Reading PyTorch and safetensors files: values, types and wrappers; and what is refused, with which sentence."""

import json
import os
import pickle
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.training.checkpoints.foreign_weights import read_foreign_weights

VALUES = {"a.weight": np.float32([[1, 2, 3], [4, 5, 6]]), "half": np.float16([0.5, 2]), "count": np.int64([7])}


def refusal(path, kind=BadValueError):
    with pytest.raises(kind) as caught:
        read_foreign_weights(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_safetensors_are_read_without_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    save_file(VALUES, tmp_path / "a.safetensors")
    weights = read_foreign_weights(tmp_path / "a.safetensors")
    assert weights.wrapper == ""
    assert {name: array.dtype.name for name, array in weights.arrays.items()} == {
        "a.weight": "float32",
        "half": "float32",
        "count": "int64",
    }
    for name, array in VALUES.items():
        assert np.array_equal(weights.arrays[name], array)


def write_safetensors(path, type_name, shape, data):
    header = json.dumps({"x": {"dtype": type_name, "shape": shape, "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    """1 is 0x3f80, -2.5 is 0xc020."""
    write_safetensors(tmp_path / "b", "BF16", [2], np.uint16([0x3F80, 0xC020]).tobytes())
    assert read_foreign_weights(tmp_path / "b").arrays["x"].tolist() == [1.0, -2.5]


def test_quantised_safetensors_are_refused(tmp_path):
    write_safetensors(tmp_path / "b", "F8_E4M3", [2], b"\0\0")
    assert "not quantised" in refusal(tmp_path / "b")


def test_values_that_are_not_finite_are_refused(tmp_path):
    save_file({"good": np.float32([1]), "bad": np.float32([np.nan])}, tmp_path / "a")
    assert "not finite in 1 of 2 tensors, first 'bad'" in refusal(tmp_path / "a")


def test_what_is_no_file_of_weights(tmp_path):
    assert "is a folder" in refusal(tmp_path, MissingPathError)
    assert "does not exist" in refusal(tmp_path / "absent.pth", MissingPathError)
    for name, content, words in (
        ("empty.pth", b"", "is empty"),
        ("page.pth", b"<!DOCTYPE html><html>", "a web page"),
        ("net.ckpt", b"\x0a\x20\x0a\x04name", "perhaps a MindSpore checkpoint"),
        ("x.pth", b"hello", "no file of weights"),
        ("lfs.pth", b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    ):
        (tmp_path / name).write_bytes(content)
        assert words in refusal(tmp_path / name)
    save_file({}, tmp_path / "none.safetensors")
    assert "holds no weights" in refusal(tmp_path / "none.safetensors")


@pytest.mark.parametrize("cut", [12, 60, -1])
def test_truncated_safetensors(tmp_path, cut):
    save_file(VALUES, tmp_path / "a")
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "b").write_bytes(content[:cut])
    assert "cut short or damaged" in refusal(tmp_path / "b")


def test_a_pytorch_file_without_torch_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "a.pth").write_bytes(b"PK\x03\x04 and so on")
    assert "torch is not installed" in refusal(tmp_path / "a.pth", BadStateError)


@pytest.fixture()
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(("wrapper", "prefix"), [("", ""), ("state_dict", ""), ("model", "module.")])
def test_pytorch_files_of_both_formats(torch, tmp_path, is_zip, wrapper, prefix):
    state = {f"{prefix}{name}": torch.tensor(array) for name, array in VALUES.items()}
    state[f"{prefix}brain"] = torch.tensor([1.0, -2.5], dtype=torch.bfloat16)
    content = {wrapper: state, "meta": {"epoch": 3}} if wrapper else state
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    weights = read_foreign_weights(tmp_path / "a.pth")
    assert weights.wrapper == wrapper
    assert set(weights.arrays) == {*VALUES, "brain"}
    for name, array in VALUES.items():
        assert np.array_equal(weights.arrays[name], array)
    assert weights.arrays["brain"].tolist() == [1.0, -2.5]
    assert weights.arrays["brain"].dtype == np.float32


class Evil:
    def __reduce__(self):
        return os.mkdir, (os.environ["EVIL_FOLDER"],)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_that_would_run_code_does_not(torch, tmp_path, monkeypatch, is_zip):
    monkeypatch.setenv("EVIL_FOLDER", str(tmp_path / "made"))
    torch.save({"state_dict": {"a": Evil()}}, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    sentence = refusal(tmp_path / "a.pth")
    assert "mkdir', code that opening it could run" in sentence
    assert "weights_only=False" in sentence
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(Evil(), protocol=2))
    refusal(tmp_path / "b.pkl")
    assert not (tmp_path / "made").exists()


def test_whole_models_are_refused(torch, tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    assert "'torch.nn.modules.linear.Linear'" in refusal(tmp_path / "model.pth")


@pytest.mark.parametrize("is_zip", [True, False])
def test_damaged_pytorch_files_are_a_sentence_whatever_the_damage(torch, tmp_path, is_zip):
    torch.save(
        {name: torch.tensor(array) for name, array in VALUES.items()},
        tmp_path / "a.pth",
        _use_new_zipfile_serialization=is_zip,
    )
    content = (tmp_path / "a.pth").read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(60):
        (tmp_path / "b.pth").write_bytes(content[: generator.integers(4, len(content))])
        refusal(tmp_path / "b.pth")


def test_what_is_no_state_dict(torch, tmp_path):
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    assert "holds no state dict" in refusal(tmp_path / "list.pth")
    torch.save({"a": torch.zeros(2), "epoch": 3}, tmp_path / "mixed.pth")
    assert "1 entries that are no tensors, first 'epoch'" in refusal(tmp_path / "mixed.pth")
    torch.save({"a": torch.eye(3).to_sparse()}, tmp_path / "sparse.pth")
    assert "tensor 'a' is quantised or sparse" in refusal(tmp_path / "sparse.pth")


@pytest.mark.parametrize(
    ("meta", "names"),
    [
        ({"dataset_meta": {"classes": ("zebra", "apple"), "palette": [(1, 2, 3)]}, "epoch": 3}, ("zebra", "apple")),
        ({"dataset_meta": {"CLASSES": ["zebra", "apple"]}}, ("zebra", "apple")),
        ({"CLASSES": ("zebra", "apple"), "PALETTE": None}, ("zebra", "apple")),
        ({"CLASSES": "balloon"}, ("balloon",)),
        ({"CLASSES": None, "dataset_meta": None}, ()),
        ({"CLASSES": (1, 2)}, ()),
        ({"CLASSES": ("a", "a")}, ()),
        (3, ()),
    ],
)
def test_class_names_of_openmmlab_in_their_order(torch, tmp_path, meta, names):
    """MMEngine stores dataset_meta, with `classes` since 0.3, mmcv 1 `CLASSES`; a text is one name."""
    torch.save({"meta": meta, "state_dict": {"a": torch.zeros(2)}}, tmp_path / "a.pth")
    assert read_foreign_weights(tmp_path / "a.pth").class_names == names
