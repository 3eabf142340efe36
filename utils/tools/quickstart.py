"""Draws the sample data, then trains and evaluates the named suites on it with their own commands.

python -m utils.tools.quickstart [SUITE]...
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError, BadValueError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Path("config/quickstart.yaml")
SAMPLE_DATA = ROOT / "sample_data" / "toy_town"
RUNS = ROOT / "runs" / "quickstart"


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
    _run("drawing the sample data", ROOT, ["-m", "utils.sample_data.toy_town", str(SAMPLE_DATA)])
    drawing_seconds = time.perf_counter() - start
    lines = [_show(name, SUITES[name], drawing_seconds) for name in dict.fromkeys(names or SUITES)]
    print("\n".join(["", *lines]))


def _show(name: str, suite: Suite, seconds_before: float) -> str:
    """Trains and evaluates one suite; returns its line of the summary."""
    start = time.perf_counter()
    folder, data = RUNS / name, f"{suite.data_flag}={SAMPLE_DATA}"
    common = [f"--config_path={CONFIG}", data]
    if suite.prepare:
        _run(f"preparing the data of {name}", ROOT / name, list(suite.prepare))
    _run(f"training {name}", ROOT / name, ["train.py", *common, f"--run_dir={folder}", "--overwrite=True"])
    checkpoint = f"{suite.checkpoint_flag}={folder / suite.best_checkpoint}"
    evaluation = folder / "eval"
    _run(
        f"evaluating {name}",
        ROOT / name,
        ["eval.py", *common, checkpoint, f"--run_dir={evaluation}", "--overwrite=True"],
    )
    value = json.loads((evaluation / "result.json").read_text(encoding="utf-8"))[suite.metric]
    seconds = seconds_before + time.perf_counter() - start
    return f"{name} {suite.metric}={value:.3f} seconds={seconds:.0f} pictures={evaluation / 'pictures'}"


def _run(what: str, folder: Path, command: list[str]) -> None:
    print(f"== {what}: (cd {folder.relative_to(ROOT.parent)}; python {' '.join(command)})", flush=True)
    finished = subprocess.run([sys.executable, *command], cwd=folder, check=False)
    if finished.returncode:
        raise BadStateError(f"{what} ended with exit code {finished.returncode}; its messages are above")


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), "quickstart.sh")
