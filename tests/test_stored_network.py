"""A checkpoint is enough: eval.py, infer.py and export.py build its network and give what all arguments give."""

import json
import logging

import numpy as np
import pytest

from tests.suites import (
    COMMANDS,
    DETECTORS,
    FASTER_RCNN,
    NAS_FPN,
    SEGFORMER,
    SUITES,
    for_detectors,
    for_suites,
    taken_device,
)
from utils.detection.annotations.coco_names import COCO_CLASSES
from utils.model_utils.config.loading import dump_config
from utils.model_utils.config.stored import naming_source
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.training.checkpoints.checkpoint import load_checkpoint

WIDTHS = {"nas_fpn": "resnet_width", "faster_rcnn": "res2net_width", "segformer": "decoder_channels"}
LARGE = {  # files of other networks, with COCO's or Cityscapes' classes
    "nas_fpn": "retinanet_nasfpn_tpu.yaml",
    "faster_rcnn": "default_config_101.yaml",
    "segformer": "config/segformer.b1.1024x1024.city.yaml",
}


@pytest.fixture()
def own(suite, tmp_path):
    """A checkpoint of the tiny network as a run stores it, with data that is not on this machine."""
    facts = {} if suite is SEGFORMER else {"num_classes": 2}
    config = suite.load(f"--{suite.data}=/there/data")
    return suite.tiny.write_checkpoint(tmp_path / "own.ckpt", config_text=dump_config(config), **facts)


def load(suite, script, checkpoint, *arguments):
    given = [f"--{suite.checkpoints[script]}={checkpoint}", "--device_target=CPU", *map(str, arguments)]
    return suite.part("config").load(given, script)


def call(suite, script, checkpoint, *arguments):
    """Runs a command with a checkpoint and where its results go."""
    command = getattr(suite.part(COMMANDS[script]), COMMANDS[script])
    with taken_device():  # of all modules that are imported by now
        command(load(suite, script, checkpoint, *arguments))


def build_of(suite, checkpoint, *arguments):
    """The configuration and the network that infer.py builds."""
    build = suite.part("build")
    config, stored = build.open_checkpoint(load(suite, "infer.py", checkpoint, *arguments), checkpoint)
    loaded = (build.load_network if suite is SEGFORMER else build.load_detector)(config, stored)
    assert not stored.arrays  # weights and optimizer state are not kept beside the network
    return config, loaded if suite is SEGFORMER else loaded[0]


@pytest.mark.end_to_end
@for_suites
def test_the_launcher_evaluates_a_network_of_ones_own(toy):
    """On the data set of the training, the very result; a word or an empty text stands for the YAML file."""
    launcher, _, _ = toy.suite.evaluate
    words = {"CHECKPOINT": str(toy.checkpoint()), "config/custom.yaml": ""}
    folder = toy.here / "evaluated alone"
    typed = [words.get(word, word) for word in launcher]
    with_all = toy.evaluated
    before = {path: path.stat().st_ino for path in toy.here.rglob("*.mindrecord[0-9]")}
    toy.suite.launch(*typed, "--device_target=CPU", f"--run_dir={folder}", cwd=toy.here)
    assert {path: path.stat().st_ino for path in toy.here.rglob("*.mindrecord[0-9]")} == before  # none is made anew
    assert bool(before) == (toy.suite is not SEGFORMER)
    found, expected = (json.loads((each / "result.json").read_text()) for each in (folder, with_all))
    seconds = {name for name in expected if "second" in name or "time" in name}
    assert {name: found[name] for name in found if name not in seconds} == {
        name: expected[name] for name in expected if name not in seconds
    }
    if toy.suite is not SEGFORMER:
        assert (folder / "predictions.json").read_bytes() == (with_all / "predictions.json").read_bytes()


@for_suites
def test_inference_from_a_checkpoint_alone_is_that_of_all_arguments(toy, tmp_path):
    suite, checkpoint = toy.suite, toy.checkpoint()
    pictures = f"--data_path={toy.data}" if suite is SEGFORMER else f"--image_path={toy.data / 'val2017'}"
    call(suite, "infer.py", checkpoint, pictures, f"--infer_output_path={tmp_path / 'alone'}")
    call(suite, "infer.py", checkpoint, *suite.tiny.TOY, pictures, f"--infer_output_path={tmp_path / 'all'}",
         *suite.tiny.TOY_EVALUATION)  # fmt: skip
    names = sorted(path.relative_to(tmp_path / "all") for path in (tmp_path / "all").rglob("*.*"))
    assert len(names) >= 5
    for name in names:
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()


@pytest.mark.long_run
@for_suites
def test_an_export_from_a_checkpoint_alone_is_described_as_that_of_all_arguments(toy, tmp_path):
    named = () if toy.suite is SEGFORMER else ("--file_name=toy",)
    call(toy.suite, "export.py", toy.checkpoint(), f"--run_dir={tmp_path}", *named)
    (found,) = tmp_path.glob("*.json")
    expected = json.loads(toy.exported.with_suffix(".json").read_text())
    assert json.loads(found.read_text()) == {**expected, "file": found.with_suffix(".mindir").name}


@for_suites
def test_the_weights_count_before_files_of_other_networks_and_classes(suite, own, caplog):
    caplog.set_level(logging.INFO)
    wanted = suite.load()
    for arguments in ((), (f"--config_path={LARGE[suite.name]}",)):
        caplog.clear()
        config, network = build_of(suite, own, *arguments)
        keys = type(config).keys_in("FIXED_BY_WEIGHTS") - {"num_classes", "coco_classes", "class_names"}
        assert {key: getattr(config, key) for key in keys} == {key: getattr(wanted, key) for key in keys}
        lines = [message for message in caplog.messages if message.startswith("the network is that of ")]
        assert len(lines) == 1
        assert len(lines[0]) < len(str(own)) + 260
        stored = load_checkpoint(own).arrays
        for parameter in network.get_parameters():
            np.testing.assert_array_equal(parameter.asnumpy(), stored[parameter.name])


@for_suites
def test_a_typed_width_that_does_not_fit_is_refused_with_both(suite, own):
    key = WIDTHS[suite.name]
    value = getattr(suite.load(), key)
    sentence = (
        f"command line: {key} is 20, but the weights of '.*own.ckpt' are of a network with {value}: leave --{key}"
    )
    with pytest.raises(BadValueError, match=sentence):
        build_of(suite, own, f"--{key}=20")


@for_detectors
def test_names_of_a_file_do_not_count_before_those_of_the_checkpoint(suite, own, tmp_path):
    """COCO's 80 in the file, two in the checkpoint; where the file has the same two, it orders the data set by them."""
    (tmp_path / "coco.yaml").write_text(f"num_classes: 80\ncoco_classes: [{', '.join(COCO_CLASSES)}]\n")
    (tmp_path / "two.yaml").write_text("num_classes: 2\ncoco_classes: [red, blue]\n")
    build = suite.part("build")
    for name, names in (("coco", None), ("two", ("red", "blue"))):
        config = load(suite, "infer.py", own, f"--config_path={tmp_path / name}.yaml")
        config, stored = build.open_checkpoint(config, own)
        _, classes = build.load_detector(config, stored)
        assert (config.coco_classes, classes.names, classes.category_ids) == (names, ("red", "blue"), (7, 3))


@pytest.mark.parametrize(
    ("trained", "in_yaml", "typed", "wanted"),
    [
        (None, None, None, None),  # all categories, as the MindRecord files of the training's own evaluation were made
        ("[red, blue]", None, None, ("red", "blue")),
        ("[7, 3]", None, None, (7, 3)),
        ("[red, blue]", "[blue, red]", None, ("blue", "red")),  # the numbers of a text file may stand for other names
        (None, "[blue]", None, ("blue",)),
        ("[red, blue]", "[cat, dog]", None, ("red", "blue")),
        ("[cat, dog]", None, None, None),  # MindRecord files with other classes than the key were trained on
        ("[red, blue]", "[red, blue]", "[blue]", ("blue",)),
        ("[7, 3]", "[blue]", "[4, 2]", (4, 2)),  # ids of other data
        ("[red, blue]", "[blue]", "null", None),
    ],
)
@for_detectors
def test_which_categories_of_a_data_set_are_wanted(suite, trained, in_yaml, typed, wanted, tmp_path):
    """The detector's classes stay red and blue; 7 and 3 are their ids."""
    text = dump_config(suite.load(f"--coco_classes={trained or 'null'}"))
    own = suite.tiny.write_checkpoint(tmp_path / "own.ckpt", config_text=text)
    (tmp_path / "data.yaml").write_text(f"coco_classes: {in_yaml or 'null'}\n")
    arguments = [f"--config_path={tmp_path / 'data.yaml'}"] if in_yaml else []
    arguments += [f"--coco_classes={typed}"] if typed else []
    config, stored = suite.part("build").open_checkpoint(load(suite, "eval.py", own, *arguments), own)
    _, classes = suite.part("build").load_detector(config, stored)
    assert (config.coco_classes, classes.names, classes.category_ids) == (wanted, ("red", "blue"), (7, 3))


@for_detectors
def test_typed_names_that_a_checkpoint_does_not_have_are_refused_with_both(suite, own):
    sentence = "coco_classes has 'dog', which '.*own.ckpt' was not trained with: .* of 'red', 'blue'"
    with pytest.raises(BadValueError, match=sentence):
        build_of(suite, own, "--coco_classes=[blue, dog]")
    config, _ = build_of(suite, own, "--coco_classes=[blue, dog]", "--ignore_unknown_classes=True")
    assert config.coco_classes == ("blue", "dog")


@pytest.mark.parametrize("suite", [SEGFORMER], ids=str)
def test_segformer_takes_number_and_names_of_classes_from_the_checkpoint(suite, tmp_path):
    build = suite.part("build")
    names = ("road", "tree", "sky", "car")
    path = suite.tiny.write_checkpoint(
        tmp_path / "own.ckpt", class_names=names, config_text=dump_config(suite.load("--class_weights=[1,2,3,4]"))
    )
    (tmp_path / "city.yaml").write_text(f"class_weights: [{', '.join('1' * 19)}]\nclass_num: 19\n")
    config, _ = build.open_checkpoint(load(suite, "eval.py", path, f"--config_path={tmp_path / 'city.yaml'}"), path)
    assert (config.class_num, build.names_of_classes(config), config.class_weights) == (4, names, None)
    with pytest.raises(BadValueError, match="class_num is 19, but the weights of '.*own.ckpt' .* with 4"):
        build.open_checkpoint(load(suite, "eval.py", path, "--class_num=19"), path)


@for_suites
@pytest.mark.parametrize("value", ["my data", "/nowhere/my data"])
def test_data_that_a_yaml_file_seems_to_name_beside_itself_is_said_to_be_looked_for_in_the_suite(
    suite, value, tmp_path
):
    (tmp_path / "my data").mkdir()
    path = tmp_path / "mine.yaml"
    path.write_text(f"{suite.data}: {value}\n")
    config = suite.part("config").load([f"--config_path={path}"], "train.py")
    with pytest.raises(MissingPathError) as caught, naming_source(config, (suite.data,)):
        raise MissingPathError(f"'{getattr(config, suite.data)}' is not a folder")
    said = (
        f"; {suite.data} is from {path}, line 1, and relative paths in a YAML file begin in '{suite.path}': write the "
        "whole path there"
    )
    folder = suite.path / value
    assert str(caught.value) == f"'{folder}' is not a folder{said if value == 'my data' else ''}"


@for_suites
def test_data_of_another_machine_is_named_with_the_checkpoint_and_the_way_out(suite, own, tmp_path):
    with pytest.raises(MissingPathError) as caught:
        call(suite, "eval.py", own, f"--run_dir={tmp_path / 'run'}")
    assert "/there/data" in str(caught.value)
    assert str(caught.value).endswith(f"; it is named in the checkpoint '{own}': give --{suite.data}")
    assert not (tmp_path / "run").exists()


@for_suites
def test_a_checkpoint_without_configuration_or_with_a_damaged_one_takes_that_of_the_command(suite, tmp_path, caplog):
    for text in ("", "[cut off"):
        path = suite.tiny.write_checkpoint(tmp_path / "net.ckpt", config_text=text)
        caplog.clear()
        config, _ = build_of(suite, path, *suite.tiny.TINY_NETWORK)
        assert getattr(config, WIDTHS[suite.name]) == getattr(suite.load(), WIDTHS[suite.name])
        assert ("the configuration in it cannot be read" in caplog.text) == bool(text)


@pytest.fixture()
def outputs():
    """What a network answers for each class, with the classes on the last axis."""

    def outputs(suite, network):
        import mindspore as ms

        network.set_train(False)
        draw = np.random.default_rng(5)
        if suite is FASTER_RCNN:
            logits, deltas = network.classify(ms.Tensor(draw.standard_normal((4, 7, 7, 8)).astype(np.float32)))
            return logits.asnumpy()[:, :-1], deltas.asnumpy().transpose(0, 2, 1)
        images = ms.Tensor(draw.standard_normal((1, 3, 128, 128)).astype(np.float32))
        if suite is NAS_FPN:
            return (network(images)[0].asnumpy(),)
        return (np.moveaxis(network(images).asnumpy(), 1, -1),)

    return outputs


@for_suites
def test_a_training_with_the_classes_in_another_order_begins_with_their_outputs_in_that_order(
    suite, outputs, tmp_path, caplog
):
    """The averaged weights count; a class that the checkpoint does not know begins anew."""
    caplog.set_level(logging.INFO)
    build, names = suite.part("build"), ["a", "b", "c", "d"]
    networks = []
    for chosen in (names, ["d", "new", "a", "b"]):
        arguments = (f"--class_names=[{','.join(chosen)}]",) if suite is SEGFORMER else ()
        config = suite.load(*arguments)
        if suite is SEGFORMER:
            networks.append(build.build_network(config))
        else:
            networks.append(build.build_network(config, 4))
    arrays = {item.name: item.asnumpy() for item in networks[0].get_parameters()}
    path = tmp_path / "net.ckpt"
    others = {name: np.zeros_like(array) for name, array in arrays.items()}
    save_state(path, suite, {**others, **{f"ema.{name}": array for name, array in arrays.items()}}, names)
    load_pretrained(suite, config, networks[1], path, ["d", "new", "a", "b"])
    said = "the outputs of 3 of 4 classes are taken over by name: d, a, b; these begin anew: new"
    assert said in caplog.text
    before, after = (outputs(suite, network) for network in networks)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other[..., [0, 2, 3]], one[..., [3, 0, 1]], rtol=1e-4, atol=1e-5)
        assert np.abs(one[..., 0] - one[..., 1]).max() > 1e-4  # so that an order shows


@for_detectors
def test_a_training_with_some_of_the_classes_begins_with_their_rows(suite, tmp_path, caplog):
    """Of the classes a, b, c the network has c and a: whole rows of each anchor's, or of each proposal's, outputs."""
    caplog.set_level(logging.INFO)
    build, config = suite.part("build"), suite.load()
    stored = {item.name: item.asnumpy() for item in build.build_network(config, 3).get_parameters()}
    path, network = tmp_path / "net.ckpt", build.build_network(config, 2)
    save_state(path, suite, stored, ["a", "b", "c"])
    load_pretrained(suite, config, network, path, ["c", "a"])
    assert "the outputs of 2 of 2 classes are taken over by name: c, a" in caplog.text
    weights = {item.name: item.asnumpy() for item in network.get_parameters()}
    if suite is NAS_FPN:
        name = "head.classify.weight"
        rows = stored[name].reshape(config.anchors_per_cell, 3, -1)[:, [2, 0]]
        np.testing.assert_array_equal(weights[name].reshape(rows.shape), rows)
    else:
        np.testing.assert_array_equal(
            weights["rcnn.classify.weight"],
            stored["rcnn.classify.weight"][[2, 0, 3]],  # background stays last
        )
        rows = stored["rcnn.regress.weight"].reshape(3, 4, -1)[[2, 0]]
        np.testing.assert_array_equal(weights["rcnn.regress.weight"].reshape(rows.shape), rows)


def save_state(path, suite, arrays, names):
    from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint

    text = dump_config(suite.load())
    save_checkpoint(path, TrainingState(arrays=arrays, suite=suite.name, class_names=names, config_text=text))


def load_pretrained(suite, config, network, path, names):
    given = () if suite is SEGFORMER else (names,)
    suite.part("build").load_pretrained(config, network, load_checkpoint(path), *given)


@for_suites
def test_weights_of_another_width_are_refused_with_both(suite, own):
    """Training keeps its own configuration."""
    key = WIDTHS[suite.name]
    config = suite.load(f"--{key}=20")
    network = suite.part("build").build_network(config, *(() if suite is SEGFORMER else (2,)))
    value = getattr(suite.load(), key)
    with pytest.raises(BadValueError, match=f"does not fit the network: .*of this run: .*{key}: {value} -> 20"):
        load_pretrained(suite, config, network, own, ["red", "blue"])


def test_every_suite_says_what_its_weights_fix():
    """All that shapes a parameter, and what the boxes are coded by."""
    assert {suite.name for suite in SUITES} == set(WIDTHS)
    for suite in SUITES:
        fixed = type(suite.load()).keys_in("FIXED_BY_WEIGHTS")
        assert WIDTHS[suite.name] in fixed
        assert fixed.isdisjoint(type(suite.load()).keys_in("OWN_TO_A_COMMAND"))
    for suite in DETECTORS:
        assert {"num_classes", "coco_classes", "anchor_ratios", "norm_eps"} <= type(suite.load()).keys_in(
            "FIXED_BY_WEIGHTS"
        )
