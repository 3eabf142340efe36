import json

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from tiny_checkpoints import saved, state, weights_of
from tiny_training import TinyNetwork, tiny_trainer

from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import (
    FORMAT_VERSION,
    load_checkpoint,
    load_resumable,
    save_checkpoint,
)
from utils.training.checkpoints.checkpoint_file import STATE_NAME, write_checkpoint_file
from utils.training.checkpoints.folder import CheckpointFolder
from utils.training.checkpoints.loading import Allowed, load_weights


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


@pytest.mark.parametrize(("names", "added"), [((), 1), (("conv", "norm", "head", "optimizer"), 0)])
def test_averaged_weights_are_taken_where_there_are_any(names, added, tmp_path, caplog):
    caplog.set_level("INFO")
    network = TinyNetwork()
    before = weights_of(network)
    load_weights(network, load_checkpoint(saved(tmp_path / "a.ckpt", *names)))
    np.testing.assert_array_equal(network.conv.weight.asnumpy(), before["conv.weight"] + added)
    assert f"loaded 7 {'averaged ' * added}parameters from " in caplog.text


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
