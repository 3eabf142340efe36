"""The program runs ONNX files with OpenVINO: the network's numbers, any batch, precision, threads, limits."""

import importlib.util
import json
import os
import subprocess

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from utils.detection.inputs import InputSettings, fit_image
from utils.engines.openvino_network import has_avx512
from utils.exporting.description import ModelDescription, Preprocessing, TensorDescription, write_description
from utils.exporting.export import export_network
from utils.images import read_image

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("onnxscript") is None, reason="onnxscript is not installed"),
]
HEIGHT, WIDTH = 16, 24
RULES = Preprocessing("RGB", "keep_ratio", HEIGHT, WIDTH, (120.0, 110.0, 100.0), (60.0, 50.0, 40.0), "bottom_right")
INPUTS = InputSettings(RULES.height, RULES.width, RULES.mean, RULES.std)
NUM_PICTURES = 3


class Toy(ms.nn.Cell):
    """A convolution, whose sums show the precision."""

    def __init__(self):
        super().__init__()
        weight = np.random.default_rng(5).normal(0, 1, (4, 3, 5, 5)).astype(np.float32)
        self.conv = ms.nn.Conv2d(3, 4, 5, pad_mode="same", weight_init=ms.Tensor(weight))

    def construct(self, images):
        return self.conv(images)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An ONNX of any number of images, and what its network gives."""
    folder = tmp_path_factory.mktemp("an onnx")
    inputs = (TensorDescription("images", "float32", (None, 3, HEIGHT, WIDTH)),)
    network = Toy()
    made = export_network(network, inputs, folder / "toy", "ONNX", output_names=("sums",))
    write_description(
        folder, ModelDescription("toy", made.file.name, "ONNX", inputs, made.outputs, RULES, ("thing",), (1,))
    )
    return made.file, network


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(NUM_PICTURES):
        pixels = np.random.default_rng(index).integers(0, 256, (30, 40 + index, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


@pytest.fixture
def run(openvino_program, tmp_path):
    """Runs the program in an empty folder."""

    def finish(*arguments, **environment):
        return subprocess.run(
            [openvino_program, *map(str, arguments)],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **environment},
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
        )

    return finish


def sums_of(folder, pictures, network):
    """Returns what was written, and what the network gives for the same pictures."""
    index = json.loads((folder / "result_Files.json").read_text())
    assert index["engine"] == "openvino" and len(index["images"]) == NUM_PICTURES
    planes = np.stack([fit_image(read_image(pictures / image["file"]), INPUTS)[0] for image in index["images"]])
    found = [np.fromfile(folder / "result_Files" / f"{image['stem']}_0.bin", "float32") for image in index["images"]]
    expected = network(ms.Tensor(planes)).asnumpy()
    return np.stack(found).reshape(expected.shape), expected


@pytest.mark.parametrize("arguments", [(), ("--batch_size=2", "--num_threads=1"), ("--engine=openvino",)], ids=str)
def test_the_numbers_are_the_networks(run, model, pictures, tmp_path, arguments):
    file, network = model
    done = run(f"--mindir_path={file}", f"--dataset_path={pictures}", *arguments)
    assert done.returncode == 0, done.stderr
    found, expected = sums_of(tmp_path, pictures, network)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_bf16_is_what_was_asked_for_whatever_limit_we_have_set(run, model, pictures, tmp_path):
    """As a child of a process that has limited MindSpore's oneDNN; sums of 75 products differ by thousandths."""
    file, network = model
    limit = {"ONEDNN_MAX_CPU_ISA": "AVX2", "MSZOO_ISA_LIMIT": "AVX2"}
    done = run(f"--mindir_path={file}", f"--dataset_path={pictures}", "--cpu_precision=bf16", **limit)
    if "this CPU has no bfloat16" in done.stderr:
        pytest.skip("this CPU has no bfloat16")
    assert done.returncode == 0, done.stderr
    found, expected = sums_of(tmp_path, pictures, network)
    share = np.abs(found - expected).max() / np.abs(expected).max()
    assert 1e-4 < share < 2e-2


def test_a_users_own_low_limit_is_refused(run, model, pictures):
    """OpenVINO crashes on some networks with it."""
    if not has_avx512() or os.uname().machine != "x86_64":
        pytest.skip("only CPUs with AVX-512 have this fault")
    done = run(f"--mindir_path={model[0]}", f"--dataset_path={pictures}", ONEDNN_MAX_CPU_ISA="avx2")
    assert done.returncode == 2
    assert "ONEDNN_MAX_CPU_ISA is 'avx2' in the environment" in done.stderr


def test_a_damaged_file_and_a_device_that_it_does_not_have_are_refused(run, model, pictures, tmp_path):
    damaged = tmp_path / "model" / "toy.onnx"
    damaged.parent.mkdir()
    damaged.write_bytes(model[0].read_bytes()[:200])
    damaged.with_suffix(".json").write_bytes(model[0].with_suffix(".json").read_bytes())
    for arguments, words in (
        ((f"--mindir_path={damaged}",), "OpenVINO cannot load"),
        ((f"--mindir_path={model[0]}", "--device_target=Ascend"), "OpenVINO runs on a CPU here"),
    ):
        done = run(*arguments, f"--dataset_path={pictures}")
        assert done.returncode == 2 and words in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
