"""The launchers of all suites as a user runs them, with entry scripts that tell how they were called."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from utils.tests.processes import LIMIT_SECONDS, finish, wait_for

ROOT = Path(__file__).resolve().parents[3]
RECORDER = """
import json, os, pathlib, signal, sys, time
folder = pathlib.Path(next(a for a in sys.argv if a.startswith("--run_dir=")).partition("=")[2])
names = ("DEVICE_ID", "DEVICE_NUM", "RANK_ID", "RANK_SIZE", "PYTHONUNBUFFERED")
signal.signal(signal.SIGTERM, lambda *_: (print("asked to stop"), sys.exit(143)))
print("on standard output")
print("on standard error", file=sys.stderr)
call = {"argv": sys.argv[1:], "cwd": os.getcwd(), "environment": {n: os.environ.get(n) for n in names},
        "script": sys.argv[0], "session": os.getsid(0) == os.getpid(), "pid": os.getpid()}
(folder / "call.tmp").write_text(json.dumps(call))
(folder / "call.tmp").rename(folder / "call.json")
time.sleep(float(os.environ.get("RECORDER_SECONDS", 0)))
sys.exit(int(os.environ.get("RECORDER_CODE", 0)))
"""

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A repository with the launchers and utils, whose commands are recorders; its path has a space."""
    root = tmp_path_factory.mktemp("a repository") / "of its own"
    for suite in ("nas_fpn", "segformer", "faster_rcnn"):
        shutil.copytree(ROOT / suite / "scripts", root / suite / "scripts")
        for command in ("train.py", "eval.py", "infer.py"):
            (root / suite / command).write_text(RECORDER)
    for room in ("launch", "model_utils"):
        shutil.copytree(ROOT / "utils" / room, root / "utils" / room, ignore=shutil.ignore_patterns("tests"))
    for file in ("__init__.py", "installation.py", "words.py"):
        shutil.copy(ROOT / "utils" / file, root / "utils")
    (root / "segformer" / "config").mkdir()
    (root / "segformer" / "config" / "b0.yaml").write_text("")
    return root


@pytest.fixture()
def here(tmp_path):
    """The caller's folder, with a data set and a checkpoint."""
    folder = tmp_path / 'it\'s "here"'
    for name in ("records", "annotations", "-city scapes"):
        (folder / name).mkdir(parents=True)
    (folder / "net.ckpt").write_text("x")
    return folder


def launch(tree, here, script, *arguments, **variables):
    environment = {**os.environ, "PYTHON": sys.executable, **variables}
    return finish("bash", os.path.relpath(tree / script, here), *arguments, cwd=here, env=environment)


def call_of(folder):
    return json.loads((folder / "call.json").read_text())


# What is typed; then the log, the entry script, and what it gets beside --run_dir.
OF_ONE_DEVICE = """
nas_fpn/scripts/run_single_train.sh 0 records
  LOG0/log.txt train.py --mindrecord_dir=HERE/records

nas_fpn/scripts/run_single_train.sh 5 records net.ckpt 12 --lr=0.1
  LOG5/log.txt train.py --mindrecord_dir=HERE/records --pre_trained=HERE/net.ckpt --pre_trained_epoch_size=12 --lr=0.1

nas_fpn/scripts/run_eval.sh 0 coco records net.ckpt annotations/instances_{}.json
  eval0/eval.log eval.py --dataset=coco --mindrecord_dir=HERE/records --checkpoint_path=HERE/net.ckpt
  --instance_set=HERE/annotations/instances_{}.json

nas_fpn/scripts/run_eval.sh 0 other records net.ckpt annotations/{}.txt
  eval0/eval.log eval.py --dataset=other --mindrecord_dir=HERE/records --checkpoint_path=HERE/net.ckpt
  --anno_path=HERE/annotations/{}.txt

segformer/scripts/run_standalone_train.sh 1 config/b0.yaml
  run_standalone_train_device1/train.log train.py --config_path=SUITE/config/b0.yaml

segformer/scripts/run_standalone_train.sh 1 config/b0.yaml '-city scapes' net.ckpt False --lr=0.1
  run_standalone_train_device1/train.log train.py --config_path=SUITE/config/b0.yaml '--data_path=HERE/-city scapes'
  --pretrained_ckpt_path=HERE/net.ckpt --run_eval=False --lr=0.1

segformer/scripts/run_eval.sh 1 config/b0.yaml net.ckpt '-city scapes'
  run_eval_device1/eval.log eval.py --config_path=SUITE/config/b0.yaml --eval_ckpt_path=HERE/net.ckpt
  '--data_path=HERE/-city scapes'

segformer/scripts/run_eval.sh 1 '' net.ckpt '-city scapes'
  run_eval_device1/eval.log eval.py --eval_ckpt_path=HERE/net.ckpt '--data_path=HERE/-city scapes'

faster_rcnn/scripts/run_eval_cpu.sh annotations/{}.json net.ckpt '' '-city scapes'
  eval/log eval.py --device_target=CPU --instance_set=HERE/annotations/{}.json --anno_path=HERE/annotations/{}.json
  --checkpoint_path=HERE/net.ckpt '--coco_root=HERE/-city scapes'

segformer/scripts/run_infer.sh 1 config/b0.yaml net.ckpt '-city scapes' out
  run_infer_device1/infer.log infer.py --config_path=SUITE/config/b0.yaml --infer_ckpt_path=HERE/net.ckpt
  '--data_path=HERE/-city scapes' --infer_output_path=HERE/out

faster_rcnn/scripts/run_standalone_train_cpu.sh net.ckpt res2net_101 '-city scapes' records --config_path=config/c.yaml
  train/log train.py --device_target=CPU --pre_trained=HERE/net.ckpt --config_path=SUITE/default_config_101.yaml
  --backbone=res2net_101 '--coco_root=HERE/-city scapes' --mindrecord_dir=HERE/records --config_path=config/c.yaml
"""
OF_EACH_TARGET = """

faster_rcnn/scripts/run_standalone_train_NAME.sh '' res2net_50 '-city scapes'
  train/log train.py --device_target=TARGET --config_path=SUITE/default_config.yaml --backbone=res2net_50
  '--coco_root=HERE/-city scapes'

faster_rcnn/scripts/run_eval_NAME.sh annotations/{}.json net.ckpt res2net_152 '-city scapes'
  eval/log eval.py --device_target=TARGET --instance_set=HERE/annotations/{}.json --anno_path=HERE/annotations/{}.json
  --checkpoint_path=HERE/net.ckpt --backbone=res2net_152 '--coco_root=HERE/-city scapes'
"""
TARGETS = {"ascend": "Ascend", "gpu": "GPU", "cpu": "CPU"}
CALLS = OF_ONE_DEVICE + "".join(
    OF_EACH_TARGET.replace("NAME", name).replace("TARGET", target) for name, target in TARGETS.items()
)


@pytest.mark.parametrize("call", CALLS.strip().split("\n\n"))
def test_arguments_folders_and_logs_are_those_of_the_page(call, tree, here):
    (script, *arguments), (log, command, *wanted) = map(shlex.split, call.strip().split("\n", 1))
    device = "4" if script.startswith("faster_rcnn") else arguments[0]
    finished = launch(tree, here, script, *arguments, FOREGROUND="1", DEVICE_ID="4")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run_dir, suite_dir = (here / log).parent, tree / script.split("/")[0]
    got = call_of(run_dir)
    wanted = [text.replace("HERE", str(here)).replace("SUITE", str(suite_dir)) for text in wanted]
    assert got["argv"] == [f"--run_dir={run_dir}", *wanted]
    assert Path(got["script"]) == suite_dir / command
    assert got["cwd"] == str(here)
    assert got["environment"] == {
        "DEVICE_ID": device,
        "DEVICE_NUM": "1",
        "RANK_ID": "0",
        "RANK_SIZE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    assert (here / log).read_text() == "on standard output\non standard error\n"
    assert "on standard output\non standard error\n" in finished.stdout


TRAIN = "nas_fpn/scripts/run_single_train.sh"


@pytest.mark.parametrize("suite", ["nas_fpn", "segformer", "faster_rcnn"])
def test_a_dry_run_shows_what_would_be_started_and_makes_nothing(suite, tree, here):
    """The last call of each suite, whose arguments stand in `CALLS`."""
    call = [each for each in CALLS.strip().split("\n\n") if each.startswith(suite)][-1]
    (script, *arguments), (log, command, *wanted) = map(shlex.split, call.split("\n", 1))
    before = sorted(here.iterdir())
    finished = launch(tree, here, script, *arguments, "--dry_run", DEVICE_ID="4", FOREGROUND="1")
    assert (finished.returncode, finished.stderr) == (0, "")
    place, shown = finished.stdout.splitlines()
    run_dir, suite_dir = (here / log).parent, tree / suite
    assert place == f"folder {run_dir}, log {here / log}"
    device = "4" if suite == "faster_rcnn" else arguments[0]
    variables = [f"DEVICE_ID={device}", "DEVICE_NUM=1", "RANK_ID=0", "RANK_SIZE=1", "PYTHONUNBUFFERED=1"]
    wanted = [text.replace("HERE", str(here)).replace("SUITE", str(suite_dir)) for text in wanted]
    script = [sys.executable, str(suite_dir / command), f"--run_dir={run_dir}"]
    assert shlex.split(shown) == [*variables, *script, *wanted]
    assert sorted(here.iterdir()) == before


def test_every_launcher_shows_what_it_would_start():
    """A launcher is one call of a function of launcher.sh or of the suite's launchers.sh, which all take --dry_run."""
    for script in sorted(ROOT.glob("*/scripts/*.sh")):
        text = script.read_text(encoding="utf-8")
        if script.name != "launchers.sh":
            assert "--dry_run" in text.partition("\nset -euo pipefail")[0], script
        if script.name.startswith("run_"):
            call = text.replace("\\\n", "").strip().splitlines()[-1].split()
            known = ("launch", "distribute", "train_on", "train_on_several", "evaluate_on", "start_with_python")
            assert call[0] in known, script
            assert call[-1] == '"$@"', script


def test_in_the_background_the_process_outlives_the_launcher(tree, here):
    finished = launch(tree, here, TRAIN, "0", "records", RECORDER_SECONDS="600", STARTUP_SECONDS="1")
    assert finished.returncode == 0, finished.stderr
    assert "tail -f " in finished.stdout
    pid = int(finished.stdout.partition("running as process ")[2].split(";")[0])
    wait_for((here / "LOG0" / "call.json").is_file)
    assert call_of(here / "LOG0")["session"]
    os.kill(pid, signal.SIGTERM)
    log = here / "LOG0" / "log.txt"
    wait_for(lambda: "asked to stop" in log.read_text())


def test_a_start_that_fails_is_reported_with_its_last_lines_and_code(tree, here):
    (here / "LOG0").mkdir()
    (here / "LOG0" / "log.txt").write_text("of an earlier run\n")
    finished = launch(tree, here, TRAIN, "0", "records", RECORDER_CODE="2")
    assert finished.returncode == 2
    assert "on standard error\nended with exit code 2; log: " in finished.stderr
    assert "of an earlier run" not in finished.stderr
    assert (here / "LOG0" / "log.txt").read_text().startswith("of an earlier run\n")


def test_a_command_that_is_done_at_once_is_no_failure(tree, here):
    finished = launch(tree, here, TRAIN, "0", "records")
    assert finished.returncode == 0
    assert "on standard error\nended with exit code 0" in finished.stdout


@pytest.mark.parametrize("code", [0, 1, 2])
def test_in_the_foreground_the_exit_code_is_handed_through(code, tree, here):
    assert launch(tree, here, TRAIN, "0", "records", FOREGROUND="1", RECORDER_CODE=str(code)).returncode == code


@pytest.mark.parametrize(
    ("signal_number", "code", "text"),
    [(signal.SIGTERM, 143, "asked to stop"), (signal.SIGHUP, 143, "asked to stop"), (signal.SIGINT, 1, "KeyboardInt")],
)
def test_in_the_foreground_signals_are_passed_on_and_the_end_is_waited_for(signal_number, code, text, tree, here):
    environment = {**os.environ, "PYTHON": sys.executable, "FOREGROUND": "1", "RECORDER_SECONDS": "600"}
    process = subprocess.Popen(
        ["bash", str(tree / TRAIN), "0", "records"], cwd=here, env=environment, stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: (here / "LOG0" / "call.json").is_file())
    process.send_signal(signal_number)
    output, _ = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode in (code, 130)  # Python's own answer to Ctrl-C is to end by that signal
    assert text in output


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_start_that_is_interrupted_while_it_is_watched_leaves_nothing_running(signal_number, code, tree, here):
    process = start_in_the_background(tree, here)
    pid = call_of(here / "LOG0")["pid"]
    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == code
    assert f"process {pid} is asked to stop and waited for, a second Ctrl-C ends it at once; log: " in errors
    assert f"ended with exit code {code}; log: " in errors
    assert not Path(f"/proc/{pid}").exists()


def test_a_second_start_in_the_same_folder_is_refused(tree, here):
    process = start_in_the_background(tree, here)
    pid = call_of(here / "LOG0")["pid"]
    second = launch(tree, here, TRAIN, "0", "records")
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == (
        f"run_single_train.sh: error: process {pid} of an earlier run still uses '{here / 'LOG0'}': wait for its end, "
        f"stop it with kill {pid}, or give another --run_dir\n"
    )
    assert launch(tree, here, TRAIN, "1", "records").returncode == 0
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LIMIT_SECONDS)
    assert launch(tree, here, TRAIN, "0", "records").returncode == 0


def test_a_terminal_that_is_closed_while_a_start_is_watched_leaves_it_running(tree, here):
    process = start_in_the_background(tree, here)
    pid = call_of(here / "LOG0")["pid"]
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=LIMIT_SECONDS)
    os.kill(pid, signal.SIGTERM)  # an error, were it not there
    wait_for(lambda: "asked to stop" in (here / "LOG0" / "log.txt").read_text())


def start_in_the_background(tree, here):
    """Starts a command that takes ten minutes; returns the launcher, which watches it, once it runs."""
    variables = {"PYTHON": sys.executable, "STARTUP_SECONDS": "600", "RECORDER_SECONDS": "600"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = ["bash", str(tree / TRAIN), "0", "records"]
    process = subprocess.Popen(command, cwd=here, env=os.environ | variables, **pipes)
    wait_for((here / "LOG0" / "call.json").is_file)
    return process


@pytest.mark.parametrize("words", [["--run_dir=second run"], ["--run-dir", "second run"]])
def test_another_run_folder_takes_the_log_too(words, tree, here):
    launch(tree, here, TRAIN, "0", "records", *words, FOREGROUND="1")
    assert call_of(here / "second run")["argv"] == [
        f"--run_dir={here / 'second run'}",
        f"--mindrecord_dir={here / 'records'}",
    ]
    assert (here / "second run" / "log.txt").is_file()
    assert not (here / "LOG0").exists()


def test_the_environment_of_the_repository_counts_before_the_path(tree, here, tmp_path):
    places = {"own": tree / ".venv" / "bin", "path": tmp_path / "bin"}
    for name, folder in places.items():
        folder.mkdir(parents=True)
        (folder / "python").write_text(f"#!/bin/bash\necho {name}\n")
        (folder / "python").chmod(0o755)
    path = f"{places['path']}:/usr/bin:/bin"
    arguments = (tree, here, TRAIN, "0", "records")
    assert launch(*arguments, PYTHON="", PATH=path).stdout == "own\n"
    shutil.rmtree(tree / ".venv")
    assert launch(*arguments, PYTHON="", PATH=path).stdout == "path\n"
    (places["path"] / "python").unlink()
    finished = (
        launch(*arguments, PYTHON="", PATH=f"{places['path']}:/bin")
        if not shutil.which("python", path="/usr/bin:/bin")
        else launch(*arguments, PYTHON="absent-python")
    )
    assert finished.returncode == 2
    assert "is not a command; name a Python 3.11 or 3.12" in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        ((), {}, "0 arguments, wanted 2 to 4; usage: run_single_train.sh DEVICE_ID MINDRECORD_DIR [PRE_TRAINED]"),
        (("0", "records", "absent.ckpt"), {}, "PRE_TRAINED 'absent.ckpt' does not exist, wanted a file"),
        (("zero", "records"), {}, "DEVICE_ID is 'zero'"),
        (("0", "records"), {"FOREGROUND": "yes"}, "FOREGROUND is 'yes', wanted 1 or 0"),
        (("0", "records"), {"STARTUP_SECONDS": "soon"}, "STARTUP_SECONDS is 'soon', wanted a number of seconds"),
        (("0", "records", "--run_dir=net.ckpt"), {}, "is a file; choose another --run_dir"),
    ],
)
def test_what_cannot_be_started_is_one_sentence_and_leaves_nothing(arguments, variables, sentence, tree, here):
    finished = launch(tree, here, TRAIN, *arguments, **variables)
    assert finished.returncode == 2
    assert finished.stderr.startswith("run_single_train.sh: error: ")
    assert sentence in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert not list(here.glob("LOG0/*"))


def test_an_unknown_backbone_is_one_sentence_with_those_there_are(tree, here):
    finished = launch(tree, here, "faster_rcnn/scripts/run_standalone_train_gpu.sh", "", "resnet_50", "records")
    assert finished.returncode == 2
    assert finished.stderr == (
        "run_standalone_train_gpu.sh: error: BACKBONE is 'resnet_50', wanted one of res2net_50, "
        "res2net_101, res2net_152\n"
    )


def test_help_is_the_usage(tree, here):
    without_device = launch(tree, here, "faster_rcnn/scripts/run_eval_cpu.sh", "--help")
    assert without_device.stdout == (
        "usage: run_eval_cpu.sh VALIDATION_JSON_FILE CHECKPOINT_PATH BACKBONE COCO_ROOT [MINDRECORD_DIR] "
        "[--key=value]... [--dry_run]\n"
    )
    finished = launch(tree, here, TRAIN, "--help")
    assert finished.returncode == 0
    assert finished.stdout.startswith("usage: run_single_train.sh DEVICE_ID MINDRECORD_DIR [PRE_TRAINED] [PRE_TRAINED_")
