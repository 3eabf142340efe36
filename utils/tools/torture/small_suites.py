"""How each suite is trained in small: a network of a few thousand weights, a few pictures of the sample data."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from utils.installation import ROOT, module_command, work_folder
from utils.model_utils.errors import BadStateError, BadValueError
from utils.tools.small_networks import FASTER_RCNN_NETWORK, FASTER_RCNN_SAMPLES, NAS_FPN_NETWORK, SEGFORMER_NETWORK

DATA_NAME, RUN_NAME = "data", "run"
HEIGHT, WIDTH = 64, 128  # pixels of a picture: the least that the sample data has
BATCH_SIZE = 2
EPOCHS = 4  # three that end with a checkpoint and go on, and one that is evaluated
_PASSED_ON = "the messages of '{}' stand above"

_DETECTOR = ("--keep_empty_images=True",)


@dataclass(frozen=True)
class SmallSuite:
    """A suite, and how it is called in small.

    Attributes:
        name: of its folder.
        data_key: key of its data.
        checkpoints: folder of its checkpoints in the folder of a run.
        network: arguments of the smallest network.
        records: pattern of the folder of its MindRecord files in the data; empty where it has none.
        prepare: a script of the suite that makes the sample data ready; empty where it is.
        log_key: key of the steps from one row of metrics.jsonl to the next.
    """

    name: str
    data_key: str
    checkpoints: str
    network: tuple[str, ...]
    records: str = ""
    prepare: str = ""
    log_key: str = "log_interval"

    def rows_every(self, steps: int) -> str:
        """Returns the argument for a row of metrics.jsonl every so many steps."""
        return f"--{self.log_key}={steps}"

    def command(self, here: Path, *arguments: str) -> list[str]:
        """Returns the command that trains, or goes on, with the data and the run folder in `here`."""
        return [
            sys.executable,
            str(ROOT / self.name / "train.py"),
            "--config_path=config/custom.yaml",
            "--device_target=CPU",
            "--resume=auto",
            *self.network,
            f"--{self.data_key}={here / DATA_NAME}",
            f"--run_dir={here / RUN_NAME}",
            *arguments,
        ]


# What a training of a try is like: a checkpoint in each epoch, an evaluation at the end.
TRAINING = (
    f"--batch_size={BATCH_SIZE}",
    f"--epoch_size={EPOCHS}",
    "--run_eval=True",
    f"--eval_start_epoch={EPOCHS}",
)
SUITES = {
    "nas_fpn": SmallSuite(
        "nas_fpn",
        "coco_root",
        "ckpt",
        (
            *NAS_FPN_NETWORK,
            "--num_parallel_workers=1",
            "--norm_statistics=frozen",
            "--warmup_steps=3",
            *_DETECTOR,
        ),
        records="NASFPN_MINDRECORD",
    ),
    "segformer": SmallSuite(
        "segformer",
        "data_path",
        "checkpoint",
        (
            *SEGFORMER_NETWORK,
            f"--base_size=[{HEIGHT},{WIDTH}]",
            "--crop_size=[32,64]",
            "--class_num=19",
            "--dataset_num_parallel_workers=1",
            "--dataset_eval_num_parallel_workers=1",
            "--warmup_steps=3",
        ),
        prepare="tools/convert_dataset.py",
        log_key="train_log_interval",
    ),
    "faster_rcnn": SmallSuite(
        "faster_rcnn",
        "coco_root",
        "ckpt_0",
        (
            *FASTER_RCNN_NETWORK,
            *FASTER_RCNN_SAMPLES,
            "--num_parallel_workers=1",
            "--warmup_step=3",
            *_DETECTOR,
        ),
        records="FASTERRCNN_MINDRECORD",
    ),
}
ALL = "all"


def chosen_suites(name: str) -> list[SmallSuite]:
    """Returns the suite of a name, or all.

    Raises:
        BadValueError: there is none.
    """
    if name == ALL:
        return list(SUITES.values())
    if name not in SUITES:
        raise BadValueError(f"no suite '{name}' here, wanted one of: {', '.join(SUITES)}, {ALL}")
    return [SUITES[name]]


def draw_data(folder: Path, suites: list[SmallSuite], train: int, val: int) -> Path:
    """Draws the pictures that all suites train on, with labels of both layouts; returns the folder.

    Raises:
        BadStateError: a command has failed.
    """
    counts = (f"--train={train}", f"--val={val}", f"--height={HEIGHT}", f"--width={WIDTH}")
    _call(module_command("utils.sample_data.toy_town", str(folder), *counts))
    for suite in suites:
        if suite.prepare:
            _call([sys.executable, str(ROOT / suite.name / suite.prepare), str(folder), "--nproc=1"])
    return folder


def _call(command: list[str]) -> None:
    finished = subprocess.run(
        command, cwd=work_folder(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if finished.returncode:
        print(finished.stdout, file=sys.stderr)
        raise BadStateError(f"the data cannot be made: {_PASSED_ON.format(' '.join(command[1:3]))}")
