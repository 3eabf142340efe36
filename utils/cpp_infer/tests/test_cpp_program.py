import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops
from PIL import Image

from utils.detection.inputs import InputSettings, fit_image
from utils.exporting.description import ModelDescription, Preprocessing, TensorDescription, write_description
from utils.exporting.export import export_network
from utils.images import read_image
from utils.tools.small_disk import mount_fault, resize, small_disk

pytestmark = pytest.mark.end_to_end

HEIGHT, WIDTH = 16, 24
RULES = Preprocessing("RGB", "keep_ratio", HEIGHT, WIDTH, (120.0, 110.0, 100.0), (60.0, 50.0, 40.0), "bottom_right")
INPUTS = InputSettings(RULES.height, RULES.width, RULES.mean, RULES.std)


class Toy(nn.Cell):
    """A few outputs of different types, from both inputs."""

    def construct(self, images, metas):
        return images[:, :, ::2, ::2] * 2.0, ops.reduce_sum(metas, 1), images[:, 0, :2, :2] > 0


def export_toy(folder, batch_size):
    inputs = (
        TensorDescription("images", "float32", (batch_size, 3, HEIGHT, WIDTH)),
        TensorDescription("image_metas", "float32", (batch_size, 4)),
    )
    model = export_network(Toy(), inputs, folder / "toy", "MINDIR", output_names=("half", "sum", "is_bright"))
    write_description(
        folder, ModelDescription("toy", model.file.name, "MINDIR", inputs, model.outputs, RULES, ("thing",), (1,))
    )
    return model.file


def draw(file, seed, size):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(file, quality=95)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model that takes any number of images, and one that takes two, in a folder with a space in its name."""
    folders = [tmp_path_factory.mktemp("a model") for _ in range(2)]
    return [export_toy(folder, batch_size) for folder, batch_size in zip(folders, (None, 2), strict=True)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("some pictures")
    draw(folder / "000000000139.jpg", 1, (40, 50))
    draw(folder / "tall.v2.png", 2, (33, 10))
    draw(folder / "more" / "last.jpg", 3, (8, 12))
    return folder


@pytest.fixture
def run(cpp_build, tmp_path):
    """Runs the program in an empty folder, with no variable in its environment that could lead it to Python."""

    def start(*arguments, **options):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ASAN_OPTIONS": "detect_leaks=0"}  # Python's own
        return subprocess.Popen(
            [cpp_build / "tests" / "toy_infer", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def finish(*arguments):
        process = start(*arguments)
        output, errors = process.communicate(timeout=200)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    finish.start = start
    return finish


def expected_outputs(file):
    image = read_image(file)
    pixels, scales = fit_image(image, INPUTS)
    metas = np.float32([*image.shape[:2], *scales])
    outputs = Toy()(ms.Tensor(pixels[None]), ms.Tensor(metas[None]))
    return [output.asnumpy()[0] for output in outputs]


def check_results(folder, pictures, names):
    index = json.loads((folder / "result_Files.json").read_text())
    assert [image["file"] for image in index["images"]] == names
    assert [output["dtype"] for output in index["outputs"]] == ["float32", "float32", "bool"]
    for image in index["images"]:
        for i, (output, expected) in enumerate(
            zip(index["outputs"], expected_outputs(pictures / image["file"]), strict=True)
        ):
            file = folder / "result_Files" / f"{image['stem']}_{i}.bin"
            found = np.fromfile(file, output["dtype"]).reshape(output["shape"])
            np.testing.assert_array_equal(found, expected)
    hidden = [path for path in folder.rglob(".*") if path.is_file()]
    assert hidden == []  # no temporary file is left
    return index


def test_outputs_are_those_of_the_network_and_bad_images_are_left_out(run, models, pictures, tmp_path):
    folder = tmp_path / "with bad ones"
    shutil.copytree(pictures, folder)
    (folder / "empty.jpg").touch()
    (folder / "cut.jpg").write_bytes((folder / "000000000139.jpg").read_bytes()[:300])
    done = run(f"--mindir_path={models[0]}", "--dataset_path", folder, "--device_id=0")
    assert done.returncode == 0, done.stderr
    index = check_results(tmp_path, folder, ["000000000139.jpg", "more/last.jpg", "tall.v2.png"])
    assert index["skipped"] == [
        {"file": "cut.jpg", "reason": "is truncated"},
        {"file": "empty.jpg", "reason": "is empty (0 bytes)"},
    ]
    assert index["images"][2] == {
        "file": "tall.v2.png",
        "stem": "tall",
        "height": 33,
        "width": 10,
        "scale_y": 16 / 33,
        "scale_x": 5 / 10,  # 4.8 columns are 5
    }
    assert "cut.jpg' is truncated; it is left out" in done.stderr
    assert done.stdout.startswith("3 images done, 2 left out\n")
    times = (tmp_path / "time_Result" / "test_perform_static.txt").read_text()
    assert re.match(r"NN inference cost average time: [\d.]+ ms of infer_count 3\n", times)


def test_a_fixed_batch_is_filled_up_and_gives_the_same(run, models, pictures, tmp_path):
    done = run(f"--mindir_path={models[1]}", f"--dataset_path={pictures}", "--num_loaders=1")
    assert done.returncode == 0, done.stderr
    check_results(tmp_path, pictures, ["000000000139.jpg", "more/last.jpg", "tall.v2.png"])
    times = (tmp_path / "time_Result" / "test_perform_static.txt").read_text()
    assert " of infer_count 2\n" in times


@pytest.mark.parametrize("kilobytes", [4, 16, 28])
def test_a_full_disk_is_one_sentence_and_the_second_start_with_room_is_whole(
    run, models, pictures, tmp_path, kilobytes
):
    """Nine results and their index take a page of 4 kB each; folders take none here."""
    if fault := mount_fault(tmp_path):
        pytest.skip(fault)
    arguments = (f"--mindir_path={models[0]}", f"--dataset_path={pictures}")
    with small_disk(tmp_path, kilobytes):
        done = run(*arguments)
        assert done.returncode == 2, done.stderr
        sentence = (
            r"toy_infer: error: '.*_\d\.bin' cannot be written \(No space left on device, 0\.0 MB are free\): free "
        )
        assert re.match(sentence, done.stderr.splitlines()[-1])
        left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
        assert all(re.fullmatch(r"\w+_\d\.bin", name) for name in left)  # no index, nothing half written
        assert len(left) == kilobytes // 4
        resize(tmp_path, 1024)
        assert run(*arguments).returncode == 0
        check_results(tmp_path, pictures, ["000000000139.jpg", "more/last.jpg", "tall.v2.png"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_report_that_finds_no_room_is_an_error_and_the_results_are_there(run, models, pictures, tmp_path):
    with Path("/dev/full").open("w") as full:
        process = run.start(f"--mindir_path={models[0]}", f"--dataset_path={pictures}", stdout=full)
        errors = process.communicate(timeout=200)[1]
    assert process.returncode == 2
    assert errors.splitlines()[-1].startswith("toy_infer: error: standard output cannot be written: free some space")
    check_results(tmp_path, pictures, ["000000000139.jpg", "more/last.jpg", "tall.v2.png"])


def test_a_mistake_is_one_sentence_and_code_2(run, models, pictures, tmp_path):
    empty, bad, other = (tmp_path / name for name in ("empty", "bad", "other"))
    for folder in (empty, bad, other):
        folder.mkdir()
    (bad / "a.jpg").touch()
    shutil.copy(models[0], other / "toy.mindir")
    text = models[0].with_suffix(".json").read_text()
    (other / "toy.json").write_text(text.replace('"suite": "toy"', '"suite": "nas_fpn"'))
    (other / "lone.mindir").touch()
    (other / "lone.onnx").touch()
    model, images = f"--mindir_path={models[0]}", f"--dataset_path={pictures}"
    mistakes = {
        ("--mindir_pat=x",): "nearest one is --mindir_path",
        (model,): "--dataset_path is missing",
        (f"--mindir_path={other}/absent.mindir", images): "is no file",
        (f"--mindir_path={other}/lone.mindir", images): "export the model, which writes it beside",
        (f"--mindir_path={other}/toy.mindir", images): "describes a model of nas_fpn",
        (model, f"--dataset_path={empty}"): "no image",
        (model, images, "--engine=lite"): "set LITE_HOME",
        (f"--mindir_path={models[1]}", images, "--batch_size=3"): "exported for 2 images",
        (model, images, "--python=/bin/true"): "--python",
        (model, images, "--cpu_precision=bf16"): "acts with OpenVINO alone",
        (model, images, "--num_threads=2"): "acts with OpenVINO alone",
        (model, images, "--precision_mode=enforce_fp16"): "acts with MindSpore Lite alone",
        (model, images, f"--lite_config={other}/toy.json"): "acts with MindSpore Lite alone",
        (f"--mindir_path={other}/lone.onnx", images): "export the model, which writes it beside",
        (model, images, "--engine=openvino"): "export.py --with_onnx=True",
    }
    for arguments, words in mistakes.items():
        done = run(*arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert words in done.stderr and done.stderr.count("\n") == 1, (arguments, done.stderr)
        assert done.stderr.startswith("toy_infer: error: ")
    assert not (tmp_path / "result_Files.json").exists()


def test_bad_images_can_be_fatal_and_all_of_them_are(run, models, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "a.jpg").touch()
    model, images = f"--mindir_path={models[0]}", f"--dataset_path={bad}"
    for arguments, words in (
        ((model, images, "--on_bad_image=fail"), "a.jpg' is empty"),
        ((model, images), f"the only image of '{bad}' cannot be read: see the warning above"),
    ):
        done = run(*arguments)
        assert done.returncode == 2 and words in done.stderr, done.stderr
        assert not (tmp_path / "result_Files.json").exists()


def test_an_image_above_the_limit_is_refused_by_its_header(run, models, tmp_path):
    large = tmp_path / "large"
    large.mkdir()
    Image.new("L", (1001, 1000)).save(large / "map.png")
    done = run(
        f"--mindir_path={models[0]}", f"--dataset_path={large}", "--max_image_megapixels=1", "--on_bad_image=fail"
    )
    assert done.returncode == 2
    assert "map.png' has 1001000 pixels, at most 1000000 are decoded; cut it into tiles" in done.stderr


def test_a_damaged_model_is_refused(run, models, pictures, tmp_path):
    shutil.copytree(models[0].parent, tmp_path / "model")
    file = tmp_path / "model" / "toy.mindir"
    file.write_bytes(file.read_bytes()[:100])
    done = run(f"--mindir_path={file}", f"--dataset_path={pictures}")
    assert done.returncode == 2, done.stderr
    assert "is no MindIR that can be loaded" in done.stderr


def test_a_model_of_other_inputs_is_refused_once_it_is_loaded(run, models, pictures, tmp_path):
    """The description of the model that takes any number of images, beside the one that takes two."""
    shutil.copytree(models[1].parent, tmp_path / "model")
    shutil.copy(models[0].with_suffix(".json"), tmp_path / "model" / "toy.json")
    done = run(f"--mindir_path={tmp_path}/model/toy.mindir", f"--dataset_path={pictures}")
    assert done.returncode == 2, done.stderr
    assert "takes [2,3,16,24] and [2,4], its description says float32[?,3,16,24] and float32[?,4]" in done.stderr
    assert "loaded, engine" not in done.stderr


def test_interrupting_while_the_model_is_loaded_ends_at_once(run, models, tmp_path, pictures):
    process = run.start(f"--mindir_path={models[0]}", f"--dataset_path={pictures}")
    time.sleep(0.3)  # Python and MindSpore take seconds to start
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 130, errors
    assert time.monotonic() - started < 1.5
    assert "interrupted while the model was loaded, nothing was written" in errors
    assert not list(tmp_path.rglob("*.bin"))


def test_interrupting_leaves_no_index_and_nothing_half_written(run, models, tmp_path):
    folder = tmp_path / "many"
    draw(folder / "0.jpg", 0, (600, 900))
    for i in range(1, 3000):
        os.link(folder / "0.jpg", folder / f"{i}.jpg")
    process = run.start(f"--mindir_path={models[0]}", f"--dataset_path={folder}")
    while "loaded" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert not (tmp_path / "result_Files.json").exists()
    assert not list(Path(tmp_path).rglob("result_Files/.*"))
