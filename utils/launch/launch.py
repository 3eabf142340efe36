"""Runs a command of a suite as its page describes it: on one device, in a folder of its own, in the background.

Called by `launch` of launcher.sh; a launcher of a suite reads

    launch --command=SUITE/FILE.py --folder=NAME --log=NAME --needs=NAME:KIND:KEY... --takes=NAME:KIND:KEY... -- "$@"

where {} in the folder's name stands for the device and `Positional.parse` explains NAME:KIND:KEY. The first argument of
the user is DEVICE_ID; with --device_target=TARGET, the device of a launcher's name, there is none and the variable
DEVICE_ID counts. The folder is made where the launcher is called. FOREGROUND=1 waits for the end, shows the output and
hands the exit code through; STARTUP_SECONDS says how long a background start is watched. With --dry_run nothing is
started or made: the command, its variables, folder and log are shown.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # in place of this folder

from utils.installation import ROOT  # noqa: E402
from utils.launch.launcher_options import (  # noqa: E402
    DRY_RUN,
    is_set,
    read_launcher,
    spelled,
    startup_seconds,
    take_dry_run,
)
from utils.launch.processes.logged_process import POLL_SECONDS, LoggedProcess  # noqa: E402
from utils.launch.processes.process_search import check_unused, using  # noqa: E402
from utils.launch.user_arguments import read_arguments  # noqa: E402
from utils.model_utils.command import run_command  # noqa: E402
from utils.model_utils.files import make_writable_folder  # noqa: E402

ENDING_SECONDS = 5.0  # a process with MindSpore is there for a moment after the last line of its log
STARTUP_SECONDS = 8.0  # arguments are refused after one second, data or run folder after MindSpore's import


def main(argv: Sequence[str]) -> int:
    """Starts the command; returns the exit code of the launcher."""
    launcher, given = read_launcher(argv)
    if "--help" in given or "-h" in given:
        print(f"{launcher.usage} [{DRY_RUN}]")
        return 0
    is_dry, given = take_dry_run(given)
    arguments = read_arguments(given, launcher, ROOT / launcher.command.parent)
    device = [f"--device_target={launcher.device_target}"] if launcher.device_target else []
    folder = arguments.run_dir or Path.cwd() / launcher.folder.replace("{}", str(arguments.device_id))
    command = [sys.executable, str(ROOT / launcher.command), f"--run_dir={folder}", *device, *arguments.settings]
    alone = {"DEVICE_NUM": "1", "RANK_ID": "0", "RANK_SIZE": "1"}
    environment = {"DEVICE_ID": str(arguments.device_id), **alone, "PYTHONUNBUFFERED": "1"}
    if is_dry:
        print(f"folder {folder}, log {folder / launcher.log}\n  {spelled(command, environment)}")
        return 0
    in_foreground, seconds = is_set("FOREGROUND"), startup_seconds(STARTUP_SECONDS)
    check_unused(folder, _lasting_users(folder))  # two would share a log, and the second's results replace the first's
    make_writable_folder(folder, "--run_dir")
    print(spelled(command, {}), flush=True)
    process = LoggedProcess(command, folder / launcher.log, environment)
    return process.follow() if in_foreground else process.leave(seconds)


def _lasting_users(folder: Path) -> list[int]:
    """Returns the processes that use a folder, those apart that have said their last words and end in a moment."""
    deadline = time.monotonic() + ENDING_SECONDS
    while (pids := using(folder)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return pids


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), sys.argv[1].partition("=")[2])
