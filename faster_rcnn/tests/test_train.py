"""The line of a step, and what becomes of pretrained weights and of checkpoints of other networks."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from faster_rcnn.src import build
from faster_rcnn.src.config import load
from faster_rcnn.src.loss_log import format_loss_line
from faster_rcnn.src.stored_network import with_stored_network
from faster_rcnn.tests.tiny_detector import TINY_NETWORK as TINY
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, save_checkpoint


@pytest.fixture()
def config():
    return load([*TINY, "--res2net_layers=[1,1,2,1]"])


def _write(config, path, num_classes=2, part="", **state):
    """Writes a checkpoint of random weights of a configuration; returns its path."""
    network = build.build_network(config, num_classes)
    arrays = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    if part:
        arrays = {name: array for name, array in arrays.items() if name.startswith(f"{part}.")}
    save_checkpoint(path, TrainingState(arrays=arrays, suite="faster_rcnn", part=part, **state))
    return path


def test_the_line_is_that_of_the_page():
    losses = {
        "total_loss": 0.526551,
        "rpn_loss": 0.12054,
        "rcnn_loss": 0.40601,
        "rpn_cls_loss": 0.04025,
        "rpn_reg_loss": 0.080318,
        "rcnn_cls_loss": 0.25854,
        "rcnn_reg_loss": 0.14746,
    }
    assert format_loss_line(1, 7393, losses) == (
        "epoch: 1 step: 7393, rpn_loss: 0.12054, rcnn_loss: 0.40601, rpn_cls_loss: 0.04025, rpn_reg_loss: 0.08032, "
        "rcnn_cls_loss: 0.25854, rcnn_reg_loss: 0.14746, total_loss: 0.52655"
    )


def test_a_backbone_by_key_keeps_its_weights_and_says_how_stage_1_pools(config, tmp_path):
    stored = "res2net_stage1_pool: true\n"
    path = _write(config, tmp_path / "backbone.ckpt", part="backbone", config_text=stored)
    config = load([*TINY, "--res2net_layers=[1,1,2,1]", f"--pre_trained={path}"])
    checkpoint = load_checkpoint(path)
    config = with_stored_network(config, checkpoint)
    assert config.res2net_stage1_pool is True
    network = build.build_network(config, 5)
    build.load_pretrained(config, network, checkpoint, "abcde")
    arrays = checkpoint.arrays
    weights = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    assert {name for name in weights if name.startswith("backbone.")} == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(weights[name], array)


def test_a_detector_by_key_wants_its_classes_or_leaves_them_out(config, tmp_path):
    path = _write(config, tmp_path / "detector.ckpt", num_classes=2)
    arguments = [*TINY, "--res2net_layers=[1,1,2,1]", f"--pre_trained={path}"]
    network, checkpoint = build.build_network(config, 5), load_checkpoint(path)
    with pytest.raises(BadValueError, match="was trained with another number of classes"):
        build.load_pretrained(load(arguments), network, checkpoint, "abcde")
    first = network.rcnn.classify.weight.asnumpy().copy()
    build.load_pretrained(load([*arguments, "--filter_weight=true"]), network, checkpoint, "abcde")
    np.testing.assert_array_equal(network.rcnn.classify.weight.asnumpy(), first)
    expected = checkpoint.arrays["rcnn.shared.1.weight"]
    np.testing.assert_array_equal(network.rcnn.shared[1].weight.asnumpy(), expected)


def test_a_detector_is_built_as_its_checkpoint_says(config, tmp_path):
    path = _write(
        config,
        tmp_path / "net.ckpt",
        num_classes=3,
        class_names=["a", "b", "c"],
        category_ids=[4, 9, 2],
        config_text="res2net_stage1_pool: true\n",
    )
    stored, checkpoint = build.open_checkpoint(config, path)
    network, classes = build.load_detector(stored, checkpoint)
    assert not checkpoint.arrays  # nothing of the file stays beside the network
    assert (classes.names, classes.category_ids) == (("a", "b", "c"), (4, 9, 2))
    assert network.rcnn.num_classes == 3
    assert stored.res2net_stage1_pool is True
    opposite = load([*TINY, "--res2net_layers=[1,1,2,1]", "--res2net_stage1_pool=false"])
    with pytest.raises(BadValueError, match="res2net_stage1_pool is false, but the weights of .* are .* with true"):
        build.open_checkpoint(opposite, path)
    with pytest.raises(BadValueError, match="num_classes is 5 and .* has 3 classes"):
        build.load_detector(
            *build.open_checkpoint(load([*TINY, "--res2net_layers=[1,1,2,1]", "--num_classes=5"]), path)
        )


def test_another_depth_is_taken_from_the_checkpoint_or_refused(tmp_path):
    small = [item for item in TINY if "layers" not in item]
    path = _write(load([*small, "--res2net_layers=null", "--backbone=res2net_101"]), tmp_path / "deep.ckpt")
    plain = load([*small, "--res2net_layers=null"])
    assert plain.backbone == "res2net_50"
    assert build.open_checkpoint(plain, path)[0].layers == (3, 4, 23, 3)
    with pytest.raises(BadValueError, match="backbone is 'res2net_50', but the weights of .* with 'res2net_101'"):
        build.open_checkpoint(load([*small, "--res2net_layers=null", "--backbone=res2net_50"]), path)
    checkpoint = load_checkpoint(path)
    with pytest.raises(BadValueError, match=r"res2net_101 with \[3, 4, 23, 3\] blocks .* --backbone=res2net_101"):
        with_stored_network(plain, checkpoint)
    with pytest.raises(BadValueError, match=r"the configuration has res2net_layers \[2, 2, 2, 2\]"):
        with_stored_network(load(small), checkpoint)


def test_weights_of_no_network_of_this_suite_are_sent_to_the_converter(config, tmp_path):
    path = tmp_path / "weights of ImageNet.ckpt"
    save_checkpoint(path, TrainingState(arrays={"conv1_0.weight": np.zeros((2, 3, 3, 3), np.float32)}))
    with pytest.raises(
        BadValueError, match="make a checkpoint of it with: python /.*/convert_checkpoint.py --ck"
    ) as got:
        with_stored_network(config, load_checkpoint(path))
    _, script, argument = shlex.split(str(got.value).partition("with: ")[2])
    assert Path(script).is_file()
    assert argument == f"--ckpt_file={path}"
