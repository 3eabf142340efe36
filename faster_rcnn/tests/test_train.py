"""Training as a user types it, on a tiny data set: run folder, log, resume, pretrained weights, refusals."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faster_rcnn.src import build
from faster_rcnn.src.config import load
from faster_rcnn.src.loss_log import format_losses
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import TrainingState, load_checkpoint, save_checkpoint

SUITE = Path(__file__).resolve().parent.parent
TINY = (
    "--config_path=config/custom.yaml",
    "--img_height=64",
    "--img_width=96",
    "--res2net_layers=[1,1,1,1]",
    "--res2net_width=4",
    "--res2net_base_width=2",
    "--fpn_out_channels=8",
    "--rpn_feat_channels=8",
    "--rcnn_fc_out_channels=16",
    "--num_gts=8",
    "--num_expected_neg=32",
    "--num_expected_pos=16",
    "--rpn_proposal_nms_pre=50",
    "--rpn_proposal_max_num=40",
    "--num_expected_neg_stage2=16",
    "--num_expected_pos_stage2=8",
    "--rpn_nms_pre=50",
    "--rpn_max_num=20",
    "--warmup_step=1",
    "--batch_size=2",
    "--log_interval=1",
    "--device_target=CPU",
    "--num_parallel_workers=1",
    "--keep_empty_images=true",
)
LINE = re.compile(
    r"epoch: (\d+) step: (\d+), rpn_loss: (\d+\.\d{5}), rcnn_loss: (\d+\.\d{5}), rpn_cls_loss: (\d+\.\d{5}), "
    r"rpn_reg_loss: (\d+\.\d{5}), rcnn_cls_loss: (\d+\.\d{5}), rcnn_reg_loss: (\d+\.\d{5}), total_loss: (\d+\.\d{5})"
)

pytestmark = pytest.mark.end_to_end


def _run(script, *arguments):
    return subprocess.run(
        [sys.executable, str(SUITE / script), *arguments],
        cwd=SUITE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _refused(*arguments):
    finished = _run("train.py", *arguments)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    lines = [line for line in finished.stderr.splitlines() if "error:" in line]
    assert len(lines) == 1, finished.stderr
    return lines[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data set with a space in its path, and a run of two epochs on it."""
    root = tmp_path_factory.mktemp("a run")
    data = write_coco(root / "coco data")
    run = root / "run"
    finished = _run("train.py", *TINY, "--epoch_size=2", f"--coco_root={data}", f"--run_dir={run}", "--eval_interval=1")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return data, run


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
    assert format_losses(1, 7393, losses) == (
        "epoch: 1 step: 7393, rpn_loss: 0.12054, rcnn_loss: 0.40601, rpn_cls_loss: 0.04025, rpn_reg_loss: 0.08032, "
        "rcnn_cls_loss: 0.25854, rcnn_reg_loss: 0.14746, total_loss: 0.52655"
    )


def test_training_leaves_a_run_folder(trained):
    _, run = trained
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {"config.yaml", "train.log", "loss_0.log", "metrics.jsonl", "curves.png"} <= names
    assert {"ckpt_0/faster_rcnn-1_3.ckpt", "ckpt_0/faster_rcnn-2_3.ckpt", "ckpt_0/faster_rcnn_best.ckpt"} <= names
    assert not [name for name in names if "tmp" in name]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    evaluations = [row for row in rows if row["kind"] == "evaluation"]
    assert [row["epoch"] for row in evaluations] == [1, 2]
    assert {"mAP", "AP50", "AP75"} <= set(evaluations[0]["metrics"])


def test_the_loss_log_has_a_line_of_every_step_and_the_parts_add_up(trained):
    _, run = trained
    lines = (run / "loss_0.log").read_text().splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found)
    assert [(match[1], match[2]) for match in found] == [(epoch, step) for epoch in "12" for step in "123"]
    for match in found:
        rpn, rcnn, rpn_cls, rpn_reg, rcnn_cls, rcnn_reg, total = map(float, match.groups()[2:])
        np.testing.assert_allclose([rpn_cls + rpn_reg, rcnn_cls + rcnn_reg, rpn + rcnn], [rpn, rcnn, total], atol=3e-5)
    log = (run / "train.log").read_text()
    assert all(line in log for line in lines)


def test_two_epochs_are_one_and_a_resumed_one_bit_for_bit(trained, tmp_path):
    data, run = trained
    finished = _run(
        "train.py",
        *TINY,
        "--epoch_size=2",
        f"--coco_root={data}",
        f"--run_dir={tmp_path}",
        "--run_eval=False",
        f"--resume={run / 'ckpt_0' / 'faster_rcnn-1_3.ckpt'}",
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    name = Path("ckpt_0", "faster_rcnn-2_3.ckpt")
    whole, resumed = load_checkpoint(run / name), load_checkpoint(tmp_path / name)
    assert set(whole.arrays) == set(resumed.arrays)
    for key, array in whole.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[key], array, err_msg=key)
    lines = (tmp_path / "loss_0.log").read_text().splitlines()
    assert lines == (run / "loss_0.log").read_text().splitlines()[3:]


def test_a_backbone_by_key_keeps_its_weights_and_says_how_stage_1_pools(config, tmp_path):
    stored = "res2net_stage1_pool: true\n"
    path = _write(config, tmp_path / "backbone.ckpt", part="backbone", config_text=stored)
    config = load([*TINY, "--res2net_layers=[1,1,2,1]", f"--pre_trained={path}"])
    checkpoint = load_checkpoint(path)
    config = build.with_stored_network(config, checkpoint, takes_backbone=False)
    assert config.res2net_stage1_pool is True
    network = build.build_network(config, 5)
    build.load_pretrained(config, network, checkpoint)
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
        build.load_pretrained(load(arguments), network, checkpoint)
    first = network.rcnn.classify.weight.asnumpy().copy()
    build.load_pretrained(load([*arguments, "--filter_weight=true"]), network, checkpoint)
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
    stored, network, classes = build.load_detector(config, path)
    assert (classes.names, classes.category_ids) == (("a", "b", "c"), (4, 9, 2))
    assert network.rcnn.num_classes == 3
    assert stored.res2net_stage1_pool is True
    opposite = load([*TINY, "--res2net_layers=[1,1,2,1]", "--res2net_stage1_pool=false"])
    with pytest.raises(BadValueError, match="res2net_stage1_pool is false and .* is of a network with true"):
        build.load_detector(opposite, path)
    with pytest.raises(BadValueError, match="num_classes is 5 and .* has 3 classes"):
        build.load_detector(load([*TINY, "--res2net_layers=[1,1,2,1]", "--num_classes=5"]), path)


def test_another_depth_is_taken_from_the_checkpoint_or_refused(tmp_path):
    small = [item for item in TINY if "layers" not in item]
    path = _write(load([*small, "--res2net_layers=null", "--backbone=res2net_101"]), tmp_path / "deep.ckpt")
    checkpoint = load_checkpoint(path)
    plain = load([*small, "--res2net_layers=null"])
    assert plain.backbone == "res2net_50"
    assert build.with_stored_network(plain, checkpoint).layers == (3, 4, 23, 3)
    with pytest.raises(BadValueError, match=r"res2net_101 with \[3, 4, 23, 3\] blocks .* --backbone=res2net_101"):
        build.with_stored_network(plain, checkpoint, takes_backbone=False)
    with pytest.raises(BadValueError, match="the configuration has res2net_50: give --backbone=res2net_101"):
        build.with_stored_network(load([*small, "--res2net_layers=null", "--backbone=res2net_50"]), checkpoint)
    with pytest.raises(BadValueError, match=r"the configuration has res2net_layers \[2, 2, 2, 2\]"):
        build.with_stored_network(load(small), checkpoint)


def test_weights_of_no_network_of_this_suite_are_sent_to_the_converter(config, tmp_path):
    path = tmp_path / "imagenet.ckpt"
    save_checkpoint(path, TrainingState(arrays={"conv1_0.weight": np.zeros((2, 3, 3, 3), np.float32)}))
    with pytest.raises(BadValueError, match="python convert_checkpoint.py --ckpt_file="):
        build.with_stored_network(config, load_checkpoint(path))


def test_a_finished_run_is_not_overwritten(trained):
    data, run = trained
    assert "--resume=auto" in _refused(*TINY, f"--coco_root={data}", f"--run_dir={run}")


def test_a_resumed_run_of_another_depth_is_refused(trained, tmp_path):
    data, run = trained
    arguments = [item for item in TINY if "layers" not in item]
    sentence = _refused(
        *arguments,
        "--res2net_layers=null",
        "--backbone=res2net_50",
        f"--coco_root={data}",
        f"--run_dir={tmp_path}",
        f"--resume={run / 'ckpt_0' / 'faster_rcnn-1_3.ckpt'}",
    )
    assert "[1, 1, 1, 1] blocks in its stages, the configuration has res2net_50" in sentence
