"""Checkpoints and runs that cannot be, each with its sentence; what is refused changes no weight."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from faster_rcnn.src import build
from faster_rcnn.src.config import load
from faster_rcnn.tests.tiny_split import TINY
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from utils.training.checkpoints.loading import load_weights


@pytest.fixture(scope="module")
def network():
    return build.build_network(load([*TINY]), num_classes=2)


def weights_of(network) -> dict[str, np.ndarray]:
    return {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}


def save(path: Path, arrays: dict[str, np.ndarray], suite: str = build.SUITE, **facts) -> Path:
    save_checkpoint(path, TrainingState(arrays=arrays, suite=suite, **facts))
    return path


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def write_pickle(path: Path) -> Path:
    path.write_bytes(pickle.dumps(Bomb(path.with_name("exploded"))))
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def write_truncated(path: Path, network) -> Path:
    save(path, weights_of(network))
    return write_bytes(path, path.read_bytes()[:-2000])


BAD_FILES = [
    (lambda path, network: path, MissingPathError, "does not exist"),
    (lambda path, network: path.parent, MissingPathError, "is a folder"),
    (lambda path, network: write_bytes(path, b""), BadValueError, "is empty"),
    (lambda path, network: write_bytes(path, b"weights"), BadValueError, "is no MindSpore checkpoint"),
    (write_truncated, BadValueError, "cut short|truncated|damaged"),
    (lambda path, network: write_pickle(path), BadValueError, "is a Python pickle, .* and is not opened"),
    (
        lambda path, network: save(path, weights_of(network), "nas_fpn"),
        BadValueError,
        "is a checkpoint of nas_fpn, wanted one of faster_rcnn",
    ),
]
NO_WEIGHTS = [
    (
        lambda path, network: save(path, {"optimizer.momentum.rcnn": np.zeros(3, np.float32)}),
        BadValueError,
        "holds optimizer state only, no weights",
    ),
    (
        lambda path, network: save(path, {"encoder.weight": np.zeros(3, np.float32)}),
        BadValueError,
        "fits no parameter of the network",
    ),
]


@pytest.mark.parametrize(("make", "error", "sentence"), [*BAD_FILES, *NO_WEIGHTS])
def test_a_file_that_is_no_checkpoint_of_this_suite_is_refused(make, error, sentence, network, tmp_path):
    before = weights_of(network)
    with pytest.raises(error, match=sentence):
        load_weights(network, load_checkpoint(make(tmp_path / "net.ckpt", network), build.SUITE))
    assert not (tmp_path / "exploded").exists()
    for name, values in weights_of(network).items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize(("make", "error", "sentence"), BAD_FILES)
def test_commands_that_read_a_detector_refuse_it_too(make, error, sentence, network, tmp_path):
    with pytest.raises(error, match=sentence):
        build.load_detector(load([*TINY]), make(tmp_path / "net.ckpt", network))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("make", [make for make, _, _ in NO_WEIGHTS])
def test_a_detector_without_weights_is_refused(make, network, tmp_path):
    with pytest.raises(BadValueError, match="has no weights of a Res2Net of this suite .*: choose another file, or"):
        build.load_detector(load([*TINY]), make(tmp_path / "net.ckpt", network))


@pytest.mark.parametrize(
    ("changes", "num_classes", "sentence"),
    [
        (["--res2net_layers=[2,1,1,1]"], 2, "does not fit the network: .*backbone.*check backbone, depth, width"),
        (["--res2net_width=16"], 2, "does not fit the network: .*backbone"),
        (["--fpn_out_channels=16"], 2, "does not fit the network: .*neck"),
        ([], 3, "was trained with another number of classes: .*set num_classes"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(changes, num_classes, sentence, network, tmp_path):
    path = save(tmp_path / "net.ckpt", weights_of(network))
    other = build.build_network(load([*TINY, *changes]), num_classes)
    with pytest.raises(BadValueError, match=sentence):
        load_weights(other, load_checkpoint(path, build.SUITE))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--num_classes=5"], "num_classes is 5 and .* has 2 classes"),
        (["--coco_classes=[red, green, blue]"], "coco_classes has 3 names and .* 2 classes"),
    ],
)
def test_classes_that_are_not_those_of_the_checkpoint_are_refused(arguments, sentence, network, tmp_path):
    path = save(tmp_path / "net.ckpt", weights_of(network), class_names=["red", "blue"], category_ids=[7, 3])
    with pytest.raises(BadValueError, match=sentence):
        build.load_detector(load([*TINY, *arguments]), path)


def test_another_number_of_classes_may_start_anew(network, tmp_path):
    """With filter_weight everything but the class outputs comes from the file."""
    path = save(tmp_path / "net.ckpt", {name: values + 1 for name, values in weights_of(network).items()})
    config = load([*TINY, f"--pre_trained={path}", "--filter_weight=True"])
    other = build.build_network(config, num_classes=5)
    build.load_pretrained(config, other, load_checkpoint(path))
    for name, values in weights_of(other).items():
        if not name.startswith(("rcnn.classify", "rcnn.regress")):
            np.testing.assert_array_equal(values, weights_of(network)[name] + 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--pre_trained_epoch_size=2"], "pre_trained_epoch_size is 2 and pre_trained is not set"),
        (["--pre_trained=net.ckpt", "--pre_trained_epoch_size=10"], "leaves nothing of epoch_size 10"),
        (
            ["--pre_trained=net.ckpt", "--pre_trained_epoch_size=-1"],
            "pre_trained_epoch_size is -1, wanted a whole number",
        ),
        (["--device_id=-1"], "device_id is -1, wanted"),
        (["--batch_size=0"], "batch_size is 0, wanted a whole number of at least 1"),
        (["--epoch_size=0"], "epoch_size is 0, wanted"),
        (["--num_gts=0"], "num_gts is 0, wanted a whole number of at least 1"),
        (["--scale_range=[2,1]"], r"scale_range is \[2.0, 1.0\], wanted the lower factor first"),
        (["--expand_ratio=0.5"], "expand_ratio is 0.5, wanted a number of at least 1"),
        (["--img_height=32", "--img_width=32", "--batch_size=1"], "batch_size is 1 and the input 32 x 32: batch norm"),
        (["--img_width=100"], "img_width is 100, .* the nearest to use: 96 and 128"),
    ],
)
def test_keys_of_a_run_that_cannot_be_are_refused(arguments, sentence):
    with pytest.raises(BadValueError, match=sentence):
        load([*TINY, *arguments])
