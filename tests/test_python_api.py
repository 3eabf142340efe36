"""The Python API gives what the commands give: the same boxes, classes and pictures to the bit, from any folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.suites import NAS_FPN, ROOT, SEGFORMER, for_suites
from utils.api import evaluate, load, train
from utils.images import read_image
from utils.model_utils.errors import BadValueError
from utils.tests.processes import LIMIT_SECONDS, finish

pytestmark = pytest.mark.end_to_end
LOW = {"nas_fpn": {"min_score": 0.0001}, "faster_rcnn": {"test_score_thr": 0.01}, "segformer": {}}
PICTURES = {"nas_fpn": "image_path", "faster_rcnn": "image_path", "segformer": "data_path"}


def has_wide_vectors():
    path = Path("/proc/cpuinfo")
    return path.is_file() and "avx512f" in path.read_text()


def keys_of(arguments):
    """Returns `--key=value` arguments as the keys that a user of Python types."""
    return dict(argument[2:].split("=", 1) for argument in arguments)


def write_pictures(folder):
    """Pictures of three kinds and sizes, in the order in which infer.py numbers them."""
    folder.mkdir()
    values = np.random.default_rng(3).integers(0, 256, (96, 128, 3), np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(values).save(folder / "a.png")
    Image.fromarray(values[:40]).save(folder / "b.jpg", exif=turned)
    Image.fromarray(values[..., 0]).save(folder / "c.png")
    return sorted(folder.iterdir())


@pytest.fixture()
def inferred(toy):
    """The pictures, and the folder of what infer.py makes of them."""
    folder, name = toy.here / "three kinds", toy.suite.name
    if not folder.exists():
        write_pictures(folder)
        keys = [f"--{key}={value}" for key, value in LOW[name].items()]
        paths = (toy.loaded_by("infer.py"), f"--{PICTURES[name]}={folder}", "--infer_output_path=of infer")
        toy.suite.succeed("infer.py", *toy.suite.tiny.TOY, *keys, *paths, cwd=toy.here)
    return sorted(folder.iterdir()), toy.here / "of infer"


@for_suites
def test_a_loaded_checkpoint_gives_what_infer_gives(toy, inferred, tmp_path, monkeypatch):
    files, folder = inferred
    monkeypatch.chdir(tmp_path)  # it needs neither the repository nor the suite as working directory
    model = load(toy.checkpoint(), device_target="CPU", **LOW[toy.suite.name])
    assert model.suite == toy.suite.name
    results = model(files)
    one_by_one = [model(file) for file in files]
    for_all = list(model.predict((read_image(file) for file in files), batch=3))
    pillow = model([Image.open(file) for file in files])
    for file, *same in zip(files, results, one_by_one, for_all, pillow, strict=True):
        arrays = [[result.class_map] if hasattr(result, "class_map") else boxes_of(result) for result in same]
        assert all(np.array_equal(*pair) for others in arrays[1:] for pair in zip(arrays[0], others, strict=True)), file
    compare = compare_classes if toy.suite.name == "segformer" else compare_boxes
    compare(results, files, folder, tmp_path)


def boxes_of(result):
    return [result.boxes, result.scores, result.labels]


def compare_boxes(results, files, folder, tmp_path):
    rows = json.loads((folder / "detections.json").read_text())
    assert len(rows) > 10
    found = [row for number, result in enumerate(results, start=1) for row in result.to_coco(image_id=number)]
    assert found == rows
    for result, file in zip(results, files, strict=True):
        assert result.boxes.dtype == result.scores.dtype == np.float32
        assert result.boxes.shape == (len(result), 4)
        saved = result.save(tmp_path / f"{file.name}.jpg")
        assert saved.read_bytes() == next(folder.glob(f"{file.stem}*.jpg")).read_bytes()
        assert {result.names[label] for label in result.labels} <= set(result.names)


def compare_classes(results, files, folder, tmp_path):
    for result, file in zip(results, files, strict=True):
        assert result.class_map.dtype == np.uint8
        assert result.class_map.shape == read_image(file).shape[:2]
        assert result.probabilities is None
        for kind, ending in (("gray", "gray"), ("color", "color"), ("overlap", "overlap")):
            saved = result.save(tmp_path / f"{file.stem}.png", kind)
            assert saved.read_bytes() == (folder / f"{file.stem}_{ending}.png").read_bytes(), (file, kind)
        pixels = sum(area_of(row) for row in result.to_coco())
        assert pixels == result.class_map.size


def area_of(row):
    from pycocotools import mask

    return int(mask.area({**row["segmentation"], "counts": row["segmentation"]["counts"].encode()}))


@pytest.mark.parametrize("suite", [SEGFORMER], ids=str)
def test_probabilities_are_those_of_the_classes(toy, inferred):
    (file, *_), _ = inferred
    result = load(toy.checkpoint())(file, probabilities=True)
    assert result.probabilities.shape == (len(result.names), *result.class_map.shape)
    assert np.allclose(result.probabilities.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(result.probabilities.argmax(axis=0), result.class_map)


@for_suites
def test_an_exported_model_gives_what_its_checkpoint_gives(toy, inferred):
    files, _ = inferred
    found = load(toy.exported)(files)
    expected = load(toy.checkpoint(), canvas="fixed")(files)
    for one, other in zip(found, expected, strict=True):
        if hasattr(one, "class_map") and len(one.image) > one.image.shape[1]:
            assert one.class_map.shape == other.class_map.shape  # the canvas of a checkpoint turns for upright pictures
        elif hasattr(one, "class_map"):
            assert (one.class_map == other.class_map).mean() > 0.999  # stock operators round differently
            assert np.array_equal(one.colours, other.colours)
        else:
            assert len(one) == len(other)
            assert np.allclose(one.scores, other.scores, atol=1e-5)
            assert one.min_score == other.min_score
        assert one.names == other.names
        assert one.category_ids == other.category_ids
    with pytest.raises(BadValueError, match="nms is no key of the exported model"):
        load(toy.exported, nms=0.5)
    if toy.suite.name != "segformer":
        fault = "no key of the exported" if toy.suite.name == "faster_rcnn" else "is 'loose', wanted one of hard, soft_"
        with pytest.raises(BadValueError, match=f"nms_method .*{fault}"):
            load(toy.exported, nms_method="loose")


TWO_MODELS = """
import signal, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import mindspore as ms
from utils.api import load
before = ms.get_context("mode"), signal.getsignal(signal.SIGINT)
first, second, picture = sys.argv[1:]
one, two = load(first), load(second)
results = [model(picture) for model in (one, two, one, two)]
assert (ms.get_context("mode"), signal.getsignal(signal.SIGINT)) == before
one_again, two_again = results[2:]
assert (one_again.scores == results[0].scores).all() and (two_again.class_map == results[1].class_map).all()
with ThreadPoolExecutor(2) as pool:
    by_threads = list(pool.map(lambda model: model(picture), (one, two, one, two)))
assert all((found.scores == one_again.scores).all() for found in by_threads[::2])
assert all((found.class_map == two_again.class_map).all() for found in by_threads[1::2])
print(one.suite, two.suite)
signal.raise_signal(signal.SIGINT)
"""


def test_two_models_in_a_process_leave_mode_and_ctrl_c_alone(tmp_path):
    names = [suite.tiny.write_checkpoint(tmp_path / f"{suite}.ckpt", **named(suite)) for suite in (NAS_FPN, SEGFORMER)]
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "photo.png")
    finished = finish(
        sys.executable,
        "-c",
        TWO_MODELS,
        *names,
        "photo.png",
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ONEDNN_MAX_CPU_ISA": "AVX2"},
    )
    assert finished.stdout.splitlines()[-1:] == ["nas_fpn segformer"], finished.stdout + finished.stderr
    assert "KeyboardInterrupt" in finished.stderr  # and not the SIGTERM that MindSpore's handler would send


MINDSPORE_FIRST = """
import sys, time
import mindspore as ms
import numpy as np
if sys.argv[2] == "computed":
    square = ms.Tensor(np.ones((3, 3), np.float32))
    ms.ops.matmul(square, square).asnumpy()
from utils.api import load
model = load(sys.argv[1])
picture = np.zeros((60, 80, 3), np.uint8)
model(picture)
"""


@pytest.mark.skipif(not has_wide_vectors(), reason="oneDNN's slow loops are those of AVX-512")
@pytest.mark.parametrize("state", ["imported", "computed"])
def test_load_says_where_mindspore_has_computed_too_early(state, tmp_path):
    checkpoint = NAS_FPN.tiny.write_checkpoint(tmp_path / "a.ckpt", **named(NAS_FPN))
    environment = {name: value for name, value in os.environ.items() if name not in ("ONEDNN_MAX_CPU_ISA", "GLOG_v")}
    environment["PYTHONPATH"] = str(ROOT)
    finished = finish(sys.executable, "-c", MINDSPORE_FIRST, checkpoint, state, cwd=tmp_path, env=environment)
    assert finished.returncode == 0, finished.stderr
    sentence = (
        "mindspore has computed in this process before ONEDNN_MAX_CPU_ISA=AVX2 was set: a small convolution takes"
    )
    assert finished.stderr.count(sentence) == (state == "computed"), finished.stderr
    assert finished.stderr.count("deprecated") < 5  # MindSpore's own log, hundreds of lines where nobody keeps it quiet


def named(suite):
    """What a checkpoint has to carry so that it is loaded without a word about its network."""
    from utils.model_utils.config.loading import dump_config

    return {"config_text": dump_config(suite.load())}


@pytest.mark.parametrize("suite", [SEGFORMER], ids=str)
def test_train_and_evaluate_return_what_they_leave(toy, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    own = {"data_path": toy.data, "epoch_size": 1, "eval_start_epoch": 1, "warmup_steps": 1, "load_ckpt": False}
    done = train("segformer", **{**keys_of(toy.suite.tiny.TOY), **keys_of(toy.suite.tiny.TOY_TRAINING), **own})
    assert "step" in capfd.readouterr().out
    assert done.run_folder == tmp_path
    assert [path.name for path in done.checkpoints] == ["segformer_mit_b0_1.ckpt"]
    assert done.best.name == "segformer_mit_b0_best.ckpt"
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert done.metrics == rows[-1]["metrics"]
    assert done.losses == next(row["losses"] for row in reversed(rows) if row["kind"] == "step")
    seen = evaluate(done.best, data_path=toy.data, run_dir="seen")
    assert seen.run_folder == tmp_path / "seen"
    assert seen.metrics["mIoU"] == json.loads((tmp_path / "seen" / "result.json").read_text())["mIoU"]
    assert seen.metrics["mIoU"] == pytest.approx(done.metrics["mIoU"], abs=1e-6)
    with pytest.raises(BadValueError, match="epoch_siz"):
        train("segformer", epoch_siz=1)
    shutil.rmtree(tmp_path / "checkpoint")


INTERRUPTED = """
import json, sys
from utils.api import train
train("segformer", **json.loads(sys.argv[1]))
"""


@pytest.mark.parametrize("suite", [SEGFORMER], ids=str)
def test_ctrl_c_ends_a_training_with_its_checkpoint(toy, tmp_path):
    own = {"data_path": str(toy.data), "epoch_size": 1000, "load_ckpt": False, "eval_start_epoch": 1000}
    keys = {**keys_of(toy.suite.tiny.TOY), **keys_of(toy.suite.tiny.TOY_TRAINING), **own}
    command = [sys.executable, "-u", "-c", INTERRUPTED, json.dumps(keys)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=-1, stderr=-1, text=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "epoch[1/1000]" in line or "step" in line and "loss" in line:
                break
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=LIMIT_SECONDS)
    finally:
        process.kill()
    assert error.rstrip().endswith("KeyboardInterrupt"), error
    assert list((tmp_path / "checkpoint").glob("*.ckpt")), "".join(lines) + rest
