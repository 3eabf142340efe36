"""Runs an exported model over a folder of images in C++ and scores what it finds.

Called by the launchers run_infer_310.sh of the suites, which read

    start_with_python infer_310.py --suite=SUITE --annotations=file|folder [--images=SUBFOLDER] -- "$@"

where `{}` in SUBFOLDER, of DATA_PATH, stands for the split. The user gives MINDIR_PATH DATA_PATH ANNO_PATH [DEVICE_ID]
and any of `OPTIONS`. The stages are building (once, cpp_build.py), inference and post-processing; each has its log in
the folder where the launcher is called. The first that fails ends the launcher with its exit code and last lines. With
--dry_run nothing is started or made: the commands of the stages and their logs are shown.
"""

import argparse
import contextlib
import math
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # in place of this folder
    import utils  # noqa: F401  (refuses another Python, which has no NumPy)

import numpy as np  # noqa: E402

from utils.engines.choice_310 import choose_model  # noqa: E402
from utils.exporting.description import ModelDescription, read_description  # noqa: E402
from utils.exporting.result_files import RESULT_FOLDER  # noqa: E402
from utils.image_search import find_image_files  # noqa: E402
from utils.installation import ROOT  # noqa: E402
from utils.launch.cpp_build import build, build_commands, cached_program, is_built  # noqa: E402
from utils.launch.launcher_options import DRY_RUN, take_dry_run  # noqa: E402
from utils.launch.processes.logged_process import LoggedProcess, show  # noqa: E402
from utils.launch.user_arguments import device_number, existing_path  # noqa: E402
from utils.model_utils.command import run_command  # noqa: E402
from utils.model_utils.errors import BadStateError, BadValueError  # noqa: E402
from utils.model_utils.files import make_writable_folder, write_file  # noqa: E402
from utils.model_utils.in_use import claim_all  # noqa: E402
from utils.words import counted  # noqa: E402

ARGUMENTS = "MINDIR_PATH DATA_PATH ANNO_PATH [DEVICE_ID] [--key=value]..."
LIMIT_OPTION, CONFIG_OPTION = "max_image_megapixels", "config"  # of both
OPTIONS = (
    "on_bad_image",
    "engine",
    "device_target",
    "batch_size",
    "cpu_precision",
    "num_threads",
    "num_loaders",
    "precision_mode",
    "lite_config",
    CONFIG_OPTION,
    LIMIT_OPTION,
)  # of the C++ program
FILE_OPTIONS = ("lite_config", CONFIG_OPTION)
SPLIT_OPTION, RUN_DIR_OPTION = "eval_split", "run_dir"
IGNORE_OPTION = "ignore_unknown_classes"  # of postprocess.py
OWN_OPTIONS = (SPLIT_OPTION, RUN_DIR_OPTION, IGNORE_OPTION)
BUILD_LOG, INFER_LOG, SCORE_LOG = "build.log", "infer.log", "acc.log"


@dataclass(frozen=True)
class Launcher310:
    """What a launcher says of itself.

    Attributes:
        program: its file name.
        suite: name of the suite.
        annotations: kind of ANNO_PATH, "file" or "folder".
        images: folder in DATA_PATH that is taken instead where it exists; {} stands for the split.
    """

    program: str
    suite: str
    annotations: str
    images: str


@dataclass(frozen=True)
class Request:
    """What a user has asked for; paths are absolute.

    Attributes:
        model: the MindIR.
        images: folder of images, or an image.
        annotations: file or folder.
        device_id: number of the device.
        split: of a data set in the layout of Cityscapes.
        folder: takes results and logs.
        options: of the C++ program.
        scoring: further arguments of postprocess.py.
    """

    model: Path
    images: Path
    annotations: Path
    device_id: int
    split: str
    folder: Path
    options: dict[str, str] = field(default_factory=dict)
    scoring: tuple[str, ...] = ()


def main(argv: Sequence[str]) -> int:
    """Builds, infers, scores; returns the exit code of the launcher."""
    launcher, given = read_launcher(argv)
    if "--help" in given or "-h" in given:
        print(f"usage: {launcher.program} {ARGUMENTS} [{DRY_RUN}]\nkeys: {', '.join((*OPTIONS, *OWN_OPTIONS))}")
        return 0
    is_dry, given = take_dry_run(given)
    request = read_arguments(given, launcher)
    check_model(request, launcher.suite)
    chosen = choose_model(request.model, request.options)
    request = replace(request, model=chosen.model)
    description = check_model(request, launcher.suite)
    if chosen.note:
        print(chosen.note, file=sys.stderr, flush=True)
    if is_dry:
        print(format_stages(request, launcher, cached_program(ROOT, launcher.suite)))
        return 0
    make_writable_folder(request.folder, "--run_dir")
    # Two would mix their results, and score what the other has written.
    with claim_all([request.folder], another_run), contextlib.chdir(request.folder):
        check_disk(request, description)
        for name in (BUILD_LOG, INFER_LOG, SCORE_LOG):
            (request.folder / name).unlink(missing_ok=True)  # of an earlier run
        program = cached_program(ROOT, launcher.suite)
        code = build_stage(request, launcher, program) or infer_stage(request, program)
        return code or score_stage(request, launcher)


def read_launcher(argv: Sequence[str]) -> tuple[Launcher310, list[str]]:
    """Splits what the launcher says from what its user has typed, which stands after `--`."""
    cut = list(argv).index("--")
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--suite", required=True)
    parser.add_argument("--annotations", choices=("file", "folder"), required=True)
    parser.add_argument("--images", default="")
    return Launcher310(**vars(parser.parse_args(argv[:cut]))), list(argv[cut + 1 :])


def read_arguments(given: Sequence[str], launcher: Launcher310) -> Request:
    """Checks what a user has typed.

    Raises:
        BadValueError: too few or too many arguments, an unknown key, or a device number that is none.
        MissingPathError: a path is not there or of another kind.
    """
    count = next((index for index, text in enumerate(given) if text.startswith("--")), len(given))
    if not 3 <= count <= 4:
        raise BadValueError(f"{count} arguments, wanted 3 or 4; usage: {launcher.program} {ARGUMENTS}")
    options = _read_options(given[count:])
    split = options.pop(SPLIT_OPTION, "val")
    folder = Path(options.pop(RUN_DIR_OPTION, ".")).absolute()
    scoring = tuple(f"--{name}={options.pop(name)}" for name in (IGNORE_OPTION,) if name in options)
    files = [name for name in FILE_OPTIONS if name in options]
    options |= {name: str(existing_path(f"--{name}", options[name], "file")) for name in files}
    scoring += tuple(f"--{name}={options[name]}" for name in (LIMIT_OPTION, CONFIG_OPTION) if name in options)
    images = existing_path("DATA_PATH", given[1], "file or folder")
    subfolder = images / launcher.images.replace("{}", split)
    return Request(
        model=existing_path("MINDIR_PATH", given[0], "file"),
        images=subfolder if subfolder.is_dir() else images,
        annotations=existing_path("ANNO_PATH", given[2], launcher.annotations),
        device_id=device_number(given[3]) if count == 4 else 0,
        split=split,
        folder=folder,
        options=options,
        scoring=scoring,
    )


def check_model(request: Request, suite: str) -> ModelDescription:
    """Reads the description of a model before anything is built for it.

    Raises:
        MissingPathError: it has none.
        BadValueError: it is of another suite, or of a form that the program does not run.
    """
    model, given = request.model, request.options.get(CONFIG_OPTION)
    description = read_description(model, Path(given) if given else None)
    if description.suite != suite:
        raise BadValueError(
            f"'{model}' is a model of {description.suite}: run it with the run_infer_310.sh of {description.suite}, or "
            f"give a model of {suite}"
        )
    if description.file_format not in ("MINDIR", "ONNX"):
        raise BadValueError(
            f"'{model}' has the form {description.file_format}, wanted MINDIR or ONNX: export the model again"
        )
    return description


def another_run(folder: Path) -> BadStateError:
    """Returns the refusal of a folder in which another run works."""
    return BadStateError(
        f"another run_infer_310.sh works in '{folder}', and the results of both would mix: wait for it, or choose "
        "another folder with --run_dir"
    )


def check_disk(request: Request, description: ModelDescription) -> None:
    """Refuses to begin what the disk cannot hold: a detector's scores of every anchor are 26 MB for each image.

    Raises:
        MissingPathError: there are no images.
        BadStateError: there is too little space.
    """
    bytes_per_image = sum(math.prod(each.image_shape) * np.dtype(each.dtype).itemsize for each in description.outputs)
    num_images = len(find_image_files(request.images, flag="DATA_PATH"))
    old = sum(file.stat().st_size for file in (request.folder / RESULT_FOLDER).glob("*.bin"))  # will be overwritten
    free = shutil.disk_usage(request.folder).free + old
    if num_images * bytes_per_image > free:
        raise BadStateError(
            f"the results of {counted(num_images, 'image')} take {num_images * bytes_per_image / 1e9:.1f} GB and "
            f"'{request.folder}' has {free / 1e9:.1f} GB left: work in another folder, or give fewer images"
        )


def build_stage(request: Request, launcher: Launcher310, program: Path) -> int:
    """Builds the program where it is missing; returns the exit code."""
    log = request.folder / BUILD_LOG
    if is_built(program):
        write_file(log, f"{program} is built from these sources already\n".encode())
        return 0
    print(f"building the C++ program of {launcher.suite}, once; log: {log}", flush=True)
    code = build(ROOT, launcher.suite, program, lambda command: _finish(command, log, "building", is_shown=False))
    if code == 0 and not log.exists():  # another process has built it meanwhile
        write_file(log, f"{program} was built by another process\n".encode())
    return code


def format_stages(request: Request, launcher: Launcher310, program: Path) -> str:
    """Returns the commands of the stages, each below a line with its log, in the shell's spelling."""
    building = [] if program.is_file() else build_commands(ROOT, launcher.suite, program)
    state = "needs nothing, the program is there" if program.is_file() else "compiles once"
    stages = (
        (f"building {state}", BUILD_LOG, building),
        ("inference", INFER_LOG, [infer_command(request, program)]),
        ("post-processing", SCORE_LOG, [score_command(request, launcher)]),
    )
    lines = [f"folder {request.folder}"]
    for name, log, commands in stages:
        lines += [f"{name}: log {request.folder / log}", *(f"  {shlex.join(command)}" for command in commands)]
    return "\n".join(lines)


def infer_stage(request: Request, program: Path) -> int:
    """Runs the model over the images; returns the exit code."""
    return _finish(
        infer_command(request, program), request.folder / INFER_LOG, "inference", is_shown=sys.stdout.isatty()
    )


def infer_command(request: Request, program: Path) -> list[str]:
    """Returns the call of the C++ program, which writes into its working directory."""
    options = [f"--{name}={value}" for name, value in request.options.items()]
    return [
        str(program),
        f"--mindir_path={request.model}",
        f"--dataset_path={request.images}",
        f"--device_id={request.device_id}",
        *options,
    ]


def score_stage(request: Request, launcher: Launcher310) -> int:
    """Scores the results and shows what the log says; returns the exit code."""
    log = request.folder / SCORE_LOG
    code = _finish(score_command(request, launcher), log, "post-processing", is_shown=False)
    if code == 0:
        show(log.read_bytes())
    return code


def score_command(request: Request, launcher: Launcher310) -> list[str]:
    """Returns the call of postprocess.py, which reads the results in its working directory."""
    images = request.images if request.images.is_dir() else request.images.parent
    return [
        sys.executable,
        str(ROOT / launcher.suite / "postprocess.py"),
        f"--anno_path={request.annotations}",
        f"--result_path={RESULT_FOLDER}",
        f"--mindir_path={request.model}",
        f"--dataset_path={images}",
        f"--eval_split={request.split}",
        *request.scoring,
    ]


def _finish(command: Sequence[str], log: Path, what: str, *, is_shown: bool) -> int:
    """Runs a command to its end; where it fails, says its last lines if they were not shown."""
    process = LoggedProcess(command, log, {"PYTHONUNBUFFERED": "1"})
    code = process.follow(is_shown)
    if code:
        lines = "" if is_shown else f"{process.last_lines()}\n"
        print(f"{lines}{what} ended with exit code {code}; log: {log}", file=sys.stderr, flush=True)
    return code


def _read_options(texts: Sequence[str]) -> dict[str, str]:
    known = (*OPTIONS, *OWN_OPTIONS)
    options = {}
    for text in texts:
        name, has_value, value = text.removeprefix("--").partition("=")
        if not text.startswith("--") or name not in known or not has_value:
            raise BadValueError(
                f"'{text}' is no argument here, wanted --key=value with one of the keys {', '.join(known)}"
            )
        options[name] = value
    return options


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), sys.argv[1].partition("=")[2])
