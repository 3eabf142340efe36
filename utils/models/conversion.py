"""Makes a checkpoint of downloaded weights by the suite's own command, and names the next one."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from utils.installation import ROOT, shown_script
from utils.model_utils.errors import BadStateError
from utils.models.table import PublishedModel


@dataclass(frozen=True, kw_only=True)
class _Commands:
    """The flags of a suite's commands, without dashes.

    Attributes:
        converter: the script in the suite's folder.
        read: its flag for the file read.
        written: for the checkpoint.
        overwrite: to replace it.
        infer: of infer.py for the checkpoint.
        pictures: for the pictures.
        data: for the data set.
    """

    converter: str
    read: str
    written: str
    overwrite: str
    infer: str
    pictures: str
    data: str


_DETECTOR = _Commands(
    converter="convert_checkpoint.py",
    read="ckpt_file",
    written="output",
    overwrite="overwrite=True",
    infer="checkpoint_path",
    pictures="image_path",
    data="coco_root",
)
COMMANDS = {
    "faster_rcnn": _DETECTOR,
    "nas_fpn": _DETECTOR,
    "segformer": _Commands(
        converter="tools/convert_model.py",
        read="pt_model_path",
        written="ms_model_path",
        overwrite="overwrite",
        infer="infer_ckpt_path",
        pictures="data_path",
        data="data_path",
    ),
}


def converter_command(model: PublishedModel, source: Path, output: Path, overwrite: bool) -> list[str]:
    """Returns the command that converts, without the interpreter; `source` is the file, or a folder of transformers."""
    flags = COMMANDS[model.suite]
    script = ROOT / model.suite / flags.converter
    command = [str(script), f"--{flags.read}={source.absolute()}", f"--{flags.written}={output.absolute()}"]
    return [*command, f"--{flags.overwrite}"] if overwrite else command


def convert(model: PublishedModel, source: Path, output: Path, overwrite: bool) -> None:
    """Runs the converter, which prints its report.

    Raises:
        BadStateError: it ended with an error, which it has printed.
    """
    command = converter_command(model, source, output, overwrite)
    print(f"converting: {shown_command(command)}", flush=True)
    finished = subprocess.run([sys.executable, *command], check=False)
    if finished.returncode:
        raise BadStateError(f"'{source}' was not converted: the converter's own message is above")


def next_command(model: PublishedModel, checkpoint: Path) -> str:
    """Returns the command that uses a converted checkpoint, with capitals for what a user fills in."""
    flags, folder = COMMANDS[model.suite], ROOT / model.suite
    if model.is_network:
        words = [folder / "infer.py", f"--{flags.infer}={checkpoint.absolute()}", f"--{flags.pictures}=PICTURES"]
    else:
        config, weights = f"--config_path={folder / model.config}", f"--pre_trained={checkpoint.absolute()}"
        words = [folder / "train.py", config, weights, f"--{flags.data}=DATA"]
    return shown_command([str(word) for word in words])


def shown_command(command: list[str]) -> str:
    """Returns a command as a user types it; paths below the working directory are relative.

    Args:
        command: the path of a script, and its arguments.
    """
    return f"{shown_script(Path(command[0]))} {shlex.join(_from_here(word) for word in command[1:])}"


def _from_here(word: str) -> str:
    """Returns a path, or a flag with one behind "=", as it is from the working directory."""
    flag, equals, path = word.rpartition("=")
    return f"{flag}{equals}{path.removeprefix(f'{os.getcwd()}/')}"
