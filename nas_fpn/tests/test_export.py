"""export.py: the file gives the network's boxes and scores, the JSON says how to feed it, bad input gets a sentence."""

import json
import re
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from nas_fpn.src import build
from nas_fpn.src.config import load
from nas_fpn.src.export import export
from nas_fpn.tests.tiny_detector import TINY_NETWORK
from utils.detection.inputs import fit_image
from utils.detection.tests.tiny_coco import write_coco
from utils.exporting.check import compare_outputs, run_model
from utils.exporting.description import read_description
from utils.images import read_image
from utils.model_utils.device_adapter import DeviceInfo, choose_device
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.training.tests.counted_reads import reads_once

SUITE = Path(__file__).resolve().parent.parent
NUM_ANCHORS = (16 * 16 + 8 * 8 + 4 * 4 + 2 * 2 + 1) * 9  # of a 128 x 128 input

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def _device(monkeypatch):
    """MindSpore takes a device once in a process, before the first operator; other tests have run some."""
    ms.set_context(mode=ms.GRAPH_MODE)
    monkeypatch.setattr(
        "nas_fpn.src.export.set_up_device", lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1)
    )


def run_export(checkpoint, tmp_path, *arguments):
    given = [f"--run_dir={tmp_path}", f"--checkpoint_path={checkpoint}", "--file_name=net", *arguments]
    with reads_once():
        export(load([*TINY_NETWORK, *given], program="export.py"))


def outputs_of_network(checkpoint, images):
    config = load(TINY_NETWORK)
    network = build.build_inference(config, build.load_detector(config, checkpoint)[0]).set_train(False)
    return [output.asnumpy() for output in network(ms.Tensor(images))]


def run_script(script, *arguments, cwd):
    finished = subprocess.run(
        [sys.executable, str(SUITE / script), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def test_the_documented_command(checkpoint, tmp_path):
    """Exports as the page says from another folder, and runs the file on a picture."""
    finished = run_script(
        "export.py",
        *TINY_NETWORK,
        "--file_name",
        "retinanet_nasfpn",
        "--file_format",
        "MINDIR",
        "--checkpoint_path",
        str(checkpoint),
        cwd=tmp_path,
    )
    assert re.search(
        r"exported .*retinanet_nasfpn\.mindir \(MINDIR, 0\.\d MB\), largest difference to the network's "
        r"outputs \S+ of",
        finished.stdout,
    )
    description = read_description(tmp_path / "retinanet_nasfpn.mindir")
    assert (description.class_names, description.category_ids) == (("red", "blue"), (7, 3))
    picture = read_image(write_coco(tmp_path / "coco data") / "val2017" / "001.jpg")
    planes, _ = fit_image(picture, build.input_settings(load(TINY_NETWORK)))
    found = run_model(tmp_path / "retinanet_nasfpn.mindir", "MINDIR", [planes[None]])
    assert compare_outputs(found, outputs_of_network(checkpoint, planes[None])) < 1e-5


def test_the_json_says_how_to_feed_the_model_and_what_comes_out(checkpoint, tmp_path):
    run_export(checkpoint, tmp_path, "--file_format=MINDIR", "--min_score=0.25", "--nms_threshold=0.7")
    assert json.loads((tmp_path / "net.json").read_text()) == {
        "suite": "nas_fpn",
        "file": "net.mindir",
        "file_format": "MINDIR",
        "inputs": [{"name": "images", "dtype": "float32", "shape": [1, 3, 128, 128]}],
        "outputs": [
            {"name": "boxes", "dtype": "float32", "shape": [1, NUM_ANCHORS, 4]},
            {"name": "scores", "dtype": "float32", "shape": [1, NUM_ANCHORS, 2]},
        ],
        "preprocessing": {
            "channel_order": "RGB",
            "resize": "keep_ratio",
            "height": 128,
            "width": 128,
            "mean": [123.675, 116.28, 103.53],
            "std": [58.395, 57.12, 57.375],
            "padding": "bottom_right",
            "padding_value": 0.0,
            "rounding": "half_even",
        },
        "class_names": ["red", "blue"],
        "category_ids": [7, 3],
        "postprocessing": {
            "min_score": 0.25,
            "nms_threshold": 0.7,
            "nms_pre": 1000,
            "max_boxes": 100,
            "anchors_per_level": [2304, 576, 144, 36, 9],
        },
        "format_version": 1,
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.mindir"]


def test_a_model_for_any_number_of_images(checkpoint, tmp_path):
    run_export(checkpoint, tmp_path, "--export_batch_size=0")
    description = read_description(tmp_path / "net.mindir")
    assert description.inputs[0].shape == (None, 3, 128, 128)
    assert [each.shape[0] for each in description.outputs] == [None, None]
    images = np.random.default_rng(3).normal(size=(3, 3, 128, 128)).astype(np.float32)
    found = run_model(tmp_path / "net.mindir", "MINDIR", [images])
    assert compare_outputs(found, outputs_of_network(checkpoint, images)) < 1e-5


def test_onnx_holds_the_whole_network(checkpoint, tmp_path):
    pytest.importorskip("onnxruntime")
    run_export(checkpoint, tmp_path, "--file_format=ONNX", "--export_batch_size=2")
    images = np.random.default_rng(3).normal(size=(2, 3, 128, 128)).astype(np.float32)
    found = run_model(tmp_path / "net.onnx", "ONNX", [images])
    assert compare_outputs(found, outputs_of_network(checkpoint, images)) < 1e-4
    assert read_description(tmp_path / "net.onnx").file_format == "ONNX"


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ("--checkpoint_path=", MissingPathError, "--checkpoint_path"),
        ("--checkpoint_path={tmp}/absent.ckpt", MissingPathError, r"absent\.ckpt"),
        ("--file_format=AIR", BadValueError, "on Ascend only"),
        ("--file_format=TFLITE", BadValueError, "auto, MINDIR, AIR, ONNX"),
        ("--file_name=a file/net", MissingPathError, "'.*a file' is a file"),
        ("--num_classes=5", BadValueError, "5 and .* has 2 classes"),
        ("--export_batch_size=-1", BadValueError, "export_batch_size is -1"),
        ("--device_target=GPU", BadStateError, "GPU"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(checkpoint, tmp_path, changed, error, sentence):
    (tmp_path / "a file").touch()
    with pytest.raises(error, match=sentence):
        run_export(checkpoint, tmp_path, changed.format(tmp=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


def test_onnx_for_any_number_of_images_is_a_sentence(checkpoint, tmp_path):
    with pytest.raises(BadValueError, match="fixed number of images"):
        run_export(checkpoint, tmp_path, "--file_format=ONNX", "--export_batch_size=null")
    assert not list(tmp_path.iterdir())
