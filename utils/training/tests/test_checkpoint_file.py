import errno
import os
import pickle
import zipfile
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore.train.checkpoint_pb2 import Checkpoint as CheckpointMessage
from tiny_checkpoints import saved

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.training.checkpoints.checkpoint import load_checkpoint
from utils.training.checkpoints.checkpoint_file import read_checkpoint_file, write_checkpoint_file


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int32, np.int64, np.bool_, np.uint8])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 4)])
def test_every_type_and_shape_comes_back(dtype, shape, tmp_path):
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    write_checkpoint_file(tmp_path / "a.ckpt", {"value": array})
    after = read_checkpoint_file(tmp_path / "a.ckpt")["value"]
    assert after.dtype == dtype
    np.testing.assert_array_equal(after, array)


def test_tensors_are_cut_into_pieces_and_joined_again(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.training.checkpoints.checkpoint_file._CHUNK_BYTES", 8)
    array = np.arange(10, dtype=np.float32).reshape(2, 5)
    write_checkpoint_file(tmp_path / "a.ckpt", {"value": array})
    np.testing.assert_array_equal(read_checkpoint_file(tmp_path / "a.ckpt")["value"], array)
    np.testing.assert_array_equal(ms.load_checkpoint(str(tmp_path / "a.ckpt"))["value"].asnumpy(), array)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def bad_file(path, kind):
    """Makes one of the bad files of the table below."""
    good = saved(path.with_name("good.ckpt")).read_bytes()
    contents = {
        "empty": b"",
        "cut short": good[:-40],
        "cut to its head": good[:700],
        "without its end": good[:-17],
        "one bit wrong": good[:900] + bytes([good[900] ^ 1]) + good[901:],
        "text": b"epoch: 3\n" * 20,
        "pickle": pickle.dumps(Evil(path.with_name("harmed"))),
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "PyTorch file":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", contents["pickle"])
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "error", "sentence"),
    [
        ("missing", MissingPathError, "does not exist; check the path"),
        ("folder", MissingPathError, "is a folder; give the .ckpt file itself"),
        ("empty", BadValueError, "is empty; copy it again or choose another file"),
        ("cut short", BadValueError, "is no MindSpore checkpoint, cut short or damaged"),
        ("cut to its head", BadValueError, "is no MindSpore checkpoint, cut short or damaged"),
        ("without its end", BadValueError, "is cut short: its checksum is missing"),
        ("one bit wrong", BadValueError, "is damaged: its checksum does not fit"),
        ("text", BadValueError, "is no MindSpore checkpoint"),
        ("pickle", BadValueError, "is a Python pickle, no MindSpore checkpoint, and is not opened"),
        ("PyTorch file", BadValueError, "is a PyTorch or zip file, no MindSpore checkpoint, and is not opened"),
    ],
)
def test_bad_files_get_a_sentence_and_run_nothing(kind, error, sentence, tmp_path):
    path = bad_file(tmp_path / "bad.ckpt", kind)
    with pytest.raises(error, match=sentence) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("ending", [".mindir", ".ONNX"])
def test_an_exported_model_is_told_from_a_damaged_checkpoint(ending, tmp_path):
    path = bad_file(tmp_path / f"net{ending}", "text")
    with pytest.raises(BadValueError, match=f"'{path}' is an exported model, wanted a checkpoint"):
        load_checkpoint(path)


def file_of_mindspore(path, name=b"w", kind="Float32", dims=(2,), content=bytes(8)):
    """Writes a file as MindSpore does where it gives none a checksum."""
    message = CheckpointMessage()
    value = message.value.add()
    value.tag, value.tensor.tensor_type, value.tensor.tensor_content = "x" * len(name), kind, content
    value.tensor.dims.extend(dims)
    path.write_bytes(message.SerializeToString().replace(b"x" * len(name), name))
    return path


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": b"w\xff\xfew"}, "is no MindSpore checkpoint, cut short or damaged"),
        ({"content": bytes(7)}, r"parameter 'w' has 1 values and a part of one for shape \(2,\)"),
        ({"content": bytes(12)}, r"parameter 'w' has 3 values for shape \(2,\)"),
        ({"dims": (-2,)}, r"parameter 'w' has 2 values for shape \(-2,\)"),
        ({"dims": (-1, -2)}, r"parameter 'w' has 2 values for shape \(-1, -2\)"),
        ({"dims": (2**62, 4), "content": b""}, r"has 0 values for shape \(4611686018427387904, 4\)"),
        ({"dims": (1,) * 32 + (2,)}, "has 2 values for shape"),
    ],
)
def test_a_damaged_file_without_a_checksum_gets_a_sentence(values, sentence, tmp_path):
    with pytest.raises(BadValueError, match=sentence):
        load_checkpoint(file_of_mindspore(tmp_path / "a.ckpt", **values))


def test_a_checkpoint_with_any_bit_changed_is_refused(tmp_path):
    """MindSpore's own checksum ends the file: 400 bits of the content, each of the checksum and of its name."""
    path = saved(tmp_path / "a.ckpt")
    good = path.read_bytes()
    assert load_checkpoint(path).suite == "tiny"
    draw = np.random.default_rng(0)
    for place in (*draw.integers(0, 8 * len(good), 400), *range(8 * (len(good) - 17), 8 * len(good))):
        changed = bytearray(good)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(BadValueError, match="damaged|cut short|no MindSpore checkpoint"):
            load_checkpoint(path)


@pytest.mark.parametrize("has_checksum", [True, False])
def test_mindspores_own_files_are_compared_with_their_checksum_where_they_have_one(has_checksum, tmp_path):
    """Without crc_check=True, MindSpore's default, nothing tells of a changed bit."""
    path = tmp_path / "a.ckpt"
    ms.save_checkpoint([{"name": "w", "data": ms.Tensor(np.ones(300, np.float32))}], str(path), crc_check=has_checksum)
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)
    if has_checksum:
        with pytest.raises(BadValueError, match="is damaged: its checksum does not fit"):
            load_checkpoint(path)
    else:
        assert load_checkpoint(path).arrays["w"].tolist().count(1) == 299


def test_mindspore_finds_our_checksum(tmp_path):
    path = saved(tmp_path / "a.ckpt")
    assert ms.load_checkpoint(str(path), crc_check=True)["head.bias"].shape == (3,)


def test_a_good_file_without_a_checksum_is_read(tmp_path):
    assert load_checkpoint(file_of_mindspore(tmp_path / "a.ckpt", dims=(1,) * 31 + (2,))).arrays["w"].ndim == 32


def test_a_full_disk_is_a_sentence_and_keeps_the_earlier_file(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.ckpt")
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadStateError, match=r"written \(No space left on device, .* MB are free\); free some"):
        saved(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.ckpt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_truly_full_device_is_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "a.ckpt"
    (tmp_path / f".a.ckpt.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(BadStateError, match="No space left on device"):
        saved(path)
    assert os.listdir(tmp_path) == []


def test_a_name_that_no_sentence_can_show_is_damage(tmp_path):
    write_checkpoint_file(tmp_path / "a.ckpt", {"n" * 255: np.ones(1, np.float32)})
    assert load_checkpoint(tmp_path / "a.ckpt").weights().keys() == {"n" * 255}
    write_checkpoint_file(tmp_path / "a.ckpt", {"n" * 256: np.ones(1, np.float32)})
    with pytest.raises(BadValueError, match=r"a parameter, 'n{56}\.\.\., has a name of 256 letters; copy it again"):
        load_checkpoint(tmp_path / "a.ckpt")
