"""Checkpoints and runs that cannot be, each with its sentence; what is refused changes no weight."""

import functools
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from tests.suites import DETECTORS, FASTER_RCNN, NAS_FPN, SEGFORMER, for_detectors, for_suites
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from utils.training.checkpoints.loading import load_weights

OTHER_BACKBONE = "does not fit the network: .*backbone.*check backbone, depth, width"
CLASS_OUTPUTS = {"nas_fpn": ("head.classify",), "faster_rcnn": ("rcnn.classify", "rcnn.regress")}


def build_network(suite, *arguments, num_classes=2):
    build = suite.part("build")
    config = suite.load(*arguments)
    return build.build_network(config) if suite is SEGFORMER else build.build_network(config, num_classes)


@pytest.fixture(scope="module")
def networks():
    return functools.cache(build_network)


@pytest.fixture()
def network(suite, networks):
    return networks(suite)


def weights_of(network) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}


def save(path: Path, arrays: dict[str, np.ndarray], suite, **facts) -> Path:
    save_checkpoint(path, TrainingState(arrays=arrays, suite=str(suite), **facts))
    return path


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def write_pickle(path, *_):
    return write_bytes(path, pickle.dumps(Bomb(path.with_name("exploded"))))


def write_bytes(path, content):
    path.write_bytes(content)
    return path


def write_truncated(path, network, suite):
    save(path, weights_of(network), suite)
    return write_bytes(path, path.read_bytes()[:-2000])


def write_of_another(path, network, suite):
    return save(path, weights_of(network), "another_suite")


def write_moments(path, _, suite):
    return save(path, {"optimizer.momentum.head": np.zeros(3, np.float32)}, suite)


def write_foreign(path, _, suite):
    return save(path, {"encoder.weight": np.zeros(3, np.float32)}, suite)


def write_not_finite(path, network, suite):
    """One weight of some thousands."""
    arrays = weights_of(network)
    arrays[list(arrays)[0]].flat[0] = np.nan
    return save(path, arrays, suite, global_step=3)


BAD_FILES = [
    (lambda path, *_: path, MissingPathError, "does not exist"),
    (lambda path, *_: path.parent, MissingPathError, "is a folder"),
    (lambda path, *_: write_bytes(path, b""), BadValueError, "is empty"),
    (lambda path, *_: write_bytes(path, b"weights"), BadValueError, "is no MindSpore checkpoint"),
    (write_truncated, BadValueError, "cut short|truncated|damaged"),
    (write_pickle, BadValueError, "is a Python pickle, .* and is not opened"),
    (write_of_another, BadValueError, "is a checkpoint of another_suite, wanted one of "),
    (write_not_finite, BadValueError, r"not finite .*: 1 of [\d,]+ values, in 1 of \d+ parameters .* an earlier check"),
]
NO_WEIGHTS = [
    (write_moments, BadValueError, "holds optimizer state only, no weights"),
    (write_foreign, BadValueError, "fits no parameter of the network"),
]


@pytest.mark.parametrize(("make", "error", "sentence"), [*BAD_FILES, *NO_WEIGHTS])
@for_suites
def test_a_file_that_is_no_checkpoint_of_this_suite_is_refused(suite, make, error, sentence, network, tmp_path):
    before = weights_of(network)
    with pytest.raises(error, match=sentence):
        load_weights(network, load_checkpoint(make(tmp_path / "net.ckpt", network, suite), suite.name))
    assert not (tmp_path / "exploded").exists()
    for name, values in weights_of(network).items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize(("make", "error", "sentence"), BAD_FILES)
@for_suites
def test_commands_that_read_a_network_refuse_it_too(suite, make, error, sentence, network, tmp_path):
    with pytest.raises(error, match=sentence):
        suite.load_network(make(tmp_path / "net.ckpt", network, suite))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("make", [make for make, _, _ in NO_WEIGHTS])
@pytest.mark.parametrize("suite", [FASTER_RCNN], ids=str)
def test_a_detector_without_weights_is_refused(suite, make, network, tmp_path):
    with pytest.raises(BadValueError, match="has no weights of a Res2Net of this suite .*: choose another file, or"):
        suite.load_network(make(tmp_path / "net.ckpt", network, suite))


@pytest.mark.parametrize(
    ("suite", "changes", "num_classes", "sentence"),
    [
        *(
            (suite, [], 3, "was trained with another number of classes: .*take as many classes as it has$")
            for suite in DETECTORS
        ),
        (
            NAS_FPN,
            ["--resnet_layers=[2,1,1,1]"],
            2,
            "does not fit the network: .*backbone.*check backbone, depth, width",
        ),
        (NAS_FPN, ["--resnet_width=8"], 2, "does not fit the network: .*backbone"),
        (NAS_FPN, ["--nasfpn_stack_times=2"], 2, r"does not fit the network: .*neck\.stacks\.1"),
        (FASTER_RCNN, ["--res2net_layers=[2,1,1,1]"], 2, OTHER_BACKBONE),
        (FASTER_RCNN, ["--res2net_width=16"], 2, "does not fit the network: .*backbone"),
        (FASTER_RCNN, ["--fpn_out_channels=16"], 2, "does not fit the network: .*neck"),
        (SEGFORMER, ["--backbone_depths=[2,1,1,1]"], 4, r"does not fit the network: .*backbone\.stages"),
        (SEGFORMER, ["--class_num=5"], 5, "another number of classes"),
    ],
    ids=str,
)
def test_a_checkpoint_of_another_network_is_refused(suite, changes, num_classes, sentence, network, tmp_path):
    path = save(tmp_path / "net.ckpt", weights_of(network), suite)
    other = build_network(suite, *changes, num_classes=num_classes)
    with pytest.raises(BadValueError, match=sentence):
        load_weights(other, load_checkpoint(path, suite.name))


@pytest.mark.parametrize(
    ("suite", "arguments", "sentence"),
    [
        *((suite, ["--num_classes=5"], "num_classes is 5 and .* has 2 classes") for suite in DETECTORS),
        *((suite, ["--coco_classes=[a, b, c]"], "coco_classes has 3 names and .* 2 classes") for suite in DETECTORS),
        (SEGFORMER, ["--class_num=7"], "class_num is 7, but the weights of .* with 4: leave --class_num out"),
    ],
    ids=str,
)
def test_classes_that_are_not_those_of_the_checkpoint_are_refused(suite, arguments, sentence, network, tmp_path):
    facts = {} if suite is SEGFORMER else {"class_names": ["red", "blue"], "category_ids": [7, 3]}
    path = save(tmp_path / "net.ckpt", weights_of(network), suite, **facts)
    with pytest.raises(BadValueError, match=sentence):
        suite.load_network(path, *arguments)


@for_suites
def test_the_advice_on_another_number_of_classes_works(suite, network, tmp_path):
    """The layers that the sentence names keep their random values, the others come from the file."""
    path = save(tmp_path / "net.ckpt", {name: values + 1 for name, values in weights_of(network).items()}, suite)
    arguments = (f"--pre_trained={path}", *(["--class_num=5"] if suite is SEGFORMER else []))
    names = () if suite is SEGFORMER else ("abcde",)
    load_pretrained = suite.part("build").load_pretrained
    other = build_network(suite, *arguments, num_classes=5)
    with pytest.raises(BadValueError, match="another number of classes") as refused:
        load_pretrained(suite.load(*arguments), other, load_checkpoint(path), *names)
    (advised,) = re.findall(r"--allow_mismatch=\S+", str(refused.value))
    load_pretrained(suite.load(*arguments, advised), other, load_checkpoint(path), *names)
    left_out = tuple(advised.partition("=")[2].strip("[]").split(","))
    for name, values in weights_of(other).items():
        if not name.startswith(left_out):
            np.testing.assert_array_equal(values, weights_of(network)[name] + 1)
    assert len(left_out) in (2, 4)


@for_detectors
def test_another_number_of_classes_may_start_anew(suite, network, tmp_path):
    """With filter_weight everything but the class outputs comes from the file."""
    path = save(tmp_path / "net.ckpt", {name: values + 1 for name, values in weights_of(network).items()}, suite)
    arguments = (f"--pre_trained={path}", "--filter_weight=True")
    other = build_network(suite, *arguments, num_classes=5)
    suite.part("build").load_pretrained(suite.load(*arguments), other, load_checkpoint(path), "abcde")
    for name, values in weights_of(other).items():
        if not name.startswith(CLASS_OUTPUTS[suite.name]):
            np.testing.assert_array_equal(values, weights_of(network)[name] + 1)


@for_detectors
def test_filter_weight_leaves_as_many_classes_out_too(suite, tmp_path):
    other = build_network(suite)
    before = weights_of(other)
    path = save(tmp_path / "net.ckpt", {name: values + 1 for name, values in before.items()}, suite)
    config = suite.load(f"--pre_trained={path}", "--filter_weight=True")
    suite.part("build").load_pretrained(config, other, load_checkpoint(path), "ab")
    for name, values in weights_of(other).items():
        is_new = name.startswith(CLASS_OUTPUTS[suite.name])
        np.testing.assert_array_equal(values, before[name] if is_new else before[name] + 1)


BAD_RUNS = [
    (["--pre_trained_epoch_size=2"], "pre_trained_epoch_size is 2 and pre_trained is not set"),
    (["--pre_trained=net.ckpt", "--pre_trained_epoch_size=10"], "leaves nothing of epoch_size 10"),
    (["--pre_trained=net.ckpt", "--pre_trained_epoch_size=-1"], "pre_trained_epoch_size is -1, wanted a whole number"),
    (["--device_id=-1"], "device_id is -1, wanted"),
    (["--batch_size=0"], "batch_size is 0, wanted a whole number of at least 1"),
    (["--epoch_size=0"], "epoch_size is 0, wanted"),
    (["--num_gts=0"], "num_gts is 0, wanted a whole number of at least 1"),
    (["--scale_range=[2,1]"], r"scale_range is \[2.0, 1.0\], wanted the lower factor first"),
]


@pytest.mark.parametrize(
    ("suite", "arguments", "sentence"),
    [
        *((suite, *each) for suite in DETECTORS for each in BAD_RUNS),
        (FASTER_RCNN, ["--expand_ratio=0.5"], "expand_ratio is 0.5, wanted a number of at least 1"),
        (
            FASTER_RCNN,
            ["--img_height=32", "--img_width=32", "--batch_size=1"],
            "batch_size is 1 and the input 32 x 32: batch norm",
        ),
        (FASTER_RCNN, ["--img_width=100"], "img_width is 100, .* the nearest to use: 96 and 128"),
    ],
    ids=str,
)
def test_keys_of_a_run_that_cannot_be_are_refused(suite, arguments, sentence):
    with pytest.raises(BadValueError, match=sentence):
        suite.load(*arguments)


def test_a_batch_of_one_pixel_on_the_coarsest_level_has_no_variance():
    build, config = NAS_FPN.part("build"), NAS_FPN.load("--batch_size=1")
    with pytest.raises(BadValueError, match=r"is 1 and img_shape \[128, 128\]: .* norm_statistics to frozen"):
        build.build_train_step(config, build.build_network(config, 2), 2, "O0")
