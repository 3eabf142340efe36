"""Draws the sample data, then trains and evaluates the named suites on it with their own commands.

python -m utils.tools.quickstart [SUITE]...
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from utils.installation import ROOT, module_name, work_folder
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError, BadValueError

CONFIG = Path("config/quickstart.yaml")
SAMPLE_DATA = work_folder() / "sample_data" / "toy_town"
RUNS = work_folder() / "runs" / "quickstart"


@dataclass(frozen=True)
class Suite:
    """How a suite is shown.

    Attributes:
        metric: name of the number in the last line.
        data_flag: the flag that takes the sample data.
        checkpoint_flag: the flag of eval.py that takes the checkpoint.
        best_checkpoint: file name of the best checkpoint in the run's checkpoint folder.
        prepare: a script of the suite and its arguments that makes the sample data ready; none where it is.
    """

    metric: str
    data_flag: str
    checkpoint_flag: str
    best_checkpoint: str
    prepare: tuple[str, ...] = ()


SUITES = {
    "nas_fpn": Suite("AP50", "--coco_root", "--checkpoint_path", "ckpt/retinanet_nasfpn_best.ckpt"),
    "segformer": Suite(
        "mIoU",
        "--data_path",
        "--eval_ckpt_path",
        "checkpoint/segformer_mit_b0_best.ckpt",
        prepare=("tools/convert_dataset.py", str(SAMPLE_DATA), "--nproc", "2"),
    ),
    "faster_rcnn": Suite("AP50", "--coco_root", "--checkpoint_path", "ckpt_0/faster_rcnn_best.ckpt"),
}


def main(names: list[str]) -> None:
    """Shows the suites in `names`, all of them where it is empty."""
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        raise BadValueError(f"no suite '{unknown[0]}' here, wanted any of: {', '.join(SUITES)}")
    start = time.perf_counter()
    _run("drawing the sample data", ["-m", module_name("utils.sample_data.toy_town"), str(SAMPLE_DATA)])
    drawing_seconds = time.perf_counter() - start
    lines = [_show(name, SUITES[name], drawing_seconds) for name in dict.fromkeys(names or SUITES)]
    print("\n".join(["", *lines]))


def _show(name: str, suite: Suite, seconds_before: float) -> str:
    """Trains and evaluates one suite; returns its line of the summary."""
    start = time.perf_counter()
    folder, data = RUNS / name, f"{suite.data_flag}={SAMPLE_DATA}"
    common = [f"--config_path={CONFIG}", data]
    if suite.prepare:
        script, *arguments = suite.prepare
        _run(f"preparing the data of {name}", [str(ROOT / name / script), *arguments])
    train, evaluate = str(ROOT / name / "train.py"), str(ROOT / name / "eval.py")
    _run(f"training {name}", [train, *common, f"--run_dir={folder}", "--overwrite=True"])
    checkpoint = f"{suite.checkpoint_flag}={folder / suite.best_checkpoint}"
    evaluation = folder / "eval"
    _run(f"evaluating {name}", [evaluate, *common, checkpoint, f"--run_dir={evaluation}", "--overwrite=True"])
    value = json.loads((evaluation / "result.json").read_text(encoding="utf-8"))[suite.metric]
    seconds = seconds_before + time.perf_counter() - start
    return f"{name} {suite.metric}={value:.3f} seconds={seconds:.0f} pictures={evaluation / 'pictures'}"


def _run(what: str, command: list[str]) -> None:
    print(f"== {what}: python {' '.join(command)}", flush=True)
    finished = subprocess.run([sys.executable, *command], cwd=work_folder(), check=False)
    if finished.returncode:
        raise BadStateError(f"{what} ended with exit code {finished.returncode}; its messages are above")


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), "quickstart.sh")
