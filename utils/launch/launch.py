"""Runs a command of a suite as its page describes it: on one device, in a folder of its own, in the background.

Called by `launch` of launcher.sh; a launcher of a suite reads

    launch --command=SUITE/FILE.py --folder=NAME --log=NAME --needs=NAME:KIND:KEY... --takes=NAME:KIND:KEY... -- "$@"

where {} in the folder's name stands for the device and `Positional.parse` explains NAME:KIND:KEY. The first argument of
the user is DEVICE_ID; with --device_target=TARGET, the device of a launcher's name, there is none and the variable
DEVICE_ID counts. The folder is made where the launcher is called. FOREGROUND=1 waits for the end, shows the output and
hands the exit code through; STARTUP_SECONDS says how long a background start is watched.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if not __package__:
    sys.path[0] = str(ROOT)  # in place of this folder

from utils.launch.arguments import CommandArguments, Positional, read_arguments, usage  # noqa: E402
from utils.launch.process import LoggedProcess  # noqa: E402
from utils.model_utils.command import run_command  # noqa: E402
from utils.model_utils.errors import BadValueError  # noqa: E402
from utils.model_utils.files import make_writable_folder  # noqa: E402

STARTUP_SECONDS = 8.0  # arguments are refused after one second, data or run folder after MindSpore's import


@dataclass(frozen=True)
class Launcher:
    """What a launcher of a suite starts.

    Attributes:
        program: file name of the launcher.
        command: entry script, relative to the repository's root.
        folder: name of the run folder; {} stands for the device.
        log: name of the log file in it.
        positionals: what it takes after DEVICE_ID, required ones first.
        device_target: device that its name stands for; "" for one that takes a DEVICE_ID instead.
    """

    program: str
    command: Path
    folder: str
    log: str
    positionals: tuple[Positional, ...]
    device_target: str

    @property
    def takes_device(self) -> bool:
        """Whether the first argument is DEVICE_ID."""
        return not self.device_target


def main(argv: Sequence[str]) -> int:
    """Starts the command; returns the exit code of the launcher."""
    launcher, given = _read_launcher(argv)
    if "--help" in given or "-h" in given:
        print(usage(launcher.program, launcher.positionals, launcher.takes_device))
        return 0
    suite_dir = ROOT / launcher.command.parent
    arguments = read_arguments(
        given, launcher.positionals, program=launcher.program, suite_dir=suite_dir, takes_device=launcher.takes_device)
    device = [f"--device_target={launcher.device_target}"] if launcher.device_target else []
    folder = arguments.run_dir or Path.cwd() / launcher.folder.replace("{}", str(arguments.device_id))
    make_writable_folder(folder)
    command = [sys.executable, str(ROOT / launcher.command), f"--run_dir={folder}", *device, *arguments.settings]
    in_foreground, seconds = _is_set("FOREGROUND"), _startup_seconds()
    print(shlex.join(command), flush=True)
    process = LoggedProcess(command, folder / launcher.log, one_process(arguments))
    return process.follow() if in_foreground else _leave(process, seconds)


def one_process(arguments: CommandArguments) -> dict[str, str]:
    """Returns the variables that tell a command it is alone on one device."""
    return {
        "DEVICE_ID": str(arguments.device_id), "DEVICE_NUM": "1", "RANK_ID": "0", "RANK_SIZE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _read_launcher(argv: Sequence[str]) -> tuple[Launcher, list[str]]:
    """Splits what the launcher says from what its user has typed, which stands after `--`."""
    cut = list(argv).index("--")
    parser = argparse.ArgumentParser()
    for name in ("--program", "--command", "--folder", "--log"):
        parser.add_argument(name, required=True)
    parser.add_argument("--device_target", default="")
    parser.add_argument("--needs", action="append", default=[])
    parser.add_argument("--takes", action="append", default=[])
    values = parser.parse_args(argv[:cut])
    positionals = (
        *(Positional.parse(text, is_optional=False) for text in values.needs),
        *(Positional.parse(text, is_optional=True) for text in values.takes),
    )
    launcher = Launcher(
        values.program, Path(values.command), values.folder, values.log, positionals, values.device_target)
    return launcher, list(argv[cut + 1:])


def _leave(process: LoggedProcess, seconds: float) -> int:
    """Watches the start and leaves the process alone; one that ends meanwhile is reported with its last lines."""
    code = process.code_within(seconds)
    log = shlex.quote(str(process.log))
    if code is None:
        print(f"running as process {process.pid}; follow it with: tail -f {log}; stop it with: kill {process.pid}")
        return 0
    print(process.last_lines(), file=sys.stderr if code else sys.stdout)
    print(f"ended with exit code {code}; log: {log}", file=sys.stderr if code else sys.stdout)
    return code


def _is_set(variable: str) -> bool:
    text = os.environ.get(variable, "")
    if text not in ("", "0", "1"):
        raise BadValueError(f"environment variable {variable} is '{text}', wanted 1 or 0: correct or unset it")
    return text == "1"


def _startup_seconds() -> float:
    text = os.environ.get("STARTUP_SECONDS", "")
    try:
        seconds = float(text or STARTUP_SECONDS)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadValueError(
            f"environment variable STARTUP_SECONDS is '{text}', wanted a number of seconds: correct or unset it")
    return seconds


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), sys.argv[1].partition("=")[2])
