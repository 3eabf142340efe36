"""export.py: the file gives the network's logits in every format that a CPU can check, under the documented name."""

import json
import re
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from segformer.src import build
from segformer.src.config import load
from segformer.src.export import export
from segformer.src.labels.classes import CITYSCAPES_CLASS_NAMES
from utils.exporting.check import compare_outputs, run_model
from utils.exporting.description import read_description
from utils.model_utils.device_adapter import DeviceInfo, choose_device
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint
from utils.training.tests.counted_reads import reads_once

SUITE = Path(__file__).resolve().parent.parent
NAME = "segformer.b1.1024x1024.city"
TINY = (
    f"--config_path=config/{NAME}.yaml",
    "--backbone_widths=[4,8,10,16]",
    "--backbone_depths=[1,1,1,1]",
    "--decoder_channels=8",
    "--base_size=[32,64]",
    "--device_target=CPU",
)

pytestmark = pytest.mark.end_to_end


def write_checkpoint(path, class_num=19, **options):
    """Random weights, the last layer's large enough that logits differ from 0."""
    network = build.build_network(load([*TINY, f"--class_num={class_num}"]))
    draws = np.random.default_rng(0)
    arrays = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    last = arrays["head.classifier.weight"]
    arrays["head.classifier.weight"] = draws.normal(size=last.shape).astype(np.float32)
    save_checkpoint(path, TrainingState(arrays=arrays, **{"suite": "segformer", **options}))
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("check point") / "tiny.ckpt")


@pytest.fixture(autouse=True)
def _device(monkeypatch):
    """MindSpore takes a device once in a process, before the first operator; other tests have run some."""
    ms.set_context(mode=ms.GRAPH_MODE)
    monkeypatch.setattr(
        "segformer.src.export.set_up_device", lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1)
    )


def run_export(checkpoint, tmp_path, *arguments):
    with reads_once():
        export(load([*TINY, f"--run_dir={tmp_path}", f"--export_ckpt_path={checkpoint}", *arguments], "export.py"))


def logits_of_network(checkpoint, images):
    """What eval.py would compute: with CPU kernels where there are any."""
    config = load(TINY)
    network = build.build_inference(config, build.load_network(config, checkpoint)[0]).set_train(False)
    return [network(ms.Tensor(images)).asnumpy()]


def test_the_documented_command(checkpoint, tmp_path):
    """From another folder; the file's name begins with the configuration's and ends with the format."""
    finished = subprocess.run(
        [
            sys.executable,
            str(SUITE / "export.py"),
            *TINY,
            "--export_ckpt_path",
            str(checkpoint),
            "--export_format",
            "MINDIR",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert re.search(
        rf"exported .*{NAME}\.mindir \(MINDIR, 0\.\d MB\), largest difference to the network's outputs "
        r"\S+ of their largest value",
        finished.stdout,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{NAME}.json", f"{NAME}.mindir"]
    images = np.random.default_rng(1).normal(size=(1, 3, 32, 64)).astype(np.float32)
    found = run_model(tmp_path / f"{NAME}.mindir", "MINDIR", [images])
    assert compare_outputs(found, logits_of_network(checkpoint, images)) < 1e-5


def test_the_json_says_how_to_feed_the_model_and_what_comes_out(checkpoint, tmp_path):
    run_export(checkpoint, tmp_path)
    values = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert values["inputs"] == [{"name": "images", "dtype": "float32", "shape": [1, 3, 32, 64]}]
    assert values["outputs"] == [{"name": "logits", "dtype": "float32", "shape": [1, 19, 32, 64]}]
    assert values["preprocessing"] == {
        "channel_order": "RGB",
        "resize": "keep_ratio",
        "height": 32,
        "width": 64,
        "mean": [123.675, 116.28, 103.53],
        "std": [58.395, 57.12, 57.375],
        "padding": "bottom_right",
        "padding_value": 0.0,
        "rounding": "half_up",
    }
    assert (values["suite"], values["file"], values["file_format"]) == ("segformer", f"{NAME}.mindir", "MINDIR")
    assert values["class_names"] == list(CITYSCAPES_CLASS_NAMES)
    assert values["category_ids"][:3] == [7, 8, 11]  # road, sidewalk, building
    assert values["postprocessing"] == {"ignore_label": 255}


def test_a_model_for_any_number_of_images(checkpoint, tmp_path):
    run_export(checkpoint, tmp_path, "--export_batch_size=0")
    assert read_description(tmp_path / f"{NAME}.mindir").inputs[0].shape == (None, 3, 32, 64)
    images = np.random.default_rng(3).normal(size=(3, 3, 32, 64)).astype(np.float32)
    found = run_model(tmp_path / f"{NAME}.mindir", "MINDIR", [images])
    assert compare_outputs(found, logits_of_network(checkpoint, images)) < 1e-5


def test_onnx_holds_the_whole_network(checkpoint, tmp_path):
    """Erf and bilinear resizing, which MindSpore cannot write as ONNX, are put together from other operators."""
    pytest.importorskip("onnxruntime")
    run_export(checkpoint, tmp_path, "--export_format=ONNX", "--export_batch_size=2")
    images = np.random.default_rng(3).normal(size=(2, 3, 32, 64)).astype(np.float32)
    found = run_model(tmp_path / f"{NAME}.onnx", "ONNX", [images])
    assert compare_outputs(found, logits_of_network(checkpoint, images)) < 1e-5


def test_a_checkpoints_own_class_names_are_written(tmp_path):
    path = write_checkpoint(tmp_path / "two.ckpt", 2, class_names=["floor", "rest"])
    run_export(path, tmp_path / "out", "--class_num=2")
    description = read_description(tmp_path / "out" / f"{NAME}.mindir")
    assert (description.class_names, description.category_ids) == (("floor", "rest"), (0, 1))


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ("--export_ckpt_path=", MissingPathError, "--export_ckpt_path"),
        ("--export_ckpt_path={tmp}/absent.ckpt", MissingPathError, r"absent\.ckpt"),
        ("--export_format=AIR", BadValueError, "on Ascend only"),
        ("--export_format=PTH", BadValueError, "auto, AIR, MINDIR, ONNX"),
        ("--class_num=4", BadValueError, "19 classes and class_num is 4"),
        ("--backbone_depths=[1,2,1,1]", BadValueError, "does not fit the network"),
        ("--run_dir={tmp}/a file", MissingPathError, "'.*a file' is a file"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(checkpoint, tmp_path, changed, error, sentence):
    (tmp_path / "a file").touch()
    with pytest.raises(error, match=sentence):
        run_export(checkpoint, tmp_path, changed.format(tmp=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]
