"""Runs a command of a suite on several devices, one process each, through msrun.

Called by `distribute` of launcher.sh; a launcher of a suite reads

    distribute --devices=NAME[,NAME] --command=SUITE/FILE.py --folder=NAME --log=NAME --needs=... --takes=... -- "$@"

where --devices names the first arguments of the user, DEVICE_NUM, RANK_TABLE_FILE or both, and {} in the folder's and
the log's name stands for the rank. All else is as in launch.py. README.md explains the options of the user.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # in place of this folder

from utils.installation import ROOT  # noqa: E402
from utils.launch.job import prepare_job, run_job  # noqa: E402
from utils.launch.job_devices import CPU, DEVICE_NUM, RANK_TABLE_FILE, choose_job_devices  # noqa: E402
from utils.launch.job_plan import JobPlan, format_plan, make_plan  # noqa: E402
from utils.launch.launcher_options import (  # noqa: E402
    DRY_RUN,
    is_set,
    read_launcher,
    startup_seconds,
    take_dry_run,
)
from utils.launch.processes.logged_process import LoggedProcess  # noqa: E402
from utils.launch.processes.ports import read_port  # noqa: E402
from utils.launch.user_arguments import Launcher, read_arguments  # noqa: E402
from utils.model_utils.command import run_command  # noqa: E402
from utils.model_utils.errors import BadValueError  # noqa: E402

STARTUP_SECONDS = 20.0  # msrun needs about five until the commands begin
MASTER_PORT, OWN_ADDRESS = "--master_port", "--own_address"


def main(argv: Sequence[str]) -> int:
    """Starts the job; returns the exit code of the launcher."""
    launcher, given = read_launcher(argv)
    if "--help" in given or "-h" in given:
        print(f"{launcher.usage} [{DRY_RUN}] [{MASTER_PORT}=PORT] [{OWN_ADDRESS}=IP]")
        return 0
    is_dry, given = take_dry_run(given)
    options, given = take_options(given)
    plan = plan_job(launcher, given, options)
    if is_dry:
        print(format_plan(plan))
        return 0
    in_foreground, seconds = is_set("FOREGROUND"), startup_seconds(STARTUP_SECONDS)
    prepare_job(plan)
    if in_foreground:
        print(format_plan(plan), flush=True)
        return run_job(plan, is_shown=not launcher.is_quiet)
    return _in_background(argv, plan).leave(seconds)


def plan_job(launcher: Launcher, given: Sequence[str], options: dict[str, str]) -> JobPlan:
    """Returns the start of a job from what its user has typed.

    Raises:
        UserError: it cannot be started.
    """
    arguments = read_arguments(given, launcher, ROOT / launcher.command.parent)
    leading = dict(zip(launcher.leading, arguments.leading, strict=True))
    port = read_port(options[MASTER_PORT], MASTER_PORT) if MASTER_PORT in options else None
    devices = choose_job_devices(
        leading.get(DEVICE_NUM),
        leading.get(RANK_TABLE_FILE),
        launcher.device_target or _wanted_target(arguments.settings),
        own_address=options.get(OWN_ADDRESS),
    )
    command = [
        sys.executable,
        str(ROOT / launcher.command),
        f"--device_target={devices.target}",
        "--run_distribute=True",
        *arguments.settings,
    ]
    return make_plan(
        devices, command, arguments.run_dir or Path.cwd(), folder=launcher.folder, log=launcher.log, master_port=port
    )


def _wanted_target(settings: Sequence[str]) -> str:
    """Returns "CPU" where the command is told so: of a rank table, hosts and numbers of processes then count."""
    chosen = [text.partition("=")[2] for text in settings if text.startswith("--device_target=")]
    return CPU if chosen and chosen[-1].upper() == CPU else ""


def take_options(given: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Splits the options of the launcher itself from what goes on to the command.

    Raises:
        BadValueError: one lacks its value.
    """
    options, rest = {}, []
    for text in given:
        name, _, value = text.partition("=")
        if name not in (MASTER_PORT, OWN_ADDRESS):
            rest.append(text)
        elif not value:
            raise BadValueError(f"'{text}', wanted {name}=VALUE")
        else:
            options[name] = value
    return options, rest


def _in_background(argv: Sequence[str], plan: JobPlan) -> LoggedProcess:
    """Starts this launcher once more, to watch the job."""
    cut = list(argv).index("--")
    port = [f"{MASTER_PORT}={plan.master_port}"]
    command = [sys.executable, str(Path(__file__).resolve()), *argv[:cut], "--quiet", *argv[cut:], *port]
    logs = [str(rank.log) for rank in plan.ranks]
    print(f"logs of the ranks: {shlex.join(logs)}", flush=True)
    return LoggedProcess(command, plan.folder / "launch.log", {"FOREGROUND": "1"})


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), sys.argv[1].partition("=")[2])
