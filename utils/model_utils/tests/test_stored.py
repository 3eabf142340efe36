"""Where a value comes from, when a command reads a checkpoint that stores its own."""

import logging
from typing import ClassVar, Literal

import pytest
from pydantic import Field

from utils.model_utils.config.base import Config
from utils.model_utils.config.loading import load_config, with_default_file
from utils.model_utils.config.stored import with_stored
from utils.model_utils.errors import BadValueError
from utils.model_utils.tests.toy_schema import ToyConfig


class NetworkKeys(Config):
    """What weights fix."""

    FIXED_BY_WEIGHTS: ClassVar = ("width", "layers")
    width: int = Field(64, ge=1, description="channels")
    layers: tuple[int, ...] | None = Field(None, description="blocks")


class StoredConfig(NetworkKeys, ToyConfig):
    """A toy with a network; low must not be above high."""

    LEFT_TO_WEIGHTS: ClassVar = ("canvas",)
    canvas: Literal["fixed", "picture"] | None = Field(None, description="size of the input")


@pytest.fixture()
def load(tmp_path, monkeypatch):
    """Loads arguments and the text of two YAML files, the second of which is named where it is given."""
    monkeypatch.chdir(tmp_path)

    def load(*arguments, default="", named=None):
        (tmp_path / "default.yaml").write_text(default)
        if named is not None:
            (tmp_path / "named.yaml").write_text(named)
            arguments = ("--config_path=named.yaml", *arguments)
        return load_config(
            StoredConfig,
            ["--checkpoint_path=net.ckpt", *arguments],
            suite_dir=tmp_path,
            default_file="default.yaml",
            program="toy.py",
            description="Plays.",
            checkpoint_key="checkpoint_path",
        )

    return load


@pytest.mark.parametrize(
    ("arguments", "named", "wanted"),
    [
        ((), None, "picture"),
        ((), "canvas: null\n", "picture"),
        ((), "canvas: fixed\n", "fixed"),
        (("--canvas=null",), "canvas: fixed\n", "fixed"),
        (("--canvas=null",), None, "picture"),
        (("--canvas=fixed",), "canvas: picture\n", "fixed"),
    ],
)
def test_a_null_leaves_a_key_that_is_left_to_the_weights_to_them(load, arguments, named, wanted):
    config = with_stored(load(*arguments, named=named), {"canvas": "picture"}, "net.ckpt")
    assert config.canvas == wanted


def test_a_value_is_the_first_of_command_line_named_file_checkpoint_and_default_file(load):
    """lr is in all four, batch_size in three, momentum in two, low in the default file alone."""
    stored = {"lr": 0.3, "batch_size": 3, "momentum": 0.3}
    named = "__BASE__: default.yaml\nlr: 0.2\nbatch_size: 2\n"
    default = "lr: 0.4\nbatch_size: 4\nmomentum: 0.4\nlow: 4\n"

    def values(config):
        config = with_stored(config, stored, "net.ckpt")
        return config.lr, config.batch_size, config.momentum, config.low

    assert values(load("--lr=0.1", default=default)) == (0.1, 3, 0.3, 4)
    assert values(load(default=default)) == (0.3, 3, 0.3, 4)
    assert values(load("--lr=0.1", default=default, named="lr: 0.2\nbatch_size: 2\n")) == (0.1, 2, 0.3, 1)
    assert values(load(default=default, named=named)) == (0.2, 2, 0.4, 4)  # what it is based on belongs to it
    found = with_stored(load(default=default), stored, "net.ckpt")
    assert str(found.origin("lr")) == "checkpoint 'net.ckpt'"
    assert str(found.origin("low")).endswith("default.yaml, line 4")


def test_the_weights_count_before_any_file_and_one_line_says_so(load, caplog):
    caplog.set_level(logging.INFO)
    config = load(named="width: 8\nlayers: [3, 4]\nlr: 0.2\n")
    found = with_stored(config, {"width": 16, "layers": [1, 1], "lr": 0.3}, "net.ckpt")
    assert (found.width, found.layers, found.lr) == (16, (1, 1), 0.2)
    assert caplog.messages == ["the network is that of 'net.ckpt': width 16, layers [1, 1]"]
    again = with_stored(load(named="layers: [3, 4]\n"), {"width": 64, "layers": None}, "net.ckpt")
    assert again.layers is None
    assert len(caplog.messages) == 1  # null is what the weights say of nothing


def test_a_typed_value_that_does_not_fit_is_refused_with_both(load):
    sentence = "command line: width is 8, but the weights of 'net.ckpt' are of a network with 16: leave --width out"
    with pytest.raises(BadValueError, match=sentence):
        with_stored(load("--width=8"), {"width": 16}, "net.ckpt")
    assert with_stored(load("--width=16", "--layers=[1,2]"), {"width": 16, "layers": [1, 2]}, "x").width == 16
    with pytest.raises(BadValueError, match=r"layers is \[1, 3\], but the weights .* with \[1, 2\]"):
        with_stored(load("--layers=[1,3]"), {"layers": [1, 2]}, "x")


def test_place_device_and_input_of_a_command_are_never_the_checkpoints(load, tmp_path):
    stored = {
        "run_dir": "/there",
        "overwrite": True,
        "resume": "auto",
        "device_target": "Ascend",
        "num_parallel_workers": 64,
        "pre_trained": "/there/net.ckpt",
    }
    config = load()
    assert with_stored(config, stored, "net.ckpt") == config
    assert config.run_dir == str(tmp_path)


def test_what_an_older_version_has_stored_is_no_obstacle(load, caplog):
    """A key that is gone, one under its older name, and values that are none any more."""
    caplog.set_level(logging.INFO)
    stored = {"gone": 1, "match_thershold": 0.25, "optimizer": "lamb", "num_gts": 0, "epoch_size": 5}
    found = with_stored(load(default="optimizer: adamw\n"), stored, "net.ckpt")
    assert (found.match_threshold, found.epoch_size, found.num_gts) == (0.25, 5, 128)
    assert "left out, since the rest of the configuration rules them out" in caplog.text
    assert "num_gts 0 (checkpoint 'net.ckpt')" in caplog.text
    assert "optimizer 'lamb' (checkpoint 'net.ckpt')" in caplog.text


def test_of_two_that_contradict_each_other_the_one_that_counts_more_stays(load, caplog):
    caplog.set_level(logging.INFO)
    found = with_stored(load(named="high: 3\n"), {"low": 5, "high": 9}, "net.ckpt")
    assert (found.low, found.high) == (1, 3)
    assert "low 5 (checkpoint 'net.ckpt')" in caplog.text
    with pytest.raises(BadValueError, match="command line: low 5 is above high 3"):
        with_stored(load("--low=5", "--high=3"), {"high": 9}, "net.ckpt")
    with pytest.raises(BadValueError, match="low 5 is above high 3"):
        with_stored(load(named="low: 5\nhigh: 3\n"), {}, "net.ckpt")


def test_a_file_that_contradicts_the_weights_gives_way(load, caplog):
    """Names for three classes in the file, a checkpoint of two."""
    caplog.set_level(logging.INFO)
    found = with_stored(load(named="coco_classes: [a, b, c]\n"), {"num_classes": 2, "coco_classes": None}, "net.ckpt")
    assert (found.num_classes, found.coco_classes) == (2, None)
    found = with_stored(load(named="coco_classes: [a, b, c]\n"), {"num_classes": 2}, "net.ckpt")
    assert (found.num_classes, found.coco_classes) == (2, None)
    assert "coco_classes ['a', 'b', 'c'] (" in caplog.text


def test_places_of_data_are_all_the_checkpoints_or_none(load):
    """Files in mindrecord_dir are made anew from coco_root: those of another data set must not be."""
    stored = {"coco_root": "/there/coco", "mindrecord_dir": "/there/records", "val_data_type": "valid"}
    files = "coco_root: null\nmindrecord_dir: null\n"

    def places(config):
        config = with_stored(config, stored, "net.ckpt")
        return config.coco_root, config.mindrecord_dir, config.val_data_type

    assert places(load(default=files)) == ("/there/coco", "/there/records", "valid")
    assert places(load(named=files)) == ("/there/coco", "/there/records", "valid")
    assert places(load("--coco_root=/here", default=files)) == ("/here", None, "valid")
    assert places(load("--mindrecord_dir=/here", default=files)) == (None, "/here", "valid")
    assert places(load(named="coco_root: /here\n")) == ("/here", None, "valid")


def test_a_job_on_modelarts_has_places_of_its_own(load, tmp_path):
    stored = {"data_path": "/there", "coco_root": "/there", "lr": 0.3}
    found = with_stored(load("--enable_modelarts=True"), stored, "net.ckpt")
    assert (found.coco_root, found.data_path, found.lr) == ("/cache/data", "/cache/data", 0.3)


def test_a_long_line_is_cut(load, caplog):
    caplog.set_level(logging.INFO)
    with_stored(load(), {"width": 1, "layers": list(range(50))}, "net.ckpt")
    assert caplog.messages[0].endswith("'net.ckpt': width 1, layers [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...]")


def test_another_default_file(load, tmp_path):
    """It has the place of the suite's own: below the command line, and without effect beside --config_path."""
    (tmp_path / "recipe.yaml").write_text("__BASE__: default.yaml\nwidth: 8\nlow: 2\n")
    config = with_default_file(load("--low=3", default="high: 7\nwidth: 4\n"), "recipe.yaml")
    assert (config.width, config.low, config.high, config.config_name) == (8, 3, 7, "recipe")
    assert str(config.origin("width")).endswith("recipe.yaml, line 2")
    stored = with_stored(config, {"low": 1, "high": 9}, "net.ckpt")
    assert (stored.low, stored.high) == (3, 9)  # a default file counts below a checkpoint
    config = load("--low=3", default="width: 4\n", named="width: 5\n")
    assert with_default_file(config, "recipe.yaml") is config


def test_another_default_file_that_the_command_line_contradicts(load, tmp_path):
    (tmp_path / "recipe.yaml").write_text("high: 2\n")
    with pytest.raises(BadValueError, match="recipe.yaml, line 1"):
        with_default_file(load("--low=3"), "recipe.yaml")
