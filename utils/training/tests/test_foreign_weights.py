"""Reading PyTorch and safetensors files: values, types and wrappers; and what is refused, with which sentence."""

import json
import os
import pickle
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from utils.model_utils.errors import BadValueError, MissingPathError
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
    assert "1 of 2 values, in 1 of 2 parameters (bad, 1 of 1); " in refusal(tmp_path / "a")


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
    assert "1 entries that are no tensors, first 'a' (posix.mkdir)" in sentence
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(Evil(), protocol=2))
    refusal(tmp_path / "b.pkl")
    assert not (tmp_path / "made").exists()


def test_whole_models_are_refused(torch, tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    assert "a 'torch.nn.modules.linear.Linear', which is not opened as it is code" in refusal(tmp_path / "model.pth")


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
    assert "tensor 'a' is quantised, sparse or of another kind (torch._utils._rebuild_sparse" in refusal(
        tmp_path / "sparse.pth"
    )


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


def read_saved(torch, folder, content, **arguments):
    torch.save(content, folder / "a.pth")
    weights = read_foreign_weights(folder / "a.pth", **arguments)
    return {name: array.tolist() for name, array in weights.arrays.items()}, weights


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema_state_dict"])
def test_averaged_weights_beside_the_others(torch, tmp_path, key):
    """Of timm, DeiT and others: taken where they are asked for, else named."""
    content = {"state_dict": {"a": torch.ones(1)}, key: {"module.a": torch.ones(1) * 2}}
    values, weights = read_saved(torch, tmp_path, content, flag="--ema=True")
    assert (values, weights.wrapper) == ({"a": [1]}, "state_dict")
    assert weights.notes == (f"averages: the file has averaged weights too, '{key}', which --ema=True takes",)
    values, weights = read_saved(torch, tmp_path, content, averaged=True)
    assert (values, weights.wrapper) == ({"a": [2]}, key)
    assert weights.notes == (f"averages: the averaged weights of the file are taken, its '{key}'",)
    values, weights = read_saved(torch, tmp_path, {key: {"a": torch.ones(1) * 2}, "epoch": 3})
    assert (values, weights.wrapper) == ({"a": [2]}, key)


@pytest.mark.parametrize("mark", [{"message_hub": {}}, {"meta": {"mmengine_version": "0.10.7"}}])
@pytest.mark.parametrize("averaged", [True, False])
def test_mmengine_stores_the_averages_as_state_dict(torch, tmp_path, mark, averaged):
    """EMAHook.before_save_checkpoint exchanges the two."""
    content = {**mark, "state_dict": {"a": torch.ones(1)}, "ema_state_dict": {"steps": torch.ones(1)}}
    values, weights = read_saved(torch, tmp_path, content, averaged=averaged)
    assert values == {"a": [1]}
    assert "MMEngine stores the averaged weights as 'state_dict', which are taken" in weights.notes[0]


def test_averages_in_buffers_of_mmcv(torch, tmp_path):
    """Of the parameters alone: the statistics of a batch norm have none."""
    names = ("backbone.conv1.weight", "backbone.bn1.running_mean", "ema_backbone_conv1_weight")
    content = {"state_dict": {name: torch.ones(1) * number for number, name in enumerate(names)}}
    values, weights = read_saved(torch, tmp_path, content, flag="--ema=True")
    assert values == {names[0]: [0], names[1]: [1]}
    assert weights.notes[0].startswith("averages: 1 buffer ema_* is left out, which --ema=True takes")
    values, weights = read_saved(torch, tmp_path, content, averaged=True)
    assert values == {names[0]: [2], names[1]: [1]}
    assert weights.notes[0].startswith("averages: 1 weights are taken from the buffers ema_*")
    assert "evaluate both" in weights.notes[0]


def test_averages_that_are_not_there(torch, tmp_path):
    torch.save({"state_dict": {"a": torch.ones(1), "ema_b": torch.ones(1)}}, tmp_path / "a.pth")
    with pytest.raises(BadValueError, match="has no averaged weights; leave --average=True out"):
        read_foreign_weights(tmp_path / "a.pth", averaged=True, flag="--average=True")
    assert set(read_foreign_weights(tmp_path / "a.pth").arrays) == {"a", "ema_b"}


@pytest.mark.parametrize(
    "prefix", ["module.", "model.", "net.", "_orig_mod.", "module._orig_mod.", "model.net.module."]
)
def test_what_stands_before_all_names(torch, tmp_path, prefix):
    values, _ = read_saved(torch, tmp_path, {f"{prefix}a.b": torch.ones(1), f"{prefix}c": torch.ones(1)})
    assert set(values) == {"a.b", "c"}
    values, _ = read_saved(torch, tmp_path, {f"{prefix.replace('_orig_mod.', '')}a": torch.ones(1), "c": torch.ones(1)})
    assert len(values) == 2
    assert "c" in values


def test_two_networks_of_one_name_are_refused(torch, tmp_path):
    """One was taken, the other left out without a word: those of a module and of what torch.compile has made of it."""
    torch.save({"a": torch.ones(1), "_orig_mod.a": torch.zeros(1), "b": torch.ones(1)}, tmp_path / "a.pth")
    with pytest.raises(BadValueError, match="weights of two networks, 1 of whose names differ by '_orig_mod.' alone"):
        read_foreign_weights(tmp_path / "a.pth")


def test_a_module_of_lightning(torch, tmp_path):
    """The network is an attribute of the module; constants, losses and metrics beside it are not of the network."""
    state = {"mean": torch.ones(3), "model._orig_mod.a": torch.ones(1), "loss.weight": torch.ones(2)}
    content = {"pytorch-lightning_version": "2.5.0", "state_dict": state, "hyper_parameters": {"lr": 0.1}}
    values, weights = read_saved(torch, tmp_path, content)
    assert values == {"a": [1]}
    assert weights.notes == ("left out: 2 tensors of the Lightning module beside 'model', first 'mean'",)
    values, weights = read_saved(torch, tmp_path, {**content, "state_dict": {"net.a": torch.ones(1)}})
    assert (values, weights.notes) == ({"a": [1]}, ())
