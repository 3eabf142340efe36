"""run_infer_310.sh: what is checked before anything is built, the stages with their logs and exit codes."""

import json
import os
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from utils.detection.tests.tiny_coco import write_coco
from utils.exporting.tests.written_results import describe, write_results
from utils.launch import infer_310
from utils.launch.infer_310 import Request, check_disk, main
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.in_use import claim
from utils.tests.processes import finish

ROOT = Path(__file__).resolve().parents[3]
OUTPUTS = (np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros(2, np.int32))
IMAGES = ("000.jpg", "001.jpg", "002.jpg")


@pytest.fixture()
def place(tmp_path, monkeypatch):
    """A folder with `coco data` and a described model; it is the working directory."""
    write_coco(tmp_path / "coco data")
    (tmp_path / "net.mindir").touch()
    describe(tmp_path / "net.mindir", OUTPUTS, suite="faster_rcnn")
    (tmp_path / "work here").mkdir()
    monkeypatch.chdir(tmp_path / "work here")
    return tmp_path


@pytest.fixture()
def program(place, monkeypatch):
    """A stand-in for the C++ program, which leaves results that lie ready; it is built already."""
    write_results(place / "ready", "net.mindir", [(name, (96, 128), (0.5, 0.5), OUTPUTS) for name in IMAGES])
    path = place / "faster_rcnn"
    script = f"""#!/bin/bash
printf '%s\\n' "$@" > arguments
[[ -z "${{CODE:-}}" ]] || {{ echo "main: error: the disk is full" >&2; exit "$CODE"; }}
cp -r {shlex.quote(str(place / "ready"))}/. .
"""
    path.write_text(script)
    path.chmod(0o755)
    monkeypatch.setattr(infer_310, "cached_program", lambda *_: path)
    return path


def run(*arguments, suite="faster_rcnn"):
    positionals = ("../net.mindir", "../coco data/val2017", "../coco data/annotations/instances_val2017.json")
    given = arguments if arguments and not arguments[0].startswith("--") else (*positionals, *arguments)
    return main(["--program=run_infer_310.sh", f"--suite={suite}", "--annotations=file", "--", *given])


def test_the_stages_leave_their_logs_and_the_result_is_shown(program, place, capfd):
    assert run("--on_bad_image=fail") == 0
    shown, said = capfd.readouterr()
    assert shown.splitlines()[-12].startswith(" Average Precision  (AP) @[ IoU=0.50:0.95")
    here = place / "work here"
    assert said.startswith("the installed mindspore runs the MindIR; OpenVINO is faster on a CPU: ")
    assert (here / "acc.log").read_text() == shown
    assert "is built from these sources already" in (here / "build.log").read_text()
    assert (here / "arguments").read_text().splitlines() == [
        f"--mindir_path={here}/../net.mindir",
        f"--dataset_path={here}/../coco data/val2017",
        "--device_id=0",
        "--on_bad_image=fail",
    ]


def test_a_failing_inference_ends_with_its_code_and_last_lines(program, place, monkeypatch, capfd):
    (place / "work here" / "acc.log").write_text("of an earlier run")
    monkeypatch.setenv("CODE", "7")
    assert run() == 7
    shown = capfd.readouterr().err
    assert "main: error: the disk is full\ninference ended with exit code 7; log: " in shown
    assert not (place / "work here" / "acc.log").exists()


def test_a_failing_post_processing_ends_with_its_code_and_last_lines(program, place, capfd):
    annotations = place / "coco data" / "annotations" / "instances_val2017.json"
    annotations.write_text(json.dumps(json.loads(annotations.read_text()) | {"categories": []}))
    assert run() == 2
    assert "post-processing ended with exit code 2; log: " in capfd.readouterr().err
    assert "postprocess.py: error: " in (place / "work here" / "acc.log").read_text()


def test_a_failing_build_ends_with_its_code_and_last_lines(program, monkeypatch, capfd):
    program.unlink()
    monkeypatch.setattr(
        infer_310, "build", lambda root, suite, path, run: run(["bash", "-c", "echo 'OpenCV is missing'; exit 3"])
    )
    assert run() == 3
    shown = capfd.readouterr()
    assert "building the C++ program of faster_rcnn, once; log: " in shown.out
    assert "OpenCV is missing\nbuilding ended with exit code 3; log: " in shown.err


def test_a_second_run_in_the_same_folder_is_refused_and_changes_nothing(program, place):
    here = place / "work here"
    (here / "infer.log").write_text("of the first run")
    with (
        claim(here),
        pytest.raises(BadStateError, match=r"another run_infer_310\.sh works in '.*work here', .* --run_dir"),
    ):
        run()
    assert (here / "infer.log").read_text() == "of the first run"
    with claim(here):
        assert run(f"--run_dir={place / 'another'}") == 0
    assert run() == 0


@pytest.mark.parametrize("is_there", [True, False])
def test_a_dry_run_shows_the_stages_and_makes_nothing(is_there, program, place, capsys):
    if not is_there:
        program.unlink()
    assert run("--dry_run", "--on_bad_image=fail", f"--run_dir={place / 'out'}") == 0
    here, lines = place / "work here", capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        f"folder {place / 'out'}",
        f"building {'needs nothing, the program is there' if is_there else 'compiles once'}: log {place}/out/build.log",
    ]
    compiling = [shlex.split(line) for line in lines[2:-4]]
    assert [words[:2] for words in compiling] == ([] if is_there else [["cmake", "-S"], ["cmake", "--build"]])
    assert lines[-4] == f"inference: log {place}/out/infer.log"
    assert shlex.split(lines[-3]) == [
        str(program),
        f"--mindir_path={here}/../net.mindir",
        f"--dataset_path={here}/../coco data/val2017",
        "--device_id=0",
        "--on_bad_image=fail",
    ]
    assert lines[-2] == f"post-processing: log {place}/out/acc.log"
    assert shlex.split(lines[-1])[:3] == [
        sys.executable,
        str(ROOT / "faster_rcnn/postprocess.py"),
        f"--anno_path={here}/../coco data/annotations/instances_val2017.json",
    ]
    assert not (place / "out").exists()
    assert not list(here.iterdir())


def test_results_go_to_run_dir(program, place):
    assert run(f"--run_dir={place / 'out'}") == 0
    assert {"acc.log", "infer.log", "result.json"} <= {path.name for path in (place / "out").iterdir()}
    assert not list((place / "work here").iterdir())


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (("a", "b"), BadValueError, r"2 arguments, wanted 3 or 4; usage: run_infer_310\.sh MINDIR_PATH"),
        (("../no.mindir", "..", ".."), MissingPathError, "MINDIR_PATH '../no.mindir' does not exist, wanted a file"),
        (("../net.mindir", "../no", ".."), MissingPathError, "DATA_PATH '../no' does not exist"),
        (("../net.mindir", "..", "../coco data"), MissingPathError, "ANNO_PATH '../coco data' is no file"),
        (("../net.mindir", "..", "../net.json", "first"), BadValueError, "DEVICE_ID is 'first', wanted the number"),
        (("--on_bad_images=skip",), BadValueError, "'--on_bad_images=skip' is no argument here.*on_bad_image"),
        (("--engine",), BadValueError, "'--engine' is no argument here"),
        (("../net.mindir", "../work here", "../net.json"), MissingPathError, "no picture .* DATA_PATH"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(program, arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        run(*arguments)
    assert not list(Path.cwd().iterdir())


def test_the_model_is_looked_at_before_anything_is_built(place, monkeypatch):
    with pytest.raises(BadValueError, match=r"is a model of faster_rcnn: run it with the run_infer_310\.sh of faster"):
        run(suite="nas_fpn")
    describe(place / "net.air", OUTPUTS, suite="faster_rcnn", file_format="AIR")
    (place / "net.air").touch()
    with pytest.raises(BadValueError, match="has the form AIR, wanted MINDIR"):
        run("../net.air", "../coco data/val2017", "../net.json")
    (place / "net.json").unlink()
    with pytest.raises(MissingPathError, match=r"net\.json' does not exist: export the model"):
        run()


def test_a_disk_that_cannot_hold_the_results_is_a_sentence(place, monkeypatch):
    request = Request(place / "net.mindir", place / "coco data" / "val2017", place, 0, "val", place)
    check_disk(request, infer_310.check_model(request, "faster_rcnn"))
    huge = describe(place / "net.mindir", (np.broadcast_to(np.float32(0), (10**6, 10**9)),), suite="faster_rcnn")
    with pytest.raises(BadStateError, match=r"results of 3 images take 12000000\.0 GB and .* GB left"):
        check_disk(request, huge)
    monkeypatch.setattr(infer_310, "find_image_files", lambda *_, **__: [place / "a.jpg"])
    with pytest.raises(BadStateError, match=r"results of 1 image take 4000000\.0 GB"):
        check_disk(request, huge)


@pytest.mark.parametrize(
    ("suite", "annotations"),
    [("faster_rcnn", "instances.json"), ("nas_fpn", "instances.json"), ("segformer", "labels")],
)
def test_the_launchers_of_the_suites_refuse_from_any_folder(place, suite, annotations):
    """ANNO_PATH is a file for the detectors and a folder for SegFormer; here it is missing."""
    command = ("bash", ROOT / suite / "scripts" / "run_infer_310.sh", "../net.mindir", "..", annotations)
    finished = finish(*command, env={**os.environ, "PYTHON": sys.executable})
    assert finished.returncode == 2
    kind = "folder" if suite == "segformer" else "file"
    assert finished.stderr == (
        f"run_infer_310.sh: error: ANNO_PATH '{annotations}' does not exist, wanted a {kind}: correct the path\n"
    )


def test_of_a_cityscapes_folder_the_split_is_taken(tmp_path):
    images = tmp_path / "leftImg8bit" / "test"
    images.mkdir(parents=True)
    (tmp_path / "net.mindir").touch()
    launcher = infer_310.Launcher310("run_infer_310.sh", "segformer", "folder", "leftImg8bit/{}")
    given = [str(tmp_path / "net.mindir"), str(tmp_path), str(tmp_path)]
    assert infer_310.read_arguments([*given, "--eval_split=test"], launcher).images == images
    assert infer_310.read_arguments(given, launcher).images == tmp_path  # there is no leftImg8bit/val


def test_the_limit_of_pixels_holds_for_inference_and_scoring(tmp_path):
    (tmp_path / "net.mindir").touch()
    launcher = infer_310.Launcher310("run_infer_310.sh", "segformer", "folder", "leftImg8bit/{}")
    request = infer_310.read_arguments(
        [str(tmp_path / "net.mindir"), str(tmp_path), str(tmp_path), "--max_image_megapixels=200"], launcher
    )
    assert request.options == {"max_image_megapixels": "200"}
    assert request.scoring == ("--max_image_megapixels=200",)
