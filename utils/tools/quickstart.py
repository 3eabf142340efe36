"""Draws street scenes, then trains and evaluates suites on them: detectors and segmenters that learn on a CPU.

quickstart.sh [--fast] [SUITE]...

  SUITE    nas_fpn, segformer, faster_rcnn; all three where none is named
  --fast   one suite (nas_fpn where none is named), in two minutes: a third to a half of the epochs, so less is found
  --help   this text

The first time it makes .venv and installs the packages. Each suite's line is shown when it ends, and all of them at the
end, where the next commands follow. What is made lies in sample_data/ and runs/quickstart/ (with --fast
runs/quickstart_fast/). PYTHON=/path/to/python picks the interpreter.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.installation import IS_INSTALLED, ROOT, module_name, shown_script, work_folder
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError, BadValueError, unknown_word
from utils.model_utils.files import RESULT_NAME

CONFIG = Path("config/quickstart.yaml")
SAMPLE_DATA = work_folder() / "sample_data" / "toy_town"
RUNS = work_folder() / "runs" / "quickstart"
FAST_RUNS = work_folder() / "runs" / "quickstart_fast"
FAST, CHECK, HELP = "--fast", "--check", ("--help", "-h")


@dataclass(frozen=True)
class Suite:
    """How a suite is shown.

    Attributes:
        metric: name of the number in the last line.
        data_key: the key that takes the sample data.
        checkpoint_keys: the keys of eval.py, infer.py and export.py that take the checkpoint.
        picture_key: the key of infer.py that takes a picture.
        best_checkpoint: file name of the best checkpoint in the run's checkpoint folder.
        fast: keys of train.py for a run of a minute and a half on two cores.
        own_data: what train.py has to be told of another data set.
        prepare: a script of the suite and its arguments that makes the sample data ready; none where it is.
    """

    metric: str
    data_key: str
    checkpoint_keys: tuple[str, str, str]
    picture_key: str
    best_checkpoint: str
    fast: tuple[str, ...]
    own_data: tuple[str, ...]
    prepare: tuple[str, ...] = ()


DETECTOR_CHECKPOINTS = ("checkpoint_path",) * 3
SUITES = {
    "nas_fpn": Suite(
        "AP50",
        "coco_root",
        DETECTOR_CHECKPOINTS,
        "image_path",
        "ckpt/retinanet_nasfpn_best.ckpt",
        fast=("--epoch_size=10", "--eval_interval=10"),
        own_data=("--coco_root=DATA",),
    ),
    "segformer": Suite(
        "mIoU",
        "data_path",
        ("eval_ckpt_path", "infer_ckpt_path", "export_ckpt_path"),
        "data_path",
        "checkpoint/segformer_mit_b0_best.ckpt",
        fast=("--epoch_size=12", "--eval_interval=12"),
        own_data=("--data_path=DATA", "--class_num=COUNT"),
        prepare=("tools/convert_dataset.py", str(SAMPLE_DATA), "--nproc", "2"),
    ),
    "faster_rcnn": Suite(
        "AP50",
        "coco_root",
        DETECTOR_CHECKPOINTS,
        "image_path",
        "ckpt_0/faster_rcnn_best.ckpt",
        fast=("--epoch_size=4", "--eval_interval=4"),
        own_data=("--coco_root=DATA",),
    ),
}


@dataclass(frozen=True)
class Request:
    """What is to be shown: the suites by name, and whether in short."""

    names: tuple[str, ...]
    is_fast: bool

    @property
    def runs(self) -> Path:
        """Folder of the runs."""
        return FAST_RUNS if self.is_fast else RUNS


def main(arguments: Sequence[str]) -> int:
    """Shows the suites that the arguments name; returns 1 where one of them has failed.

    With `--check` among the arguments it only looks at them: that needs no package, so that quickstart.sh does it
    before it installs any.

    Raises:
        BadValueError: the arguments name no suite, or what is no argument.
    """
    if any(word in HELP for word in arguments):
        print((__doc__ or "").strip())
        return 0
    request = read_arguments([word for word in arguments if word != CHECK])
    return 0 if CHECK in arguments else show(request)


def read_arguments(words: Sequence[str]) -> Request:
    """Returns what the words ask for.

    Raises:
        BadValueError: one is no suite, or --fast stands beside several.
    """
    is_fast, names = FAST in words, tuple(dict.fromkeys(word for word in words if word != FAST))
    for name in names:
        if name.startswith("-"):
            raise BadValueError(unknown_word("argument", name, (FAST, HELP[0], *SUITES)))
        if name not in SUITES:
            raise BadValueError(unknown_word("suite", name, SUITES))
    if is_fast and len(names) > 1:
        raise BadValueError(f"{FAST} shows one suite, got {', '.join(names)}: name one, or leave {FAST} out")
    return Request(names or (tuple(SUITES)[:1] if is_fast else tuple(SUITES)), is_fast)


def show(request: Request) -> int:
    """Trains and evaluates the suites one after another; returns 1 where one has failed, which stops no other."""
    start = time.perf_counter()
    _run("drawing the sample data", ["-m", module_name("utils.sample_data.toy_town"), str(SAMPLE_DATA)])
    drawing_seconds = time.perf_counter() - start
    lines: dict[str, str] = {}
    failed: list[str] = []
    try:
        for name in request.names:
            try:
                lines[name] = _show_suite(name, request, drawing_seconds)
            except BadStateError as error:
                lines[name] = f"{name} failed: {error}"
                failed.append(name)
            print(f"\n{lines[name]}\n", flush=True)
    finally:  # Ctrl-C in the third suite leaves the lines of the first two
        if len(lines) > 1:
            print("\n".join(lines.values()), flush=True)
    good = [name for name in lines if name not in failed]
    if good:
        print("\n".join(["", f"Next, in {ROOT}:", *next_commands(good[0], request.runs)]))
    return bool(failed)


def _show_suite(name: str, request: Request, seconds_before: float) -> str:
    """Trains and evaluates one suite; returns its line."""
    start, suite = time.perf_counter(), SUITES[name]
    folder, data = request.runs / name, f"--{suite.data_key}={SAMPLE_DATA}"
    common = [f"--config_path={CONFIG}", data]
    if suite.prepare:
        script, *arguments = suite.prepare
        _run(f"preparing the data of {name}", [str(ROOT / name / script), *arguments])
    train, evaluate = str(ROOT / name / "train.py"), str(ROOT / name / "eval.py")
    short_run = suite.fast if request.is_fast else ()
    _run(f"training {name}", [train, *common, *short_run, f"--run_dir={folder}", "--overwrite=True"])
    checkpoint = f"--{suite.checkpoint_keys[0]}={folder / suite.best_checkpoint}"
    evaluation = folder / "eval"
    _run(f"evaluating {name}", [evaluate, *common, checkpoint, f"--run_dir={evaluation}", "--overwrite=True"])
    value = json.loads((evaluation / RESULT_NAME).read_text(encoding="utf-8"))[suite.metric]
    seconds = seconds_before + time.perf_counter() - start
    return f"{name} {suite.metric}={value:.3f} seconds={seconds:.0f} pictures={evaluation / 'pictures'}"


def next_commands(name: str, runs: Path) -> list[str]:
    """Returns three commands to go on with after a suite was shown, each below a line that says what it does."""
    suite, folder = SUITES[name], os.path.relpath(runs / name)
    checkpoint = os.path.join(folder, suite.best_checkpoint)
    commands = (
        (
            "find things in a photograph of yours",
            "infer.py",
            (
                f"--{suite.checkpoint_keys[1]}={checkpoint}",
                f"--{suite.picture_key}=PHOTO.jpg",
                f"--infer_output_path={os.path.join(folder, 'photo')}",
            ),
        ),
        (
            f"train on data of yours ({shown_script(ROOT / name / 'train.py')} --help says more)",
            "train.py",
            ("--config_path=config/custom.yaml", *suite.own_data, "--run_dir=runs/mine"),
        ),
        (
            "export for the C++ program, or for another engine",
            "export.py",
            (f"--{suite.checkpoint_keys[2]}={checkpoint}", f"--run_dir={os.path.join(folder, 'export')}"),
        ),
    )
    return [
        line
        for what, script, keys in commands
        for line in (f"  # {what}", f"  {_typed(ROOT / name / script)} {shlex.join(keys)}")
    ]


def _typed(script: Path) -> str:
    """Returns how a script is called without the environment having been activated."""
    if IS_INSTALLED:
        return shown_script(script)
    python = Path(sys.executable)
    is_here = python.is_relative_to(Path.cwd())
    return f"{python.relative_to(Path.cwd()) if is_here else python} {os.path.relpath(script)}"


def _run(what: str, command: list[str]) -> None:
    print(f"== {what}: python {' '.join(command)}", flush=True)
    finished = subprocess.run([sys.executable, *command], cwd=work_folder(), check=False)
    if finished.returncode:
        raise BadStateError(f"{what} ended with exit code {finished.returncode}; its messages are above")


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), "quickstart.sh")
