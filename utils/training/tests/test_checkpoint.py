import errno
import json
import os
import pickle
import zipfile
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from mindspore.train.checkpoint_pb2 import Checkpoint as CheckpointMessage
from tiny_training import TinyNetwork, tiny_trainer

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.training.checkpoints.checkpoint import (
    FORMAT_VERSION,
    TrainingState,
    load_checkpoint,
    load_resumable,
    save_checkpoint,
)
from utils.training.checkpoints.checkpoint_file import STATE_NAME, read_checkpoint_file, write_checkpoint_file
from utils.training.checkpoints.folder import CheckpointFolder
from utils.training.checkpoints.loading import Allowed, load_weights


def weights_of(network):
    return {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}


def state(network=None, **options):
    """State of a network whose averaged weights are the weights plus 1."""
    weights = weights_of(network or TinyNetwork())
    averages = {f"ema.{name}": array + 1 for name, array in weights.items()}
    moments = {f"optimizer.momentum.{name}": array * 2 for name, array in weights.items()}
    return TrainingState(arrays={**weights, **moments, **averages}, suite="tiny", **options)


def saved(path, *names, network=None):
    """A checkpoint of `state`, of the arrays only whose names begin with one of `names`."""
    whole = state(network)
    whole.arrays = {key: array for key, array in whole.arrays.items() if not names or key.startswith(names)}
    save_checkpoint(path, whole)
    return path


def test_every_field_comes_back(tmp_path):
    best = {"epoch": 2, "global_step": 8, "metrics": {"AP": 0.25}}
    before = state(
        epoch=3,
        step_in_epoch=2,
        global_step=10,
        steps_per_epoch=4,
        epoch_done=True,
        seed=-5,
        best=best,
        loss_scale=2.0**20,
        loss_scale_good_steps=17,
        config_text="épochs: 3\n",
    )
    save_checkpoint(tmp_path / "a.ckpt", before)
    after = load_checkpoint(tmp_path / "a.ckpt")
    assert {**vars(after), "arrays": 0} == {
        **vars(before),
        "arrays": 0,
        "path": tmp_path / "a.ckpt",
        "has_training_state": True,
    }
    assert after.averages.keys() == weights_of(TinyNetwork()).keys()
    assert after.arrays.keys() == before.arrays.keys()
    for name, array in before.arrays.items():
        np.testing.assert_array_equal(after.arrays[name], array)
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int32, np.int64, np.bool_, np.uint8])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 4)])
def test_every_type_and_shape_comes_back(dtype, shape, tmp_path):
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    write_checkpoint_file(tmp_path / "a.ckpt", {"value": array})
    after = read_checkpoint_file(tmp_path / "a.ckpt")["value"]
    assert after.dtype == dtype
    np.testing.assert_array_equal(after, array)


def test_mindspore_reads_our_files_and_we_read_mindspores(tmp_path):
    network = TinyNetwork()
    save_checkpoint(tmp_path / "ours.ckpt", state(network))
    other = TinyNetwork()
    other.head.weight.set_data(ms.Tensor(np.zeros((3, 4), np.float32)))
    missing, _ = ms.load_param_into_net(other, ms.load_checkpoint(str(tmp_path / "ours.ckpt")))
    assert missing == []
    np.testing.assert_array_equal(other.head.weight.asnumpy(), network.head.weight.asnumpy())

    ms.save_checkpoint(network, str(tmp_path / "theirs.ckpt"), append_dict={"epoch_num": 3, "note": "text"})
    other.head.weight.set_data(ms.Tensor(np.zeros((3, 4), np.float32)))
    load_weights(other, load_checkpoint(tmp_path / "theirs.ckpt"))
    np.testing.assert_array_equal(other.head.weight.asnumpy(), network.head.weight.asnumpy())


def test_tensors_are_cut_into_pieces_and_joined_again(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.training.checkpoints.checkpoint_file._CHUNK_BYTES", 8)
    array = np.arange(10, dtype=np.float32).reshape(2, 5)
    write_checkpoint_file(tmp_path / "a.ckpt", {"value": array})
    np.testing.assert_array_equal(read_checkpoint_file(tmp_path / "a.ckpt")["value"], array)
    np.testing.assert_array_equal(ms.load_checkpoint(str(tmp_path / "a.ckpt"))["value"].asnumpy(), array)


@pytest.mark.parametrize(("names", "added"), [((), 1), (("conv", "norm", "head", "optimizer"), 0)])
def test_averaged_weights_are_taken_where_there_are_any(names, added, tmp_path, caplog):
    caplog.set_level("INFO")
    network = TinyNetwork()
    before = weights_of(network)
    load_weights(network, load_checkpoint(saved(tmp_path / "a.ckpt", *names)))
    np.testing.assert_array_equal(network.conv.weight.asnumpy(), before["conv.weight"] + added)
    assert f"loaded 7 {'averaged ' * added}parameters from " in caplog.text


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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", "x"),
        ("epoch", -1),
        ("steps_per_epoch", None),
        ("global_step", 1e400),
        ("global_step", 2**53),
        ("suite", 5),
        ("seed", "a"),
        ("best", [1]),
        ("best", {"epoch": 1, "global_step": 4, "metrics": {"AP": "high"}}),
        ("best", {"epoch": 1}),
        ("loss_scale", 0),
        ("class_names", "abc"),
        ("category_ids", [1e400]),
        ("config_text", 5),
        ("format_version", [1]),
    ],
)
def test_a_training_state_of_wrong_types_gets_a_sentence(field, value, tmp_path):
    text = json.dumps({"format_version": 1, "epoch": 2, field: value}).encode()
    write_checkpoint_file(tmp_path / "a.ckpt", {STATE_NAME: np.frombuffer(text, np.uint8), "w": np.zeros(1)})
    with pytest.raises(BadValueError, match=rf"is damaged: its training state cannot be read \({field}") as caught:
        load_checkpoint(tmp_path / "a.ckpt")
    assert "\n" not in str(caught.value)


def test_weights_only_cannot_be_resumed_and_say_nothing_of_themselves(tmp_path):
    ms.save_checkpoint(TinyNetwork(), str(tmp_path / "a.ckpt"))
    with pytest.raises(BadValueError, match="holds weights only, no training state"):
        load_resumable(tmp_path / "a.ckpt")
    stored = load_checkpoint(tmp_path / "a.ckpt", "tiny")
    assert (stored.has_training_state, stored.suite, stored.class_names, stored.averages) == (False, "", (), {})
    assert stored.shapes["head.weight"] == (3, 4)


def test_a_newer_format_is_refused(tmp_path):
    save_checkpoint(tmp_path / "a.ckpt", state(format_version=FORMAT_VERSION + 1))
    with pytest.raises(BadValueError, match="has checkpoint format 2, this program reads up to 1; update the program"):
        load_checkpoint(tmp_path / "a.ckpt")


VERSION = '"format_version": 1'


@pytest.mark.parametrize(
    "text", ["\0", "{", "[]", "{}", f'{{{VERSION}, "class_names": 3}}', f'{{{VERSION}, "category_ids": ["a"]}}']
)
def test_a_damaged_state_is_a_sentence(text, tmp_path):
    with_text(tmp_path / "a.ckpt", text)
    with pytest.raises(BadValueError, match="is damaged: its training state cannot be read"):
        load_checkpoint(tmp_path / "a.ckpt")


def with_text(path, text):
    """A file with this training state."""
    state_text = np.frombuffer(text.encode(), np.uint8)
    write_checkpoint_file(path, {STATE_NAME: state_text, "head.weight": np.zeros((3, 4), np.float32)})


def test_an_older_file_says_no_classes_and_what_a_newer_one_says_more_is_passed_over(tmp_path):
    with_text(tmp_path / "a.ckpt", f'{{{VERSION}, "suite": "tiny", "mood": "good"}}')
    stored = load_checkpoint(tmp_path / "a.ckpt", "tiny")
    assert (stored.suite, stored.class_names, stored.category_ids) == ("tiny", (), ())


def test_a_run_stores_its_classes(tmp_path):
    trainer, run, _ = tiny_trainer(tmp_path, epochs=1, class_names=("sky", "Straße"), category_ids=(7, 3))
    with run:
        result = trainer.fit()
    stored = load_checkpoint(result.last_checkpoint, "tiny")
    assert (stored.class_names, stored.category_ids, stored.suite) == (("sky", "Straße"), (7, 3), "tiny")
    assert stored.length("head.weight") == 3
    with pytest.raises(BadValueError, match=r"no parameter 'head\.scale'"):
        stored.length("head.scale")


class Whole(nn.Cell):
    """`TinyNetwork` as the backbone of something."""

    def __init__(self):
        super().__init__()
        self.backbone = TinyNetwork()


class Renamed(nn.Cell):
    """`TinyNetwork` with another name for its head."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.classifier = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dense(4, 3)


@pytest.mark.parametrize(
    ("make", "names", "sentence"),
    [
        (
            TinyNetwork,
            ("conv", "norm"),
            r"does not fit the network: 2 missing from the file \(head.weight \(3, 4\); head.bias \(3,\)\);",
        ),
        (TinyNetwork, ("optimizer",), "holds optimizer state only, no weights"),
        (Whole, (), "fits no parameter of the network: 7 missing .* 7 unused .* another network"),
        (
            Renamed,
            (),
            r"2 missing from the file \(classifier.weight .*\), 2 unused \(head.weight \(3, 4\); head.bias \(3,\)\)",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_nothing_changes(make, names, sentence, tmp_path):
    network = make()
    before = weights_of(network)
    with pytest.raises(BadValueError, match=sentence):
        load_weights(network, load_checkpoint(saved(tmp_path / "a.ckpt", *names)))
    for name, array in weights_of(network).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_checkpoint_of_another_suite_is_refused(tmp_path):
    with pytest.raises(BadValueError, match="is a checkpoint of tiny, wanted one of nas_fpn; choose another file"):
        load_checkpoint(saved(tmp_path / "a.ckpt"), "nas_fpn")


def test_another_class_count_is_recognised_and_may_be_allowed(tmp_path, caplog):
    caplog.set_level("INFO")
    stored = load_checkpoint(saved(tmp_path / "a.ckpt", network=TinyNetwork(5)))
    network = TinyNetwork()
    head = network.head.weight.asnumpy()
    with pytest.raises(
        BadValueError,
        match=r"was trained with another number of classes: 2 of another shape "
        r"\(head.weight \(5, 4\) in the file, \(3, 4\) in the network; head.bias \(5,\).*"
        r"take as many classes as it has$",
    ):
        load_weights(network, stored)
    with pytest.raises(BadValueError, match=r"start anew with --allow_mismatch=\[head\.weight,head\.bias\]$"):
        load_weights(network, stored, Allowed(missing=["neck"]))
    load_weights(network, stored, Allowed(misshaped=["head"]))
    np.testing.assert_array_equal(network.head.weight.asnumpy(), head)
    assert "loaded 5 averaged parameters" in caplog.text
    assert "(2 kept their values, 0 of the file unused)" in caplog.text


def test_many_misfits_are_counted_and_three_are_named(tmp_path):
    class Two(nn.Cell):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3)
            self.other = nn.CellList([nn.Dense(2, 2) for _ in range(3)])

    with pytest.raises(
        BadValueError,
        match=r"6 missing from the file \(other.0.weight \(2, 2\); other.0.bias \(2,\); "
        r"other.1.weight \(2, 2\); and 3 more\)",
    ):
        load_weights(Two(), load_checkpoint(saved(tmp_path / "a.ckpt")))


def folder(path, **options):
    return CheckpointFolder(path, pattern="net-{epoch}_{step}.ckpt", best_name="net_best.ckpt", **options)


def test_the_last_and_the_best_are_kept(tmp_path):
    checkpoints = folder(tmp_path, keep_last=2)
    checkpoints.save_best(state())
    for epoch, step in ((1, 9), (2, 3), (2, 20), (10, 1)):
        checkpoints.save(state(epoch=epoch, step_in_epoch=step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net-10_1.ckpt", "net-2_20.ckpt", "net_best.ckpt"]
    newest = checkpoints.latest("tiny")
    assert (newest.path.name, newest.epoch, newest.step_in_epoch) == ("net-10_1.ckpt", 10, 1)


def test_the_newest_is_found_by_numbers_and_never_a_temporary_or_foreign_file(tmp_path):
    checkpoints = folder(tmp_path, keep_last=0)
    for epoch in (9, 10):
        checkpoints.save(state(epoch=epoch))
    checkpoints.save_best(state(epoch=99))
    (tmp_path / ".net-11_0.ckpt.tmp-123").write_bytes(b"half")
    (tmp_path / "other-50_0.ckpt").write_bytes(b"x")
    assert checkpoints.latest("tiny").epoch == 10
    checkpoints.prepare()
    assert not (tmp_path / ".net-11_0.ckpt.tmp-123").exists()


def test_names_without_step_are_allowed_and_without_epoch_refused(tmp_path):
    checkpoints = CheckpointFolder(tmp_path, pattern="segformer_mit_b0_{epoch}.ckpt", best_name="best.ckpt")
    assert checkpoints.save(state(epoch=12, step_in_epoch=5)).name == "segformer_mit_b0_12.ckpt"
    assert checkpoints.latest("tiny").step_in_epoch == 5
    with pytest.raises(BadValueError, match="lacks {epoch}"):
        CheckpointFolder(tmp_path, pattern="a.ckpt", best_name="best.ckpt")
    with pytest.raises(BadValueError, match="keep_last=-1"):
        folder(tmp_path, keep_last=-1)


def test_an_empty_folder_has_no_latest(tmp_path):
    assert folder(tmp_path / "new").latest("tiny") is None


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


def test_the_state_is_readable_json_in_the_file(tmp_path):
    content = ms.load_checkpoint(str(saved(tmp_path / "a.ckpt")))["training_state"].asnumpy().tobytes()
    assert json.loads(content)["suite"] == "tiny"


def test_a_part_of_a_network_is_loaded_only_where_it_is_asked_for(tmp_path, caplog):
    """The file says that it is of a part: then the rest may be missing, and only then."""
    caplog.set_level("INFO")
    network = TinyNetwork()
    names = list(weights_of(network))
    whole = state(network, part="stem")
    whole.arrays = {names[0]: whole.arrays[names[0]]}
    save_checkpoint(tmp_path / "part.ckpt", whole)
    part = load_checkpoint(tmp_path / "part.ckpt")
    with pytest.raises(BadValueError, match="holds the stem alone, to start a training from"):
        load_weights(network, part, Allowed(parts={"tail": names}))
    load_weights(TinyNetwork(), part, Allowed(parts={"stem": names[1:]}))
    assert f"loaded 1 parameters from {part.path} ({len(names) - 1} kept their values" in caplog.text
    whole.part = ""
    save_checkpoint(tmp_path / "whole.ckpt", whole)
    with pytest.raises(BadValueError, match=f"{len(names) - 1} missing from the file"):
        load_weights(network, load_checkpoint(tmp_path / "whole.ckpt"), Allowed(parts={"stem": names[1:]}))


def test_a_name_that_no_sentence_can_show_is_damage(tmp_path):
    write_checkpoint_file(tmp_path / "a.ckpt", {"n" * 255: np.ones(1, np.float32)})
    assert load_checkpoint(tmp_path / "a.ckpt").weights().keys() == {"n" * 255}
    write_checkpoint_file(tmp_path / "a.ckpt", {"n" * 256: np.ones(1, np.float32)})
    with pytest.raises(BadValueError, match=r"a parameter, 'n{56}\.\.\., has a name of 256 letters; copy it again"):
        load_checkpoint(tmp_path / "a.ckpt")
