"""export.py: the file gives the network's detections, the JSON says how to feed it, bad input gets a sentence."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from faster_rcnn.src import build
from faster_rcnn.src.config import load
from faster_rcnn.src.export import export, log_probe, probe
from faster_rcnn.tests.tiny_detector import TINY_NETWORK, write_checkpoint
from utils.exporting.check import compare_outputs, run_model
from utils.exporting.description import read_description
from utils.model_utils.device_adapter import DeviceInfo, choose_device
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.training.tests.counted_reads import reads_once

SUITE = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("check point") / "tiny.ckpt")


@pytest.fixture(autouse=True)
def _device(monkeypatch):
    """MindSpore takes a device once in a process, before the first operator; other tests have run some."""
    ms.set_context(mode=ms.GRAPH_MODE)
    monkeypatch.setattr(
        "faster_rcnn.src.export.set_up_device", lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1)
    )


def run_export(checkpoint, tmp_path, *arguments):
    with reads_once():
        export(
            load(
                [*TINY_NETWORK, f"--run_dir={tmp_path}", f"--ckpt_file={checkpoint}", "--file_name=net", *arguments],
                program="export.py",
            )
        )


@pytest.fixture(scope="module")
def inputs():
    """Two pictures, one larger than the input, one smaller."""
    images, metas = probe(64, 96, 2)
    metas[1] = (40, 60, 1.6, 1.6)
    return [images, metas]


@pytest.fixture(scope="module")
def expected(checkpoint, inputs):
    """What eval.py --roi_sampling_ratio=2 would find: with CPU kernels where there are any."""
    ms.set_context(mode=ms.GRAPH_MODE)
    config = load([*TINY_NETWORK, "--roi_sampling_ratio=2"])
    network = build.build_inference(config, build.load_detector(config, checkpoint)[1]).set_train(False)
    return [output.asnumpy() for output in network(*map(ms.Tensor, inputs))]


def test_the_documented_command(checkpoint, inputs, expected, tmp_path):
    """From another folder: the file finds what the network finds, the JSON says how to feed it and what comes out."""
    finished = subprocess.run(
        [
            sys.executable,
            str(SUITE / "export.py"),
            *TINY_NETWORK,
            "--ckpt_file",
            str(checkpoint),
            "--file_name",
            "net",
            "--file_format",
            "MINDIR",
            "--backbone",
            "res2net_50",
            "--export_batch_size=2",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.search(
        r"exported .*net\.mindir \(MINDIR, 0\.\d MB\), largest difference to the network's outputs \S+ of",
        finished.stdout,
    )
    assert re.search(r"\d\d detections on the drawn picture to compare with", finished.stderr)
    assert "eval.py --roi_sampling_ratio=2 evaluates this network" in finished.stderr
    found = run_model(tmp_path / "net.mindir", "MINDIR", inputs)
    assert (found[1][:, :5] > 0.05).all()
    assert found[0][0].max() > 60  # pixels of the first picture, which is larger than the second
    assert found[0][1].max() <= 60
    assert compare_outputs(found, expected) < 1e-4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.mindir"]
    assert json.loads((tmp_path / "net.json").read_text()) == DESCRIPTION


DESCRIPTION = {
    "suite": "faster_rcnn",
    "file": "net.mindir",
    "file_format": "MINDIR",
    "inputs": [
        {"name": "images", "dtype": "float32", "shape": [2, 3, 64, 96]},
        {"name": "image_metas", "dtype": "float32", "shape": [2, 4]},
    ],
    "outputs": [
        {"name": "boxes", "dtype": "float32", "shape": [2, 100, 4]},
        {"name": "scores", "dtype": "float32", "shape": [2, 100]},
        {"name": "labels", "dtype": "int32", "shape": [2, 100]},
    ],
    "preprocessing": {
        "channel_order": "RGB",
        "resize": "keep_ratio",
        "height": 64,
        "width": 96,
        "mean": [123.675, 116.28, 103.53],
        "std": [58.395, 57.12, 57.375],
        "padding": "bottom_right",
        "padding_value": 0.0,
        "rounding": "half_even",
    },
    "class_names": ["red", "blue"],
    "category_ids": [7, 3],
    "postprocessing": {"test_score_thr": 0.05, "test_iou_thr": 0.5, "test_max_per_img": 100},
    "format_version": 1,
}


def test_onnx_holds_the_whole_detector(checkpoint, inputs, expected, tmp_path):
    pytest.importorskip("onnxruntime")
    run_export(checkpoint, tmp_path, "--file_format=ONNX", "--export_batch_size=2")
    assert compare_outputs(run_model(tmp_path / "net.onnx", "ONNX", inputs), expected) < 1e-4
    assert read_description(tmp_path / "net.onnx").file_format == "ONNX"


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        ([[0.9, 0.2, 0.0]], "2 detections on the drawn picture"),
        ([[0.0, 0.0, 0.0]], "finds nothing on the drawn picture"),
    ],
)
def test_how_much_there_is_to_compare_is_said(scores, sentence, caplog):
    class Network(nn.Cell):
        def construct(self, images, image_metas):
            return images, ms.Tensor(scores, ms.float32), image_metas

    caplog.set_level(logging.INFO)
    log_probe(Network(), probe(64, 96, 1))
    assert sentence in caplog.text


def test_the_drawn_picture_has_padding_and_scales_of_its_own():
    images, metas = probe(64, 96, 2)
    assert (images.shape, images.dtype, metas.shape, metas.dtype) == ((2, 3, 64, 96), np.float32, (2, 4), np.float32)
    assert not images[:, :, 32:].any()
    assert images[:, :, :32].any(axis=(1, 3)).all()
    np.testing.assert_allclose(metas[0], [64, 120, 0.5, 0.8])  # 32 / 0.5 and 96 / 0.8 pixels


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ("--ckpt_file=", MissingPathError, "--checkpoint_path"),
        ("--ckpt_file={tmp}/absent.ckpt", MissingPathError, r"absent\.ckpt"),
        ("--file_format=AIR", BadValueError, "on Ascend only"),
        ("--file_format=TFLITE", BadValueError, "auto, MINDIR, AIR, ONNX"),
        ("--file_name=a file/net", MissingPathError, "'.*a file' is a file"),
        ("--num_classes=5", BadValueError, "5 and .* has 2 classes"),
        ("--export_batch_size=0", BadValueError, "export_batch_size is 0"),
        ("--backbone=res2net_49", BadValueError, "res2net_50, res2net_101"),
        ("--res2net_layers=null", BadValueError, "1, 1, 1, 1"),
        ("--device_target=GPU", BadStateError, "GPU"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(checkpoint, tmp_path, changed, error, sentence):
    (tmp_path / "a file").touch()
    with pytest.raises(error, match=sentence):
        run_export(checkpoint, tmp_path, changed.format(tmp=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]
