"""The ONNX of a trained toy, run by the engines, finds what the checkpoint finds; MindSpore is not imported for it."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.suites import FASTER_RCNN, NAS_FPN, ROOT, SEGFORMER, for_suites
from utils.api import load
from utils.exporting.description import read_description
from utils.images import read_image
from utils.launch.tests.cpp_program import require_program, run_infer_310
from utils.model_utils.errors import BadValueError

pytestmark = pytest.mark.end_to_end
ENGINES = ("openvino", pytest.param("onnxruntime", marks=pytest.mark.long_run))

ALONE = """
import json, os, sys
from utils.api import load
model = load(sys.argv[1], **json.loads(sys.argv[2]))
limits = [os.environ.get("ONEDNN_MAX_CPU_ISA")]
import utils.model_utils.cpu_environment as environment
with environment.without_isa_limit():
    limits.append(os.environ.get("ONEDNN_MAX_CPU_ISA"))
results = model(sys.argv[3:])
found = [len(getattr(result, "boxes", result.__dict__.get("class_map", ()))) for result in results]
print(json.dumps([limits, "mindspore" in sys.modules, found]))
"""


@pytest.fixture()
def onnx_file(toy):
    """The ONNX that `--with_onnx` has written beside a MINDIR."""
    pytest.importorskip("onnxscript")
    folder = toy.here / "both"
    if not folder.is_dir():
        folder.mkdir()
        named = () if toy.suite is SEGFORMER else ("--file_name=toy", "--file_format=MINDIR")
        toy.suite.succeed(
            "export.py", *toy.suite.tiny.TOY, *named, toy.loaded_by("export.py"), "--with_onnx=True", cwd=folder
        )
    (file,) = folder.glob("*.onnx")
    assert {path.name for path in folder.iterdir()} == {
        file.name,
        f"{file.name}.json",
        f"{file.stem}.mindir",
        f"{file.stem}.json",
    }
    return file


def pictures_of(toy):
    folder = toy.data / ("leftImg8bit/val" if toy.suite is SEGFORMER else "val2017")
    return sorted(path for path in folder.rglob("*.*g"))[:4]


def assert_same(found, expected):
    """Boxes to a hundredth of a pixel, scores to 1e-4, classes of pixels but for one in a thousand."""
    if hasattr(expected, "class_map"):
        assert (found.class_map != expected.class_map).mean() < 1e-3
        return
    assert len(found.boxes) == len(expected.boxes)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-2)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    np.testing.assert_array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("engine", ENGINES)
@for_suites
def test_an_engine_finds_what_mindspore_finds(toy, onnx_file, engine):
    pytest.importorskip(engine)
    files = pictures_of(toy)
    keys = {"min_score": 0.0001} if toy.suite is NAS_FPN else {}
    expected = load(onnx_file.with_suffix(".mindir"), device_target="CPU", **keys)(files)
    found = load(onnx_file, engine=engine, **keys)(files)
    assert all(len(each.class_map if toy.suite is SEGFORMER else each.boxes) for each in expected)
    for pair in zip(found, expected, strict=True):
        assert_same(*pair)


def run_alone(file, keys, pictures, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("ONEDNN_MAX_CPU_ISA", "MSZOO_ISA_LIMIT")}
    finished = subprocess.run(
        [sys.executable, "-c", ALONE, file, json.dumps(keys), *pictures],
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.parametrize("suite", [SEGFORMER], ids=str)
def test_mindspore_stays_out_and_its_limit_too(toy, onnx_file):
    pytest.importorskip("openvino")
    pictures = [str(path) for path in pictures_of(toy)[:1]]
    limits, has_mindspore, found = run_alone(str(onnx_file), {}, pictures)
    assert not has_mindspore
    assert limits[1] is None
    assert found == [read_image(pictures[0]).shape[0]]
    of_our_parent = {"ONEDNN_MAX_CPU_ISA": "AVX2", "MSZOO_ISA_LIMIT": "AVX2"}
    inherited, _, _ = run_alone(str(onnx_file), {}, pictures, **of_our_parent)
    assert inherited[1] is None


def command(toy, script, model, folder, *arguments, **environment):
    """Runs eval.py or infer.py; on an ONNX in a process into which MindSpore cannot be imported."""
    suite = toy.suite
    (toy.here / "no mindspore").mkdir(exist_ok=True)
    (toy.here / "no mindspore" / "mindspore.py").write_text("raise ImportError('mindspore is not wanted here')")
    keys = {"infer.py": ("--data_path" if suite is SEGFORMER else "--image_path"), "eval.py": f"--{suite.data}"}
    place = "run_dir" if script == "eval.py" else "infer_output_path"
    paths = (ROOT / suite.name, ROOT, toy.here / "no mindspore") if model.suffix == ".onnx" else (ROOT,)
    return suite.succeed(
        script,
        f"--{suite.checkpoints[script]}={model}",
        f"{keys[script]}={toy.data}",
        f"--{place}={folder}",
        *arguments,
        cwd=toy.here,
        PYTHONPATH=os.pathsep.join(map(str, paths)),
        **environment,
    )


def metrics_in(folder):
    result = json.loads((folder / "result.json").read_text())
    return {key: value for key, value in result.items() if key in ("AP", "AP50", "mIoU")}


@pytest.mark.parametrize("engine", ENGINES)
@for_suites
def test_eval_of_an_onnx_gives_the_metrics_of_the_checkpoint(toy, onnx_file, tmp_path, engine):
    pytest.importorskip(engine)
    command(toy, "eval.py", toy.checkpoint(), tmp_path / "own", *toy.suite.tiny.TOY, "--num_pictures=0")
    expected = metrics_in(tmp_path / "own")
    assert expected and all(value > 0 for value in expected.values())
    command(toy, "eval.py", onnx_file, tmp_path / engine, f"--engine={engine}", "--num_threads=1")
    assert metrics_in(tmp_path / engine) == pytest.approx(expected, abs=1e-4)
    assert (tmp_path / engine / "report.html").is_file()
    assert len(list((tmp_path / engine / "pictures").iterdir())) > 0


@pytest.mark.parametrize(
    "suite", [NAS_FPN, *(pytest.param(each, marks=pytest.mark.long_run) for each in (FASTER_RCNN, SEGFORMER))], ids=str
)
def test_infer_with_an_onnx_writes_what_the_checkpoint_writes(toy, onnx_file, tmp_path):
    pytest.importorskip("openvino")
    command(toy, "infer.py", toy.checkpoint(), tmp_path / "own", *toy.suite.tiny.TOY)
    command(toy, "infer.py", onnx_file, tmp_path / "onnx")
    written = {path.relative_to(tmp_path / "own") for path in (tmp_path / "own").rglob("*") if path.is_file()}
    assert written == {path.relative_to(tmp_path / "onnx") for path in (tmp_path / "onnx").rglob("*") if path.is_file()}
    if toy.suite is not SEGFORMER:
        own, found = (json.loads((tmp_path / name / "detections.json").read_text()) for name in ("own", "onnx"))
        assert len(own) == len(found) > 0
        np.testing.assert_allclose(*([row["score"] for row in rows] for rows in (found, own)), atol=1e-4)


@pytest.mark.parametrize(
    ("suite", "arguments", "words"),
    [
        (NAS_FPN, ("--img_shape=[128,256]",), "img_shape is [128, 256], but the weights of"),
        (NAS_FPN, ("--canvas_sides=[128,256]",), "canvas_sides has no effect on an exported model"),
        (NAS_FPN, ("--device_target=Ascend",), "ONNX files run on the CPU here"),
        (NAS_FPN, ("--store_thresholds=True",), "is an exported model: evaluate the checkpoint with it"),
        (NAS_FPN, ("--engine=lite",), "engine is 'lite'"),
        (
            NAS_FPN,
            ("--cpu_precision=bf16", "--engine=onnxruntime"),
            "cpu_precision is bf16, which onnxruntime does not",
        ),
        (FASTER_RCNN, ("--nms_method=soft_linear",), "nms_method has no effect on an exported model"),
        (FASTER_RCNN, ("--test_score_thr=0.5",), "test_score_thr is 0.5, but the weights of"),
        (SEGFORMER, ("--eval_scales=[1,2]",), "eval_scales is [1.0, 2.0], but the weights of"),
    ],
    ids=str,
)
def test_what_cannot_act_on_an_onnx_is_refused(toy, onnx_file, tmp_path, arguments, words):
    refused = toy.suite.refusal(
        "eval.py",
        f"--{toy.suite.checkpoints['eval.py']}={onnx_file}",
        f"--{toy.suite.data}={toy.data}",
        f"--run_dir={tmp_path}",
        *arguments,
        cwd=tmp_path,
    )
    assert words in refused


@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_arguments_of_load_that_cannot_be_are_refused(toy, onnx_file):
    for keys, words in (
        ({"engine": "tflite"}, "engine is 'tflite'"),
        ({"num_threads": -1}, "num_threads"),
        ({"device_target": "CPU"}, "device_target is no key of the exported model"),
    ):
        with pytest.raises(BadValueError, match=words):
            load(onnx_file, **keys)


@pytest.mark.parametrize("suite", [SEGFORMER], ids=str)
def test_class_maps_are_those_of_the_logits(toy, onnx_file, tmp_path):
    """Of pictures of the input's size: the same, one pixel in a thousand at most another way."""
    pytest.importorskip("openvino")
    toy.suite.succeed(
        "export.py",
        *toy.suite.tiny.TOY,
        toy.loaded_by("export.py"),
        "--export_output=class_map",
        "--export_format=MINDIR",
        "--with_onnx=True",
        "--file_name=classes",
        f"--run_dir={tmp_path}",
        cwd=tmp_path,
    )
    made, logits = read_description(onnx_file).preprocessing, load(onnx_file)
    pictures = [cv2.resize(read_image(file), (made.width, made.height)) for file in pictures_of(toy)]
    for name in ("classes.onnx", "classes.mindir"):
        keys = {} if name.endswith("onnx") else {"device_target": "CPU"}
        model = load(tmp_path / name, **keys)
        for pair in zip(model(pictures), logits(pictures), strict=True):
            assert_same(*pair)
        with pytest.raises(BadValueError, match="this file gives classes alone"):
            model(pictures[0], probabilities=True)
    command(toy, "eval.py", tmp_path / "classes.onnx", tmp_path / "eval", "--num_pictures=0")
    command(toy, "eval.py", onnx_file, tmp_path / "logits", "--num_pictures=0")
    # Those pictures are larger than the input: the edges of the classes are coarser.
    assert metrics_in(tmp_path / "eval") == pytest.approx(metrics_in(tmp_path / "logits"), abs=0.03)


@pytest.mark.parametrize("suite", [NAS_FPN], ids=str)
def test_bf16_runs_through_each_entry_below_a_process_that_limits_mindspore(toy, onnx_file, tmp_path):
    """OpenVINO has no bfloat16 with the limit that is set for MindSpore; the C++ program has a test of its own."""
    pytest.importorskip("openvino")
    if "BF16" not in bf16_capabilities():
        pytest.skip("this CPU has no bfloat16")
    of_our_parent = {"ONEDNN_MAX_CPU_ISA": "AVX2", "MSZOO_ISA_LIMIT": "AVX2"}
    _, has_mindspore, found = run_alone(
        str(onnx_file), {"cpu_precision": "bf16"}, [str(path) for path in pictures_of(toy)], **of_our_parent
    )
    assert not has_mindspore and sum(found) > 0
    command(toy, "eval.py", onnx_file, tmp_path / "f32", "--num_pictures=0", "--make_report=False")
    expected = metrics_in(tmp_path / "f32")
    for script, place in (("eval.py", "bf16"), ("infer.py", "pictures")):
        command(toy, script, onnx_file, tmp_path / place, "--cpu_precision=bf16", **of_our_parent)
    assert (tmp_path / "pictures" / "detections.json").is_file()
    require_program(toy.suite.name)
    (tmp_path / "cpp").mkdir()
    finished = run_infer_310(
        toy.suite.name,
        onnx_file.with_suffix(".mindir"),
        toy.data / "val2017",
        toy.data / "annotations" / "instances_val2017.json",
        "--cpu_precision=bf16",
        cwd=tmp_path / "cpp",
        **of_our_parent,
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads((tmp_path / "cpp" / "result_Files.json").read_text())["engine"] == "openvino"
    for place in ("bf16", "cpp"):
        found = metrics_in(tmp_path / place)
        assert found != expected and found == pytest.approx(expected, abs=0.1)  # of a toy and a dozen pictures


def bf16_capabilities():
    import openvino

    return openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
