"""What the launcher of a suite says of itself on its one line, and the variables that its user may set."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.launch.user_arguments import Positional, usage
from utils.model_utils.errors import BadValueError


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
        leading: names of the arguments that stand for several devices, in DEVICE_ID's place.
        is_quiet: shows no output of the command.
    """

    program: str
    command: Path
    folder: str
    log: str
    positionals: tuple[Positional, ...]
    device_target: str
    leading: tuple[str, ...] = ()
    is_quiet: bool = False

    @property
    def takes_device(self) -> bool:
        """Whether the first argument is DEVICE_ID."""
        return not self.device_target and not self.leading

    @property
    def usage(self) -> str:
        """How it is called."""
        return usage(self.program, self.positionals, self.takes_device, self.leading)


def read_launcher(argv: Sequence[str]) -> tuple[Launcher, list[str]]:
    """Splits what the launcher says from what its user has typed, which stands after `--`."""
    cut = list(argv).index("--")
    parser = argparse.ArgumentParser()
    for name in ("--program", "--command", "--folder", "--log"):
        parser.add_argument(name, required=True)
    parser.add_argument("--device_target", default="")
    parser.add_argument("--devices", default="")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--needs", action="append", default=[])
    parser.add_argument("--takes", action="append", default=[])
    values = parser.parse_args(argv[:cut])
    positionals = (
        *(Positional.parse(text, is_optional=False) for text in values.needs),
        *(Positional.parse(text, is_optional=True) for text in values.takes),
    )
    leading = tuple(values.devices.split(",")) if values.devices else ()
    launcher = Launcher(
        values.program,
        Path(values.command),
        values.folder,
        values.log,
        positionals,
        values.device_target,
        leading,
        values.quiet,
    )
    return launcher, list(argv[cut + 1 :])


def is_set(variable: str) -> bool:
    """Returns whether an environment variable is 1.

    Raises:
        BadValueError: it is neither 1 nor 0.
    """
    text = os.environ.get(variable, "")
    if text not in ("", "0", "1"):
        raise BadValueError(f"environment variable {variable} is '{text}', wanted 1 or 0: correct or unset it")
    return text == "1"


def startup_seconds(default: float) -> float:
    """Returns how long a background start is watched, STARTUP_SECONDS of the environment.

    Raises:
        BadValueError: that is no number of seconds.
    """
    text = os.environ.get("STARTUP_SECONDS", "")
    try:
        seconds = float(text or default)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadValueError(
            f"environment variable STARTUP_SECONDS is '{text}', wanted a number of seconds: correct or unset it"
        )
    return seconds
